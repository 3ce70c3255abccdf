/** Sums over rows that stay exact, and what is made of sums. */
import type { Node } from '../../graph/node.ts'
import { reshape } from '../../ops/broadcasting.ts'
import { expression } from '../../ops/elementwise.ts'
import { concat } from '../../ops/movement.ts'
import { sum } from '../../ops/reduction.ts'
import { argument, s } from '../../ops/scalar.ts'
import type { Sums } from './row.ts'

/** Whole numbers up to this are exact in float32. */
const EXACT = 2 ** 24
const CARRY = 4096
const carryOf = (name: string): string => `${name}/carry`

/**
 * Sums over rows, [rows, ...] -> [...], as one or two of `SummedRow.sums`. Counts of more rows than float32 tells apart are
 * exact too, as far as those of a sample are: thousands are summed apart.
 */
export function totals(
  name: string,
  x: Node,
  { samples }: { readonly samples: number },
  exact = EXACT,
): Record<string, Node> {
  const [rows, ...rest] = x.shape
  if (rows <= exact) return { [name]: sum(x, { axes: [0] }) }
  const ofSamples = sum(reshape(x, { shape: [samples, rows / samples, ...rest] }), { axes: [1] })
  const thousands = s.floor(s.div(argument(0), CARRY))
  const carried = expression('thousands', [ofSamples], thousands)
  const left = expression('left', [ofSamples], s.sub(argument(0), s.mul(CARRY, thousands)))
  return { [name]: sum(left, { axes: [0] }), [carryOf(name)]: sum(carried, { axes: [0] }) }
}

/** What `totals` made of a sum, whole again. */
export function totalOf(sums: Sums, name: string): Float64Array {
  const carried: ArrayLike<number> | undefined = sums[carryOf(name)]
  return Float64Array.from(sums[name], (x, i) => x + CARRY * (carried?.[i] ?? 0))
}

/** a / b, and 0 where b is 0. */
export const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b)

export const meanOf = (values: ArrayLike<number>): number => ratio(total(values), values.length)

export const total = (values: ArrayLike<number>): number => Array.prototype.reduce.call(values, add, 0) as number
const add = (a: unknown, b: unknown): number => (a as number) + (b as number)

/** Numbers that may lie between scores and sums at a time. */
const BLOCK = 2 ** 18

/**
 * Sums for `count` thresholds, bins or classes, with `each` numbers for each of them in between: so many at a time that memory
 * stays bounded, one after the other along `axis`.
 */
export function inBlocks(
  { count, each, axis = 0 }: { readonly count: number; readonly each: number; readonly axis?: number },
  part: (from: number, size: number) => Readonly<Record<string, Node>>,
): Record<string, Node> {
  const most = Math.min(count, Math.max(1, Math.floor(BLOCK / each)))
  const parts = Array.from({ length: Math.ceil(count / most) }, (_, i) =>
    part(i * most, Math.min(most, count - i * most)),
  )
  return Object.fromEntries(
    Object.keys(parts[0]).map((name) => [
      name,
      concat(
        parts.map((own) => own[name]),
        { axis },
      ),
    ]),
  )
}
