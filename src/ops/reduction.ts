/** Reductions. The primitives take one run of neighbouring axes, [from, to), and drop it; the functions take any axes. */

import { flag, list } from '../base/options.ts'
import type { Node, Op } from '../graph/node.ts'
import { constant, defineOp, wantFloats } from '../graph/node.ts'
import { axisOf, sizeOf } from '../graph/shape.ts'
import { axis, lastAxis, values } from './arguments.ts'
import type { AxisRun } from './broadcasting.ts'
import { dropped, reshape, runSamples, runsOf, spread, sumRun } from './broadcasting.ts'
import { op } from './checked.ts'
import { div, equal, mul } from './elementwise.ts'
import { transpose } from './movement.ts'

/** Largest value over a run of axes; NaN passes. The gradient is shared equally between ties. */
export const maxRun: Op<1, AxisRun> = defineOp('max', 1, {
  infer: ([x], run) => {
    wantFloats([x])
    return { shape: dropped(x, run), dtype: 'float32' }
  },
  gradient: (dy, y, [x], run) => {
    const hits = equal(x, spread(y, x, run))
    return [mul(hits, spread(div(dy, sumRun(hits, run)), x, run))]
  },
  precision: { reads: 'any' },
  samples: [...runSamples],
})

/** Place of the first largest value along a run of axes, row-major within it. */
export const argmaxRun: Op<1, AxisRun> = defineOp('argmax', 1, {
  infer: ([x], run) => {
    wantFloats([x])
    return { shape: dropped(x, run), dtype: 'int32' }
  },
  gradient: () => [undefined],
  precision: { reads: 'any' },
  samples: [...runSamples],
})

export interface ReduceOptions {
  /** Axes to reduce, negative ones from the end; all of them when absent. */
  axes?: readonly number[]
  /** Keep reduced axes with size 1. */
  keepDims?: boolean
}

function reduce(
  op: Op<1, AxisRun>,
  x: Node,
  { axes = x.shape.map((_, i) => i), keepDims = false }: ReduceOptions,
): Node {
  const rank = x.shape.length
  const marked = x.shape.map(() => false)
  for (const axis of axes) marked[axisOf(axis, rank)] = true
  const result = runsOf(marked).reduce((sofar, run) => op(sofar, run), x)
  return keepDims ? reshape(result, { shape: x.shape.map((n, axis) => (marked[axis] ? 1 : n)) }) : result
}

export const sum = (x: Node, options: ReduceOptions = {}): Node => reduce(sumRun, x, options)

/** Largest values. Over several axes too the gradient is shared equally between all ties (PyTorch's amax). */
export function max(x: Node, options: ReduceOptions = {}): Node {
  const { shape, permutation, run } = gathered(x, options.axes)
  if (!permutation) return reduce(maxRun, x, options)
  const most = maxRun(transpose(x, { permutation }), run)
  return options.keepDims ? reshape(most, { shape }) : most
}

/** Axes that are not side by side, brought together at the end: one run; `shape` has them with size 1. */
function gathered({ shape }: Node, axes: readonly number[] = []) {
  const reduced = new Set(axes.map((axis) => axisOf(axis, shape.length)))
  const others = shape.map((_, axis) => axis).filter((axis) => !reduced.has(axis))
  const isApart = runsOf(shape.map((_, axis) => reduced.has(axis))).length > 1
  return {
    shape: shape.map((n, axis) => (reduced.has(axis) ? 1 : n)),
    run: { from: others.length, to: shape.length },
    ...(isApart && { permutation: [...others, ...[...reduced].sort((a, b) => a - b)] }),
  }
}

export function mean(x: Node, options: ReduceOptions = {}): Node {
  const total = sum(x, options)
  return mul(total, constant(sizeOf(total.shape) / sizeOf(x.shape)))
}

/** Index of the first largest value along one axis (default: the last), as int32. */
export function argmax(x: Node, axis = -1): Node {
  const from = axisOf(axis, x.shape.length)
  return argmaxRun(x, { from, to: from + 1 })
}

/** What engines compute. */
export const reductionPrimitives = { sum: sumRun, max: maxRun, argmax: argmaxRun } as const

/** `ReduceOptions` as options. */
export const reduceAttrs = {
  axes: list(axis, { says: 'axes to reduce; all of them when absent', optional: true }),
  keepDims: flag({ says: 'keep reduced axes with size 1', default: false }),
}

/** What users call. */
export const reductionPublic = {
  sum: op({ says: 'The sum over axes.', takes: { x: values }, attrs: reduceAttrs, call: sum }),
  mean: op({ says: 'The mean over axes.', takes: { x: values }, attrs: reduceAttrs, call: mean }),
  max: op({
    says: 'The largest value over axes; ties share the gradient.',
    takes: { x: values },
    attrs: reduceAttrs,
    call: max,
  }),
  argmax: op({
    says: 'The index of the first largest value along one axis, as int32.',
    takes: { x: values, axis: lastAxis },
    call: argmax as (x: Node, axis?: number) => Node,
  }),
} as const
