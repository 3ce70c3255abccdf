/** Views, repetition and its opposite, the sum: each other's gradients, and what every broadcasting op leans on. */
import { FoveaError } from '../base/errors.ts'
import type { StoredSpec } from '../graph/dtype.ts'
import type { Node, Op } from '../graph/node.ts'
import { defineOp, isA, wantFloats } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { broadcastShapes, sameShape, shapeText, sizeOf } from '../graph/shape.ts'

/** The same elements in row-major order under another shape; one size may be -1. */
export const reshapeOp: Op<1, { readonly shape: Shape }> = defineOp('reshape', 1, {
  kind: 'view',
  infer: ([x], { shape }) => {
    if (sizeOf(shape) !== sizeOf(x.shape) || !shape.every((n) => Number.isInteger(n) && n > 0)) {
      throw new FoveaError('E_SHAPE', {
        what: 'the number of elements differs',
        expected: `${sizeOf(x.shape)} elements ${shapeText(x.shape)}`,
        got: `${sizeOf(shape)} ${shapeText(shape)}`,
      })
    }
    return { shape, dtype: x.dtype }
  },
  gradient: (dy, _, [x]) => [reshapeOp(dy, { shape: x.shape })],
  simplify: ([x], { shape }) =>
    sameShape(x.shape, shape) ? x : isA(x, reshapeOp) ? reshapeOp(x.inputs[0], { shape }) : undefined,
  precision: { reads: 'alike', gives: 'any' },
  samples: [{ shapes: [[2, 6]], attrs: { shape: [3, 4] } }],
})

export function reshape(x: Node, { shape }: { readonly shape: Shape }): Node {
  const unknown = shape.indexOf(-1)
  if (unknown < 0) return reshapeOp(x, { shape })
  const rest = sizeOf(shape.filter((_, i) => i !== unknown))
  return reshapeOp(x, { shape: shape.map((n, i) => (i === unknown ? Math.floor(sizeOf(x.shape) / rest) : n)) })
}

/** Repeated along axes of size 1 and new leading axes, as NumPy broadcasts. */
export const broadcastTo: Op<1, { readonly shape: Shape }> = defineOp('broadcastTo', 1, {
  infer: ([x], { shape }) => {
    if (!sameShape(broadcastShapes([x.shape, shape]), shape)) {
      throw new FoveaError('E_SHAPE', { what: `${shapeText(x.shape)} does not broadcast to ${shapeText(shape)}` })
    }
    return { shape, dtype: x.dtype }
  },
  gradient: (dy, _, [x]) => [sumTo(dy, x.shape)],
  simplify: ([x], { shape }) => (sameShape(x.shape, shape) ? x : undefined),
  repeats: true,
  precision: { reads: 'alike', gives: 'any' },
  samples: [
    { shapes: [[3, 1]], attrs: { shape: [2, 3, 4] } },
    { shapes: [[5]], attrs: { shape: [3, 5] } },
    { shapes: [[1]], attrs: { shape: [7] } },
  ],
})

export interface AxisRun {
  /** First axis that is reduced. */
  readonly from: number
  /** The axis after the last one. */
  readonly to: number
}

/** A shape seen as [outer, reduced, inner]. */
export const around = (shape: Shape, { from, to }: AxisRun): [outer: number, count: number, inner: number] => [
  sizeOf(shape.slice(0, from)),
  sizeOf(shape.slice(from, to)),
  sizeOf(shape.slice(to)),
]

export const dropped = ({ shape }: StoredSpec, { from, to }: AxisRun): Shape => [
  ...shape.slice(0, from),
  ...shape.slice(to),
]

/** `x` of the reduced shape, spread again over the shape it was reduced from. */
export function spread(x: Node, like: Node, { from, to }: AxisRun): Node {
  return broadcastTo(reshape(x, { shape: kept(like.shape, from, to) }), { shape: like.shape })
}

const kept = (shape: Shape, from: number, to: number): number[] =>
  shape.map((n, axis) => (axis >= from && axis < to ? 1 : n))

export const runSamples = [
  { shapes: [[3, 5]], attrs: { from: 1, to: 2 } },
  { shapes: [[7, 6]], attrs: { from: 0, to: 1 } },
  { shapes: [[2, 3, 4, 5]], attrs: { from: 1, to: 3 } },
  { shapes: [[2, 9]], attrs: { from: 0, to: 2 } },
  { shapes: [[1100, 3]], attrs: { from: 0, to: 1 } },
  { shapes: [[2, 1029]], attrs: { from: 1, to: 2 } },
] as const

/** Sum over a run of axes: fixed chunks by size, combined in order. */
export const sumRun: Op<1, AxisRun> = defineOp('sum', 1, {
  infer: ([x], run) => {
    wantFloats([x])
    return { shape: dropped(x, run), dtype: 'float32' }
  },
  gradient: (dy, _, [x], run) => [spread(dy, x, run)],
  simplify: ([x], _, spec) => (sizeOf(x.shape) === sizeOf(spec.shape) ? reshape(x, spec) : undefined),
  fuses: { head: true },
  role: 'sum',
  precision: { reads: 'any' },
  samples: [...runSamples],
})

/** Undoes a broadcast: sums over the axes along which `shape` was repeated. */
export function sumTo(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x
  const lead = x.shape.length - shape.length
  const repeated = x.shape.map((n, axis) => axis < lead || (shape[axis - lead] === 1 && n !== 1))
  return reshapeOp(sumOver(x, repeated), { shape })
}

/** Sums over the marked axes, a run of neighbours at a time, and drops them. */
export function sumOver(x: Node, marked: readonly boolean[]): Node {
  return runsOf(marked).reduce((result, run) => sumRun(result, run), x)
}

/** The runs of marked axes, the last one first, so that dropping one does not move the others. */
export function runsOf(marked: readonly boolean[]): AxisRun[] {
  const runs: AxisRun[] = []
  for (let to = marked.length; to > 0; to--) {
    if (!marked[to - 1]) continue
    let from = to - 1
    while (from > 0 && marked[from - 1]) from--
    runs.push({ from, to })
    to = from
  }
  return runs
}
