/** Tables of options, and what a user gives settled by them: defaults filled in, anything wrong refused with the way out. */
import { didYouMean, FoveaError } from './errors.ts'
import { isClassless, isPlain } from './realm.ts'

/** Bounds of a number. */
export interface Range {
  readonly min?: number
  readonly max?: number
  /** The range is open at its ends: `0 < x < 1` rather than `0 <= x <= 1`. */
  readonly ends?: 'open' | 'right-open'
}

/**
 * What an option holds, as plain data: its kind, bounds and choices. Words, checks, flags, form fields and docs follow
 * from it (kinds.ts).
 */
export type Kind =
  | ({ readonly kind: 'integer' | 'number' | 'sizes' } & Range)
  /** `filled`: not empty; `without`: a sign that may not occur. */
  | { readonly kind: 'text'; readonly filled?: true; readonly without?: string }
  | { readonly kind: 'flag' }
  | { readonly kind: 'choice'; readonly choices: readonly (string | number)[] }
  /** `length`: so many entries, or at least so many. */
  | {
      readonly kind: 'list'
      readonly of: Kind
      readonly length?: number | { readonly min: number }
      readonly order?: 'ascending'
    }
  /** Values by name; `keys` says what the names are. */
  | { readonly kind: 'record'; readonly of: Kind; readonly keys: string }
  /** A row of a table: its name (not where `form` is 'object'), or `{ type, ...options }`. */
  | { readonly kind: 'row'; readonly what: string; readonly rows: NamedRows; readonly form?: 'object' }
  /** An object of options; `what` says what they are of. */
  | { readonly kind: 'options'; readonly what: string; readonly table: OptionTable }
  /** One of several kinds, recognised by their form. */
  | { readonly kind: 'either'; readonly of: readonly Kind[] }
  /** What no other kind says: a check of its own. `as` is the kind that a form shows; without it JSON cannot say it. */
  | {
      readonly kind: 'custom'
      readonly holds: string
      readonly as?: Kind
      readonly check: (value: unknown) => unknown
      readonly parse?: (text: string) => unknown
    }

