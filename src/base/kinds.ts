/** THE table of the kinds of options: for each its words, its form, its check, and how a flag's text is read. */
import { holdsNumbers, isPlain } from './realm.ts'
import type { Kind, Range } from './settle.ts'
import { quoted, settle, settleNamed } from './settle.ts'
import { taken } from './taken.ts'

type KindName = Kind['kind']
type KindOf<N extends KindName> = Extract<Kind, { kind: N }>

/** What a value of each kind's form is to TypeScript, right or wrong. */
interface Forms {
  integer: number
  number: number
  sizes: number | readonly unknown[]
  text: string
  flag: boolean
  choice: string | number
  list: readonly unknown[]
  record: Readonly<Record<string, unknown>>
  row: unknown
  options: unknown
  either: unknown
  custom: unknown
}

interface KindRow<K extends Kind, F> {
  /** The accepted values in words. */
  readonly accepts: (kind: K) => string
  /** Has the value this kind's form, right or wrong? It tells the kinds of an `either` apart. */
  readonly isForm: (value: unknown, kind: K) => boolean
  /** Of the right form: the value where it is right, or undefined; what is wrong may be complained of at once. */
  readonly check: (value: F, kind: K) => unknown
  /** The value of a flag's text. */
  readonly parse: (text: string, kind: K) => unknown
}

const isNumber = (value: unknown): boolean => typeof value === 'number'

