/**
 * What the two product loops share. Matmul and convolution are both sums of products over "rows", places in memory from
 * which runs of floats are read in place (no unfolding of patches):
 *
 *   rowProducts:   y[row, column] = sum over k of x[row + place(k)] * panel[k, column], weights packed in panels
 *   outerProducts: w[k, column] = sum over rows of x[row + place(k)] * y[row, column]
 *
 * Register tiles of up to 6 rows by 2 vectors: 12 sums, 2 vectors and 1 splat fit the 15 registers that V8 has to give.
 */
import type { Code } from '../assembler.ts'
import type { FunctionWriter, Local } from '../function.ts'
import { f32x4, i32 } from '../instructions.ts'
import { FLOAT, storeFloats } from '../vectors.ts'

export const TILE_ROWS = 6
export const TILE_VECTORS = 2

/** Nested steps through memory: `count` times `stride` floats, the outermost first. */
export type Nest = readonly { readonly count: number; readonly stride: number }[]

export const turns = (nest: Nest): number => nest.reduce((product, { count }) => product * count, 1)

/** Where rows start, and what is read from each. Everything in floats. */
export interface Rows {
  /** Row (o, p) starts at the place of o in `outer` plus p * `stride`; p in 0 .. `width` - 1. */
  readonly outer: Nest
  readonly width: number
  readonly stride: number
  /** The place of the first row; 0 when absent. */
  readonly start?: number
  /** From each row: runs of `run` floats at the places of this nest. k counts through them. */
  readonly runs: Nest
  readonly run: number
}

export interface Columns {
  readonly groups: number
  /** Columns per group. */
  readonly count: number
  /** Floats from a group's rows to the next group's. */
  readonly groupStride: number
}

/** Bytes of the place that flat index `index` has in a nest. */
export function placeOf(index: Code, nest: Nest): Code {
  let rest = index
  let place: Code = i32.const(0)
  for (let i = nest.length - 1; i >= 0; i--) {
    const { count, stride } = nest[i]
    if (stride !== 0 && count > 1) place = i32.add(place, i32.mul(i > 0 ? i32.rem(rest, count) : rest, stride * FLOAT))
    rest = i32.div(rest, count)
  }
  return place
}

/** `body` for every turn of a nest, with `address` moved along. */
export function overNest(f: FunctionWriter, nest: Nest, address: Local, body: Code): Code {
  return nest.reduceRight<Code>((inner, { count, stride }) => {
    const step = address.set(i32.add(address.get, stride * FLOAT))
    const back = address.set(i32.add(address.get, -count * stride * FLOAT))
    return count === 1 ? inner : [f.times(count, () => [inner, step]), back]
  }, body)
}

export const grid = (f: FunctionWriter, rows: number, vectors: number): Local[][] =>
  Array.from({ length: rows }, () => Array.from({ length: vectors }, () => f.local('v128')))

export const zeroed = (sums: Local[][]): Code => sums.flat().map((sum) => sum.set(f32x4.const(0)))

/** Products that are added to one another; so many sums of them are then added, so many of those, and so on: no chain is long. */
const PIECE = 512
export const PIECES = 64

/** Code that adds what `count` turns give to `totals`; `add(n)` adds that of n turns to `sums`, `first` of them at most. */
export function inPieces(
  f: FunctionWriter,
  count: number,
  sums: Local[][],
  add: (turns: number) => Code,
  first = PIECE,
): { totals: Local[][]; code: Code } {
  const levels = [sums]
  for (let size = first; size < count; size *= PIECES) levels.push(grid(f, sums.length, sums[0].length))
  const into = (level: number, n: number): Code => {
    if (level === 0) return add(n)
    const size = first * PIECES ** (level - 1)
    const piece = (turns: number): Code =>
      turns > 0 ? summedTo(levels[level], levels[level - 1], into(level - 1, turns)) : []
    return [f.times(Math.floor(n / size), () => piece(size)), piece(n % size)]
  }
  return { totals: levels[levels.length - 1], code: into(levels.length - 1, count) }
}

/** What `code` adds to `sums`, as one number each to `totals`. */
export const summedTo = (totals: Local[][], sums: Local[][], code: Code): Code => [
  zeroed(sums),
  code,
  totals.map((line, r) => line.map((total, v) => total.set(f32x4.add(total.get, sums[r][v].get)))),
]

/** The last steps of a nest that make about one piece with `run` at the end of each, and those before; a step may be cut evenly. */
export function pieceOf(nest: Nest, run: number): { before: Nest; within: Nest } {
  let size = run
  for (let at = nest.length - 1; at >= 0; at--) {
    const { count, stride } = nest[at]
    if (size >= PIECE / 2) return { before: nest.slice(0, at + 1), within: nest.slice(at + 1) }
    const turns = Math.floor(PIECE / size)
    const own = count > 2 * turns ? largestDivisor(count, turns) : count
    size *= own > 1 ? own : count
    if (own === 1 || own === count) continue
    const before = [...nest.slice(0, at), { count: count / own, stride: own * stride }]
    return { before, within: [{ count: own, stride }, ...nest.slice(at + 1)] }
  }
  return { before: [], within: nest }
}
/** Of those up to `most`. */
const largestDivisor = (n: number, most: number): number => (n % most === 0 ? most : largestDivisor(n, most - 1))

/** Splits `count` turns into a loop of `unroll` at a time and the rest written out; `body(i)` is turn i of a group. */
export function unrolled(
  f: FunctionWriter,
  count: number,
  unroll: number,
  body: (i: number) => Code,
  advance: (turns: number) => Code,
): Code {
  const group = count <= 2 * unroll ? count : unroll
  const full = Math.floor(count / group)
  const rest = count % group
  const written = (n: number): Code => [Array.from({ length: n }, (_, i) => body(i)), n > 0 ? advance(n) : []]
  return [full === 1 ? written(group) : f.times(full, () => written(group)), written(rest)]
}

/** Two cases that differ by one in size, chosen at run time; only what occurs is written. */
export function eitherSize(
  f: FunctionWriter,
  cut: { count: number; size: number; large: number },
  index: Code,
  body: (size: number) => Code,
): Code {
  if (cut.large === cut.count) return body(cut.size)
  return f.if(i32.lessUnsigned(index, i32.const(cut.large)), body(cut.size), body(cut.size - 1))
}

/** Index of the first of part `index` in an even cut. */
export const startOf = (index: Local, { size, large, count }: { count: number; size: number; large: number }): Code =>
  large === count
    ? i32.mul(index.get, size)
    : [i32.add(i32.mul(index.get, size - 1), i32.min(index.get, i32.const(large)))]

/** How a tile stores vector `v`, `offset` bytes from its first: cut at the last column of a group. */
export function columnStore(f: FunctionWriter, { count }: Columns, firstVector: Local) {
  const lanes = count % 4
  const last = i32.const(Math.ceil(count / 4) - 1)
  return (address: Code, value: Local, v: number, offset: number): Code => {
    const whole = storeFloats(address, value, 4, offset)
    if (lanes === 0) return whole
    return f.if(i32.equal(i32.add(firstVector.get, v), last), storeFloats(address, value, lanes, offset), whole)
  }
}
