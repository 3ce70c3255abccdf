/** What tables of options are made of: a maker for every kind. */
import { FoveaError } from './errors.ts'
import { acceptsOf, checkAs, parseAs, wordsOf } from './kinds.ts'
import { isListOf, isPlain } from './realm.ts'
import type { Kind, Named, NamedRows, Option, Options, OptionTable, Range, WithOptions } from './settle.ts'
import { show } from './settle.ts'

export type { Kind, Named, NamedEntry, NamedRows, Option, Options, OptionTable, Settled } from './settle.ts'

interface Says<T> {
  says: string
  default?: T
}

type Maker<T> = {
  <const O extends { says: string; default: T } & Range>(o: O): Option<T, false>
  (o: { says: string; optional: true } & Range): Option<T | undefined, false>
  (o: { says: string } & Range): Option<T, true>
}

/** How an option is said: with a default, optional, or required. */
type Said<T> =
  | { says: string; default: T; optional?: never }
  | { says: string; optional: true; default?: never }
  | { says: string; optional?: never; default?: never }
type Made<T, O> = O extends { default: unknown }
  ? Option<T, false>
  : O extends { optional: true }
    ? Option<T | undefined, false>
    : Option<T, true>

function make<T>(kind: Kind, o: Says<T> & { optional?: boolean }): Option<T> {
  const isLeft = o.default === undefined || kind.kind === 'custom' // a check of its own may make something else of it
  want(isLeft || checkAs(kind, o.default) !== undefined, 'a default that the option takes', o.default)
  const words = wordsOf(kind)
  return {
    says: o.says,
    kind,
    accepts: acceptsOf(kind),
    required: o.default === undefined && !o.optional,
    default: o.default,
    check: (value) => checkAs(kind, value) as T | undefined,
    parse: (text) => parseAs(kind, text),
    ...(words.length > 0 && { words }),
    ...(kind.kind === 'flag' && { isSwitch: true }),
  }
}

/** Refuses what is not the description of an option. */
function want(isRight: boolean, expected: string, got: unknown): void {
  if (isRight) return
  throw new FoveaError('E_OPTION', {
    what: 'an option cannot be made from this',
    where: 'options',
    expected,
    got: show(got),
  })
}

const isTable: (value: unknown) => value is object = isPlain
/** Is it what a maker gives? */
export const isOption = (value: unknown): boolean => isTable(value) && isTable((value as Option<unknown>).kind)
const isMissingOr = (type: string, ...values: readonly unknown[]): boolean =>
  values.every((value) => value === undefined || typeof value === type)

/** A description that has the words for it. */
function saidBy<O extends { says: string }>(o: O): O {
  want(isTable(o) && typeof o.says === 'string', '{ says: a text, ... }', o)
  return o
}

/** The kind of an option that another is made of. */
function kindOf(option: Option<unknown>): Kind {
  want(isOption(option), 'an option, as in options.integer({ says, min: 1 })', option)
  return option.kind
}

function wantTable(table: OptionTable): void {
  want(isTable(table), 'a table of options by name', table)
  for (const option of Object.values(table)) kindOf(option)
}

function wantRows(rows: NamedRows): void {
  want(isTable(rows) && Object.values(rows).every(isTable), 'a table of rows { options, ... } by name', rows)
  for (const { options } of Object.values(rows)) wantTable(options)
}

function rangeOf(o: Range): Range {
  const { min, max, ends } = o
  want(isMissingOr('number', min, max) && isMissingOr('string', ends), 'bounds { min, max } that are numbers', o)
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }), ...(ends && { ends }) }
}

const numeric = <T>(kind: 'integer' | 'number' | 'sizes') =>
  ((o: Says<T> & Range) => make({ kind, ...rangeOf(saidBy(o)) }, o)) as Maker<T>

export const integer = numeric<number>('integer')

export const number = numeric<number>('number')

/** One size, or one per spatial axis: `3`, `[3, 5]`. Kept as written. */
export type Sizes = number | readonly number[]
export const sizes = numeric<Sizes>('sizes')

interface Form {
  /** An empty text is refused. */
  filled?: true
  /** A sign that may not occur. */
  without?: string
}

/** Any text, or one that is not empty or has no such sign. */
export const text = ((o: Says<string> & Form) => {
  const { filled, without } = saidBy(o)
  want(isMissingOr('string', without) && isMissingOr('boolean', filled), '{ filled: true, without: a text }', o)
  return make({ kind: 'text', ...(filled && { filled }), ...(without !== undefined && { without }) }, o)
}) as {
  <const O extends { says: string; default: string } & Form>(o: O): Option<string, false>
  (o: { says: string; optional: true } & Form): Option<string | undefined, false>
  (o: { says: string } & Form): Option<string, true>
}

/** A boolean; on the command line a switch, `--name` or `--no-name`. */
export const flag = (o: { says: string; default: boolean }): Option<boolean, false> =>
  make<boolean>({ kind: 'flag' }, saidBy(o)) as Option<boolean, false>

/** One of a few words, or of a few numbers. */
export function choice<const W extends readonly (string | number)[]>(
  choices: W,
  o: { says: string; default: W[number] },
): Option<W[number], false>
export function choice<const W extends readonly (string | number)[]>(
  choices: W,
  o: { says: string; optional: true },
): Option<W[number] | undefined, false>
export function choice<const W extends readonly (string | number)[]>(
  choices: W,
  o: { says: string },
): Option<W[number], true>
export function choice(
  choices: readonly (string | number)[],
  o: Says<string | number> & { optional?: boolean },
): Option<string | number> {
  const isWord = (one: unknown): boolean => typeof one === 'string' || typeof one === 'number'
  want(isListOf(choices, isWord), 'a list of words or numbers', choices)
  return make({ kind: 'choice', choices }, saidBy(o))
}