/** One option. All but `check` and `parse`, which follow from the kind, is plain data. */
export interface Option<T, Required extends boolean = boolean> {
  /** One line for help texts and docs. */
  readonly says: string
  readonly kind: Kind
  /** The accepted values in words: `an integer >= 1`. */
  readonly accepts: string
  readonly required: Required
  /** The value when the user gives none; undefined when required or when absence itself means something. */
  readonly default: T | undefined
  /** The checked value, or undefined when it is not acceptable. */
  readonly check: (value: unknown) => T | undefined
  /** The value of a flag's text; the check follows. */
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

/** The options after checking: every default filled in. */
export type Settled<T extends OptionTable> = { [N in keyof T]: ValueOf<T[N]> }

/**
 * Throws E_OPTION unless it is an object without a class: what a Map holds would be left unseen. `names` are of such options,
 * for the way out.
 */
export function wantOptions(given: unknown, where: string, names: readonly string[]): asserts given is object {
  if (isClassless(given)) return
  const hint = names.length > 0 ? `as in { ${names[0]}: ... }` : undefined
  throw new FoveaError('E_OPTION', {
    what: 'options must be one object',
    where,
    got: show(given),
    ...(hint && { hint }),
  })
}

/** Fills defaults, refuses unknown names (with the nearest known one) and unacceptable values. */
export function settle<T extends OptionTable>(table: T, given: unknown, where: string): Settled<T> {
  const names = Object.keys(table)
  wantOptions(given, where, names)
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

/** One value by its option: an argument of a function called `where`, for instance. */
export function settleOne<T>(option: Option<T>, value: unknown, name: string, where: string): T
export function settleOne(option: Option<unknown>, value: unknown, name: string, where: string): unknown {
  if (value === undefined) {
    if (!option.required) return option.default
    throw new FoveaError('E_OPTION', { what: `'${name}' is missing`, where, expected: option.accepts })
  }
  const checked = within(name, where, () => option.check(value))
  if (checked !== undefined) return checked
  const hint = typeof value === 'string' ? didYouMean(value, option.words ?? []) : undefined
  const facts = { expected: option.accepts, got: show(value), ...(hint && { hint }) }
  throw new FoveaError('E_OPTION', { what: `'${name}' is wrong`, where, ...facts })
}

/** Complaints about what an option holds name the option too. */
function within<T>(name: string, where: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (!(error instanceof FoveaError)) throw error
    const { what, where: inner } = error.complaint
    const place = inner === undefined ? { what: `'${name}' is wrong: ${what}`, where } : { where: `${where}: ${inner}` }
    throw new FoveaError(error.code, { ...error.complaint, ...place })
  }
}

/** The values of one table out of those of several. */
export function chosen<T extends OptionTable>(table: T, values: Settled<T>): Settled<T> {
  return Object.fromEntries(Object.keys(table).map((name) => [name, values[name]])) as Settled<T>
}

/** Rows that a user chooses from by name: losses, optimizers, initializers and so on. */
export interface NamedEntry<T extends OptionTable = OptionTable> {
  /** One line for docs. */
  readonly says?: string
  readonly options: T
  /** What only the name means, where that is more than the defaults. */
  readonly named?: Readonly<Record<string, unknown>>
  /** What is wrong with options that are right one by one. */
  readonly conflict?: (options: Settled<T>) => Conflict | undefined
}

/** Options that do not go together: what is wrong, and the way out. */
export interface Conflict {
  readonly what: string
  readonly got?: string
  readonly hint?: string
}

type AnyEntry = Omit<NamedEntry, 'conflict'> & { readonly conflict?: (options: never) => Conflict | undefined }
export type NamedRows = { readonly [name: string]: AnyEntry }

/** A row of a table as a user writes it with its options: `{ type: 'sgd', momentum: 0.9 }`. */
export type WithOptions<R extends NamedRows> = {
  [N in keyof R & string]: { readonly type: N } & Options<R[N]['options']>
}[keyof R & string]

/** A row of a table as a user gives it: its name, or its name with options. Plain JSON. */
export type Named<R extends NamedRows> = (keyof R & string) | WithOptions<R>

/** One row of a table with all its options, as plain data. */
export interface NamedRow<N extends string = string> {
  readonly type: N
  readonly options: Settled<OptionTable>
}

/** A row as a user names it: its name, or `{ type, ...options }`; `what` says what the rows are. */
export function settleNamed<R extends NamedRows>(rows: R, given: unknown, what: string): NamedRow<keyof R & string> {
  const isObject = typeof given === 'object' && given !== null
  if (isObject && !Array.isArray(given)) wantOptions(given, what, ['type'])
  const { type, ...options } = (isObject ? given : { type: given }) as { type: unknown }
  const names = Object.keys(rows)
  if (!names.includes(type as string)) {
    const hint = typeof type === 'string' ? didYouMean(type, names) : undefined
    throw new FoveaError('E_OPTION', {
      what: `unknown ${what}`,
      expected: isObject ? quoted(names) : `${quoted(names)}, or { type, ...options }`,
      got: show(type ?? given),
      ...(hint && { hint }),
    })
  }
  const name = type as keyof R & string
  const row = rows[name] as unknown as NamedEntry
  const settled = settle(row.options, isObject ? options : (row.named ?? options), name)
  const conflict = row.conflict?.(settled)
  if (conflict) throw new FoveaError('E_OPTION', { ...conflict, where: name })
  return { type: name, options: settled }
}

/** Rows with options that all of them have; a row's own come after and win. */
export function withCommon<const R extends NamedRows, const C extends OptionTable>(
  rows: R,
  common: (row: R[keyof R]) => C,
  conflict?: (options: Settled<C>) => Conflict | undefined,
): { readonly [N in keyof R]: Omit<R[N], 'options' | 'conflict'> & { readonly options: C & R[N]['options'] } } {
  const whole = ([name, row]: [string, AnyEntry]) => {
    const both = (options: never): Conflict | undefined => row.conflict?.(options) ?? conflict?.(options)
    return [name, { ...row, options: { ...common(row as R[keyof R]), ...row.options }, conflict: both }]
  }
  return Object.fromEntries(Object.entries(rows).map(whole))
}

/** `learningRate` as a flag: `learning-rate`. */
export const flagName = (name: string): string => name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)

/** `'a', 'b'`. */
export const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(', ')

/** A short rendering of any value, for messages. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !isPlain(value)) {
    const maker: unknown = value.constructor // of a generator it has no name
    const own = typeof maker === 'function' && maker.name
    const name = own || Object.prototype.toString.call(value).slice(8, -1)
    return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`
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
