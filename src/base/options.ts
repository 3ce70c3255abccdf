/**
 * Options said once. A table of options gives the TypeScript type, the check, the error, the JSON form, the
 * command-line flag and the words of the help text and the docs.
 */
import { didYouMean, FoveaError } from './errors.ts'
import { isPlain } from './realm.ts'

/** One option: how it is checked, said and read from a command line. */
export interface Option<T, Required extends boolean = boolean> {
  /** One line for help texts and docs. */
  readonly says: string
  /** The accepted values in words: `integer >= 1`. */
  readonly accepts: string
  readonly required: Required
  /** What stands when the user says nothing; undefined when required or when absence itself means something. */
  readonly default: T | undefined
  /** The checked value, or undefined when it is not acceptable. */
  readonly check: (value: unknown) => T | undefined
  /** The value that a flag's text stands for; the check follows. */
  readonly parse: (text: string) => unknown
  /** The words to choose from. */
  readonly words?: readonly string[]
  /** A switch takes no value on the command line. */
  readonly isSwitch?: boolean
}

/** A table of options by name. A type, so that literal tables fit it. */
export type OptionTable = { readonly [name: string]: Option<unknown> }

type RequiredNames<T extends OptionTable> = {
  [N in keyof T]: T[N] extends Option<unknown, true> ? N : never
}[keyof T]
type ValueOf<O> = O extends Option<infer T> ? T : never

/** What a user may write. */
export type Options<T extends OptionTable> = { [N in RequiredNames<T>]: ValueOf<T[N]> } & {
  [N in Exclude<keyof T, RequiredNames<T>>]?: ValueOf<T[N]> | undefined
}

/** What stands after checking: every default filled in. */
export type Settled<T extends OptionTable> = { [N in keyof T]: ValueOf<T[N]> }

/** Fills defaults, refuses unknown names (with the nearest known one) and unacceptable values. */
export function settle<T extends OptionTable>(table: T, given: unknown, where: string): Settled<T> {
  const names = Object.keys(table)
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const hint = names.length > 0 ? `as in { ${names[0]}: ... }` : undefined
    throw new FoveaError('E_OPTION', {
      what: 'options must be one object',
      where,
      got: show(given),
      ...(hint && { hint }),
    })
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(table, name)) continue
    throw new FoveaError('E_OPTION', {
      what: `unknown option '${name}'`,
      where,
      hint: didYouMean(name, names) ?? `the options are ${names.join(', ') || 'none'}`,
    })
  }
  const settled: Record<string, unknown> = {}
  for (const name of names)
    settled[name] = settleOne(table[name], (given as Record<string, unknown>)[name], name, where)
  return settled as Settled<T>
}

function settleOne(option: Option<unknown>, value: unknown, name: string, where: string): unknown {
  if (value === undefined) {
    if (!option.required) return option.default
    throw new FoveaError('E_OPTION', { what: `'${name}' is missing`, where, expected: option.accepts })
  }
  const checked = option.check(value)
  if (checked !== undefined) return checked
  const hint = typeof value === 'string' ? didYouMean(value, option.words ?? []) : undefined
  const facts = { expected: option.accepts, got: show(value), ...(hint && { hint }) }
  throw new FoveaError('E_OPTION', { what: `'${name}' is wrong`, where, ...facts })
}

/** The values of one table out of those of several. */
export function chosen<T extends OptionTable>(table: T, values: Settled<T>): Settled<T> {
  return Object.fromEntries(Object.keys(table).map((name) => [name, values[name]])) as Settled<T>
}

/** One row of a table with all its options, as plain data. */
export interface NamedRow<N extends string = string> {
  readonly type: N
  readonly options: Settled<OptionTable>
}

/** A row as a user names it: its name, or `{ type, ...options }`; `what` says what the rows are. */
export function settleNamed<N extends string>(
  rows: { readonly [K in N]: { readonly options: OptionTable } },
  given: unknown,
  what: string,
): NamedRow<N> {
  const { type, ...options } = (typeof given === 'object' && given !== null ? given : { type: given }) as {
    type: unknown
  }
  const names = Object.keys(rows)
  if (typeof type === 'string' && names.includes(type))
    return { type: type as N, options: settle(rows[type as N].options, options, type) }
  const hint = typeof type === 'string' ? didYouMean(type, names) : undefined
  throw new FoveaError('E_OPTION', {
    what: `unknown ${what}`,
    expected: `${names.map((name) => `'${name}'`).join(', ')}, or { type, ...options }`,
    got: show(type ?? given),
    ...(hint && { hint }),
  })
}

/** A short rendering of any value, for messages. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !isPlain(value)) {
    return `a ${value.constructor?.name ?? 'object'}`
  }
  const text = jsonText(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** JSON, where a value can be said in it. */
function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return 'something that is no JSON'
  }
}