/** Two entries are a pair to TypeScript too. */
type ListOf<T, O> = O extends { length: 2 } ? readonly [T, T] : readonly T[]

/** A list of what `of` takes: `list(integer({ says: 'a size', min: 1 }), { says: 'sizes', length: { min: 1 } })`. */
export function list<
  T,
  const O extends Said<readonly T[]> & { length?: number | { min: number }; order?: 'ascending' },
>(of: Option<T>, o: O): Made<ListOf<T, O>, O> {
  const { length, order }: { length?: number | { min: number }; order?: 'ascending' } = saidBy(o)
  const least = isTable(length) ? length.min : length
  want(isMissingOr('number', least) && isMissingOr('string', order), 'a length: a number, or { min }', o)
  const kind: Kind = { kind: 'list', of: kindOf(of), ...(length !== undefined && { length }), ...(order && { order }) }
  return make(kind, o as Says<ListOf<T, O>>) as Made<ListOf<T, O>, O>
}

/** Values by name, each one that `of` takes; `keys` says what the names are. */
export function record<T, const O extends Said<Readonly<Record<string, T>>>>(
  of: Option<T>,
  o: O & { keys: string },
): Made<Readonly<Record<string, T>>, O> {
  const kind: Kind = { kind: 'record', of: kindOf(of), keys: saidBy(o).keys }
  want(typeof o.keys === 'string', 'keys: what the names are', o)
  return make(kind, o as Says<Readonly<Record<string, T>>>) as Made<Readonly<Record<string, T>>, O>
}

type AnyOf<P extends readonly Option<unknown>[]> = P[number] extends Option<infer T> ? T : never

/** One of several kinds, recognised by their form: `either([number(...), described(schedules, ...)], { says })`. */
export function either<const P extends readonly Option<unknown>[], const O extends Said<AnyOf<P>>>(
  of: P,
  o: O,
): Made<AnyOf<P>, O> {
  want(Array.isArray(of), 'a list of options', of)
  const kind: Kind = { kind: 'either', of: of.map(kindOf) }
  return make(kind, saidBy(o as Says<AnyOf<P>>)) as Made<AnyOf<P>, O>
}

/** An object of options: those of `table`, defaults filled in; `what` says what they are of. */
export function group<T extends OptionTable, const O extends Said<Options<T>>>(
  table: T,
  o: O & { what: string },
): Made<Options<T>, O> {
  wantTable(table)
  return make({ kind: 'options', what: whatOf(o), table }, o as Says<Options<T>>) as Made<Options<T>, O>
}

function whatOf(o: { says: string; what: string }): string {
  want(typeof saidBy(o).what === 'string', '{ says, what: a word }', o)
  return o.what
}

/** A row of a table: its name, or `{ type, ...options }`. `what` says what the rows are. Kept as written. */
export function named<R extends NamedRows, const O extends Said<Named<R>>>(
  rows: R,
  o: O & { what: string },
): Made<Named<R>, O> {
  wantRows(rows)
  return make({ kind: 'row', what: whatOf(o), rows }, o as Says<Named<R>>) as Made<Named<R>, O>
}

/** The same of rows that are nothing without their options: only `{ type, ...options }`. */
export function described<R extends NamedRows, const O extends Said<WithOptions<R>>>(
  rows: R,
  o: O & { what: string },
): Made<WithOptions<R>, O> {
  wantRows(rows)
  return make({ kind: 'row', what: whatOf(o), rows, form: 'object' }, o as Says<WithOptions<R>>) as Made<
    WithOptions<R>,
    O
  >
}

/** The same option, said otherwise, that may be left out. */
export function optional<T>(option: Option<T>, says: string): Option<T | undefined, false> {
  kindOf(option)
  want(typeof says === 'string', 'a text', says)
  return { ...(option as Option<T | undefined>), says, required: false, default: undefined }
}

/** The same option with a default. */
export function withDefault<T>(option: Option<T>, value: T): Option<T, false> {
  const kind = kindOf(option)
  want(checkAs(kind, value) !== undefined, acceptsOf(kind), value)
  return { ...option, required: false, default: value }
}

interface Custom<T> {
  says: string
  accepts: string
  check: (value: unknown) => T | undefined
  /** The kind that a form shows; without it JSON cannot say such values. */
  as?: Kind
  parse?: (text: string) => unknown
}

/** What no kind above says: anything that `check` accepts, `accepts` in words. */
export function custom<T>(o: Custom<T> & { default: T }): Option<T, false>
export function custom<T>(o: Custom<T> & { optional: true }): Option<T | undefined, false>
export function custom<T>(o: Custom<T>): Option<T, true>
export function custom<T>(o: Custom<T> & Says<T> & { optional?: boolean }): Option<T> {
  const { accepts, check, as, parse } = saidBy(o)
  const isWhole = typeof accepts === 'string' && typeof check === 'function' && isMissingOr('function', parse)
  want(isWhole && (as === undefined || isTable(as)), '{ says, accepts: a text, check: a function }', o)
  return make({ kind: 'custom', holds: accepts, check, ...(as && { as }), ...(parse && { parse }) }, o)
}