const parseNumber = (text: string): unknown => (text.trim() === '' ? text : Number(text))
const json = (text: string): unknown => JSON.parse(text)
const looksLikeJson = (text: string): boolean => /^\s*[[{]/.test(text)

function inRange(value: number, { min = -Infinity, max = Infinity, ends }: Range): boolean {
  const above = ends === 'open' ? value > min : value >= min
  return above && (ends ? value < max : value <= max)
}

function rangeWords({ min, max, ends }: Range): string {
  const low = min === undefined ? '' : ` ${ends === 'open' ? '>' : '>='} ${min}`
  const high = max === undefined ? '' : ` ${ends ? '<' : '<='} ${max}`
  return low && high ? `${low} and${high}` : low + high
}

const isInteger = (value: unknown, range: Range): boolean =>
  Number.isSafeInteger(value) && inRange(value as number, range)

/** Words within brackets; long ones are left out. */
const inner = (kind: Kind): string => {
  const words = acceptsOf(kind)
  return words.length > 40 ? '...' : words
}

const lengthWords = ({ length }: KindOf<'list'>): string =>
  length === undefined ? '' : typeof length === 'number' ? ` of ${length}` : ` of ${length.min} or more`
const isLength = ({ length = { min: 0 } }: KindOf<'list'>, list: readonly unknown[]): boolean =>
  typeof length === 'number' ? list.length === length : list.length >= length.min
const isOrdered = ({ order }: KindOf<'list'>, list: readonly unknown[]): boolean =>
  order === undefined || list.every((value, i) => i === 0 || (value as number) > (list[i - 1] as number))

const rowForm = '{ type, ...options }'

const kinds: { readonly [N in KindName]: KindRow<KindOf<N>, Forms[N]> } = {
  integer: {
    accepts: (kind) => `an integer${rangeWords(kind)}`,
    isForm: isNumber,
    check: (v, kind) => (isInteger(v, kind) ? v : undefined),
    parse: parseNumber,
  },
  number: {
    accepts: (kind) => `a number${rangeWords(kind)}`,
    isForm: isNumber,
    check: (v, kind) => (Number.isFinite(v) && inRange(v, kind) ? v : undefined),
    parse: parseNumber,
  },
  sizes: {
    accepts: (kind) => `an integer${rangeWords(kind)}, or one per spatial axis`,
    isForm: (v) => isNumber(v) || Array.isArray(v),
    check: (v, kind) => {
      const list = Array.isArray(v) ? v : [v]
      return list.length > 0 && list.every((n) => isInteger(n, kind)) ? v : undefined
    },
    parse: (text) => (text.includes(',') ? text.split(',').map(Number) : Number(text)),
  },
  text: {
    accepts: ({ filled, without }) =>
      `a text${without === undefined ? '' : ` without ${without}`}${filled ? ' that is not empty' : ''}`,
    isForm: (v) => typeof v === 'string',
    check: (v, { filled, without }) =>
      (filled && v === '') || (without !== undefined && v.includes(without)) ? undefined : v,
    parse: (text) => text,
  },
  flag: {
    accepts: () => 'true or false',
    isForm: (v) => typeof v === 'boolean',
    check: (v) => v,
    parse: (text) => text !== 'false',
  },
  choice: {
    accepts: ({ choices }) => choices.map((one) => (typeof one === 'string' ? `'${one}'` : `${one}`)).join(', '),
    isForm: (v, { choices }) => choices.some((one) => typeof one === typeof v),
    check: (v, { choices }) => (choices.includes(v) ? v : undefined),
    parse: (text, { choices }) => choices.find((one) => String(one) === text) ?? text,
  },
  list: {
    accepts: (kind) => {
      const order = kind.order ? `, ${kind.order}` : ''
      return `a list${lengthWords(kind)}${order}, each ${acceptsOf(kind.of)}`
    },
    isForm: (v) => Array.isArray(v),
    check: (v, kind) => (isLength(kind, v) && isEach(kind.of, v) && isOrdered(kind, v) ? [...v] : undefined),
    parse: (text, { of }) => (looksLikeJson(text) ? json(text) : text.split(',').map((part) => parseAs(of, part))),
  },
  record: {
    accepts: ({ of, keys }) => `{ [${keys}]: ${inner(of)} }`,
    isForm: (v) => isPlain(v) || holdsNumbers(v), // the numbers of a typed array go by their indices
    check: (v, { of }) => (isEach(of, Object.values(v)) ? { ...v } : undefined),
    parse: json,
  },
  row: {
    accepts: ({ rows, form }) => {
      const names = quoted(Object.keys(rows))
      return form === 'object' ? `${rowForm} with the type ${names}` : `${names} or ${rowForm}`
    },
    isForm: (v, { form }) => (isPlain(v) ? typeof v['type'] === 'string' : typeof v === 'string' && form !== 'object'),
    check: (v, { rows, what }) => {
      settleNamed(rows, v, what) // says what is wrong
      return taken(v)
    },
    parse: (text) => (looksLikeJson(text) ? json(text) : text),
  },
  options: {
    accepts: ({ table }) => {
      const names = Object.entries(table).map(([name, { required }]) => (required ? name : `${name}?`))
      return `{ ${names.join(', ')} }`
    },
    isForm: isPlain,
    check: (v, { table, what }) => settle(table, v, what),
    parse: json,
  },
  either: {
    accepts: ({ of }) => of.map(acceptsOf).join(', or '),
    isForm: (v, { of }) => of.some((kind) => isForm(kind, v)),
    check: (v, { of }) => {
      const kind = byNames(of, v) ?? of.find((one) => isForm(one, v))
      return kind && checkAs(kind, v)
    },
    parse: (text, { of }) => {
      if (looksLikeJson(text)) return json(text)
      const values = of.filter(({ kind }) => kind !== 'record' && kind !== 'options').map((kind) => parseAs(kind, text))
      return values.find((value) => !Number.isNaN(value)) ?? text
    },
  },
  custom: {
    accepts: ({ holds }) => holds,
    isForm: () => true,
    check: (v, { check }) => check(v),
    parse: (text, { as, parse = as ? (words) => parseAs(as, words) : json }) => parse(text),
  },
}

/** Rows by name, of which one is called 'type': the others are rows too, which no option of a row is. */
function byNames(of: readonly Kind[], value: unknown): Kind | undefined {
  const record = of.find((kind) => kind.kind === 'record')
  if (record?.of.kind !== 'row' || !isPlain(value)) return undefined
  const { rows } = record.of
  const { type: _, ...rest } = value
  const isRow = (one: unknown): boolean =>
    isPlain(one) ? typeof one['type'] === 'string' : Object.hasOwn(rows, one as string)
  return Object.values(rest).some(isRow) ? record : undefined
}

const rowOf = (kind: Kind) => kinds[kind.kind] as unknown as KindRow<Kind, unknown>
const isForm = (kind: Kind, value: unknown): boolean => rowOf(kind).isForm(value, kind)
const isEach = (kind: Kind, values: readonly unknown[]): boolean =>
  values.every((value) => isForm(kind, value) && checkAs(kind, value) !== undefined)

/** The values that a kind accepts, in words. */
export const acceptsOf = (kind: Kind): string => rowOf(kind).accepts(kind)

/** The value where it is right, or undefined. */
export const checkAs = (kind: Kind, value: unknown): unknown =>
  isForm(kind, value) ? rowOf(kind).check(value, kind) : undefined

/** The value of a flag's text; the check follows. */
export const parseAs = (kind: Kind, text: string): unknown => rowOf(kind).parse(text, kind)

/** The words that a kind names itself, for the nearest spelling. */
export function wordsOf(kind: Kind): readonly string[] {
  if (kind.kind === 'choice') return kind.choices.filter((one) => typeof one === 'string')
  if (kind.kind === 'row') return Object.keys(kind.rows)
  return kind.kind === 'either' ? kind.of.flatMap(wordsOf) : []
}