interface Range {
  min?: number
  max?: number
  /** The range is open at its ends: `0 < x < 1` rather than `0 <= x <= 1`. */
  ends?: 'open' | 'right-open'
}
interface Says<T> {
  says: string
  default?: T
}

type Maker<T> = {
  <const O extends { says: string; default: T } & Range>(o: O): Option<T, false>
  (o: { says: string; optional: true } & Range): Option<T | undefined, false>
  (o: { says: string } & Range): Option<T, true>
}

function make<T>(
  o: Says<T> & { optional?: boolean },
  accepts: string,
  check: (value: unknown) => T | undefined,
  parse: (text: string) => unknown,
): Option<T> {
  return { says: o.says, accepts, required: o.default === undefined && !o.optional, default: o.default, check, parse }
}

function inRange(value: number, { min = -Infinity, max = Infinity, ends }: Range): boolean {
  const above = ends === 'open' ? value > min : value >= min
  return above && (ends ? value < max : value <= max)
}

function rangeWords({ min, max, ends }: Range): string {
  const low = min === undefined ? '' : ` ${ends === 'open' ? '>' : '>='} ${min}`
  const high = max === undefined ? '' : ` ${ends ? '<' : '<='} ${max}`
  return low && high ? `${low} and${high}` : low + high
}

const parseNumber = (text: string): unknown => (text.trim() === '' ? text : Number(text))

export const integer = ((o: Says<number> & Range) =>
  make(
    o,
    `an integer${rangeWords(o)}`,
    (v) => (Number.isSafeInteger(v) && inRange(v as number, o) ? (v as number) : undefined),
    parseNumber,
  )) as Maker<number>

export const number = ((o: Says<number> & Range) =>
  make(
    o,
    `a number${rangeWords(o)}`,
    (v) => (typeof v === 'number' && Number.isFinite(v) && inRange(v, o) ? v : undefined),
    parseNumber,
  )) as Maker<number>

export const text = ((o: Says<string>) =>
  make(
    o,
    'a text',
    (v) => (typeof v === 'string' ? v : undefined),
    (s) => s,
  )) as Maker<string>

/** A boolean; on the command line a switch, `--name` or `--no-name`. */
export const flag = (o: { says: string; default: boolean }): Option<boolean, false> => ({
  ...(make(
    o,
    'true or false',
    (v) => (typeof v === 'boolean' ? v : undefined),
    (s) => s !== 'false',
  ) as Option<boolean, false>),
  isSwitch: true,
})

/** One of a few words. */
export function choice<const W extends readonly string[]>(
  words: W,
  o: { says: string; default: W[number] },
): Option<W[number], false>
export function choice<const W extends readonly string[]>(
  words: W,
  o: { says: string; optional: true },
): Option<W[number] | undefined, false>
export function choice<const W extends readonly string[]>(words: W, o: { says: string }): Option<W[number], true>
export function choice(words: readonly string[], o: Says<string> & { optional?: boolean }): Option<string> {
  const accepts = words.map((w) => `'${w}'`).join(', ')
  const check = (v: unknown) => (words.includes(v as string) ? (v as string) : undefined)
  return { ...make(o, accepts, check, (s) => s), words }
}

/** One size, or one per spatial axis: `3`, `[3, 5]`. Kept as written. */
export type Sizes = number | readonly number[]
export const sizes = ((o: Says<Sizes> & Range) =>
  make(
    o,
    `an integer${rangeWords(o)}, or one per spatial axis`,
    (v) => {
      const list = Array.isArray(v) ? v : [v]
      const fine = list.length > 0 && list.every((n) => Number.isSafeInteger(n) && inRange(n, o))
      return fine ? (v as Sizes) : undefined
    },
    (s) => (s.includes(',') ? s.split(',').map(Number) : Number(s)),
  )) as Maker<Sizes>

/** Anything that `check` accepts; `accepts` says it in words. */
export function custom<T>(o: {
  says: string
  accepts: string
  check: (value: unknown) => T | undefined
  default: T
  parse?: (text: string) => unknown
}): Option<T, false>
export function custom<T>(o: {
  says: string
  accepts: string
  check: (value: unknown) => T | undefined
  optional: true
  parse?: (text: string) => unknown
}): Option<T | undefined, false>
export function custom<T>(o: {
  says: string
  accepts: string
  check: (value: unknown) => T | undefined
  parse?: (text: string) => unknown
}): Option<T, true>
export function custom<T>(
  o: Says<T> & {
    accepts: string
    check: (value: unknown) => T | undefined
    optional?: boolean
    parse?: (text: string) => unknown
  },
): Option<T> {
  return make(o, o.accepts, o.check, o.parse ?? JSON.parse)
}

/** `learningRate` as a flag: `learning-rate`. */
export const flagName = (name: string): string => name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
