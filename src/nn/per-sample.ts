/** What losses and metrics do alike: targets beside outputs, element by element, and one number per sample of it. */
import type { Node } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { sameShape, sizeOf } from '../graph/shape.ts'
import { reshape } from '../ops/broadcasting.ts'
import { expression, toFloat } from '../ops/elementwise.ts'
import { mean, sum } from '../ops/reduction.ts'
import { argument, s } from '../ops/scalar.ts'

/** Is there one number on both sides of a sample, however it is written, [] or [1]? */
export const isOneEach = (target: Shape, output: Shape): boolean => sizeOf(target) === 1 && sizeOf(output) === 1

/** Can a sample's target and output be compared element by element? */
export const areAlike = (target: Shape, output: Shape): boolean =>
  sameShape(target, output) || isOneEach(target, output)

/** Targets as numbers of the outputs' shape. */
export const valuesLike = (output: Node, target: Node): Node => reshape(toFloat(target), { shape: output.shape })

/** weight x, and 0 where the weight is 0: also where x is infinite, as the logarithm of a class that cannot be is. */
export function weighed(weight: Node, x: Node): Node {
  const [w, value] = [argument(0), argument(1)]
  return expression('weighed', [weight, x], s.select(s.equal(w, 0), 0, s.mul(w, value)), [value, w])
}

const allButFirst = (x: Node): number[] => x.shape.slice(1).map((_, i) => i + 1)

/** Means over all axes but the first: [n]. */
export const meanOfSample = (x: Node): Node => mean(x, { axes: allButFirst(x) })

/** Sums over all axes but the first: [n]. */
export const sumOfSample = (x: Node): Node => sum(x, { axes: allButFirst(x) })
