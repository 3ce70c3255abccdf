/** Movement: the same numbers in other places. */
import { FoveaError } from '../base/errors.ts'
import { integer, list, number } from '../base/options.ts'
import type { FloatDType } from '../graph/dtype.ts'
import { withinFloat32 } from '../graph/dtype.ts'
import type { Attrs, Node, Op } from '../graph/node.ts'
import { defineOp, oneByOne } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { axisOf, sameShape, shapeText } from '../graph/shape.ts'
import { borders, lastAxis, nodeArgument, placeList, sizeList, values } from './arguments.ts'
import { broadcastTo, reshape } from './broadcasting.ts'
import { op } from './checked.ts'
import { cast, isCast } from './elementwise.ts'

/** Axes in another order: axis i of the result is axis `permutation[i]` of x. */
export const transpose: Op<1, { readonly permutation: readonly number[] }> = defineOp('transpose', 1, {
  infer: ([x], { permutation }) => {
    const sorted = [...permutation].sort((a, b) => a - b)
    if (sorted.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
      throw new FoveaError('E_SHAPE', {
        what: 'permutation must name every axis once',
        expected: `${x.shape.length} axes`,
        got: shapeText(permutation),
      })
    }
    return { shape: permutation.map((axis) => x.shape[axis]), dtype: x.dtype }
  },
  gradient: (dy, _, __, { permutation }) => [
    transpose(dy, { permutation: permutation.map((_, axis) => permutation.indexOf(axis)) }),
  ],
  simplify: ([x], { permutation }) => (permutation.every((axis, i) => axis === i) ? x : undefined),
  precision: { reads: 'alike', gives: 'any' },
  samples: [
    { shapes: [[3, 5]], attrs: { permutation: [1, 0] } },
    { shapes: [[2, 3, 4, 5]], attrs: { permutation: [0, 3, 1, 2] } },
    { shapes: [[2, 3, 4]], attrs: { permutation: [2, 0, 1] } },
    { shapes: [[2, 3, 8]], attrs: { permutation: [1, 0, 2] } },
  ],
})

/** A function of the last axis, over another one. */
export function overAxis(axis: number, x: Node, f: (x: Node) => Node): Node {
  const [wanted, last] = [axisOf(axis, x.shape.length), x.shape.length - 1]
  if (wanted === last) return f(x)
  const permutation = x.shape
    .map((_, i) => i)
    .with(wanted, last)
    .with(last, wanted)
  return transpose(f(transpose(x, { permutation })), { permutation })
}

/** [before, after] zeros (or `value`s) along every axis. */
export const pad: Op<1, { readonly padding: readonly (readonly [number, number])[]; readonly value?: number }> =
  defineOp('pad', 1, {
    infer: ([x], { padding, value = 0 }) => {
      withinFloat32(value)
      if (padding.length !== x.shape.length || !padding.flat().every((n) => Number.isInteger(n) && n >= 0)) {
        throw new FoveaError('E_SHAPE', { what: 'padding must be [before, after] >= 0 for every axis' })
      }
      return { shape: x.shape.map((n, axis) => n + padding[axis][0] + padding[axis][1]), dtype: x.dtype }
    },
    gradient: (dy, _, [x], { padding }) => [slice(dy, { begin: padding.map(([before]) => before), size: x.shape })],
    simplify: ([x], _, spec) => (sameShape(x.shape, spec.shape) ? x : undefined),
    precision: { reads: 'alike', gives: 'any' },
    window: oneByOne,
    samples: [
      {
        shapes: [[2, 3]],
        attrs: {
          padding: [
            [1, 2],
            [0, 1],
          ],
          value: 2,
        },
      },
      {
        shapes: [[2, 3, 3, 5]],
        attrs: {
          padding: [
            [0, 0],
            [1, 1],
            [2, 0],
            [0, 0],
          ],
        },
      },
    ],
  })

/** A box of x: `size` elements from `begin` along every axis. */
export const slice: Op<1, { readonly begin: readonly number[]; readonly size: Shape }> = defineOp('slice', 1, {
  infer: ([x], { begin, size }) => {
    const inside = x.shape.every(
      (n, axis) => Number.isInteger(begin[axis]) && begin[axis] >= 0 && size[axis] > 0 && begin[axis] + size[axis] <= n,
    )
    if (!inside || begin.length !== x.shape.length || size.length !== x.shape.length) {
      throw new FoveaError('E_SHAPE', {
        what: 'the box is outside of x',
        expected: `a box within ${shapeText(x.shape)}`,
        got: `begin ${shapeText(begin)}, size ${shapeText(size)}`,
      })
    }
    return { shape: size, dtype: x.dtype }
  },
  gradient: (dy, _, [x], { begin, size }) => [
    pad(dy, { padding: x.shape.map((n, axis) => [begin[axis], n - begin[axis] - size[axis]] as const) }),
  ],
  simplify: ([x], box, spec) => {
    if (sameShape(x.shape, spec.shape)) return x
    return isCast(x) ? cast(slice(x.inputs[0], box), x.dtype as FloatDType) : undefined // fewer elements to cast
  },
  precision: { reads: 'alike', gives: 'any' },
  role: 'part',
  window: oneByOne,
  samples: [
    { shapes: [[4, 5]], attrs: { begin: [1, 2], size: [2, 3] } },
    { shapes: [[2, 4, 4, 3]], attrs: { begin: [0, 1, 0, 0], size: [2, 2, 4, 3] } },
  ],
})

export interface Axis extends Attrs {
  readonly axis: number
}

export const concatOp: Op<number, Axis> = defineOp('concat', 'several', {
  infer: (inputs, { axis }) => {
    const [first] = inputs
    for (const { shape, dtype } of inputs) {
      const isAlike = shape.length === first.shape.length && dtype === first.dtype
      if (isAlike && sameShape(shape.with(axis, 0), first.shape.with(axis, 0))) continue
      throw new FoveaError('E_SHAPE', {
        what: `inputs may only differ along axis ${axis}`,
        got: inputs.map((x) => `${x.dtype} ${shapeText(x.shape)}`).join(' and '),
      })
    }
    return {
      shape: first.shape.with(
        axis,
        inputs.reduce((n, x) => n + x.shape[axis], 0),
      ),
      dtype: first.dtype,
    }
  },
  gradient: (dy, _, inputs, { axis }) => {
    let at = 0
    return inputs.map(({ shape }) => {
      const begin = shape.map(() => 0).with(axis, at)
      at += shape[axis]
      return slice(dy, { begin, size: shape })
    })
  },
  simplify: (inputs) => (inputs.length === 1 ? inputs[0] : undefined),
  precision: { reads: 'alike', gives: 'any' },
  window: oneByOne,
  samples: [
    {
      shapes: [
        [2, 3],
        [2, 5],
      ],
      attrs: { axis: 1 },
    },
    {
      shapes: [
        [2, 3, 4],
        [1, 3, 4],
        [2, 3, 4],
      ],
      attrs: { axis: 0 },
    },
    {
      shapes: [
        [1, 2, 2, 3],
        [1, 2, 2, 4],
      ],
      attrs: { axis: 3 },
    },
  ],
})

/** Inputs one after the other along an axis (default: the last). */
export function concat(inputs: readonly Node[], { axis = -1 }: { readonly axis?: number } = {}): Node {
  if (inputs.length === 0) throw new FoveaError('E_GRAPH', { what: 'concat of nothing' })
  return concatOp(inputs, { axis: axisOf(axis, inputs[0].shape.length) })
}

/** What engines compute. */
export const movementPrimitives = { transpose, pad, slice, concat: concatOp, broadcastTo } as const

/** What users call. */
export const movementPublic = {
  reshape: op({
    says: 'The same values in row-major order under another shape.',
    takes: { x: values },
    attrs: { shape: list(integer({ says: 'a size', min: -1 }), { says: 'the sizes; one of them may be -1' }) },
    call: reshape,
  }),
  transpose: op({
    says: 'Axes in another order: axis i of the result is axis permutation[i] of x.',
    takes: { x: values },
    attrs: { permutation: placeList('every axis once') },
    call: transpose,
  }),
  pad: op({
    says: 'Zeros, or one other value, before and after along every axis.',
    takes: { x: values },
    attrs: { padding: borders, value: number({ says: 'what fills it; 0 when absent', optional: true }) },
    call: pad,
  }),
  slice: op({
    says: 'A box of x: size elements from begin along every axis.',
    takes: { x: values },
    attrs: { begin: placeList('the first place, one per axis'), size: sizeList('how many, one per axis') },
    call: slice,
  }),
  concat: op({
    says: 'Inputs one after the other along an axis.',
    takes: { inputs: list(nodeArgument('values'), { says: 'one node or more', length: { min: 1 } }) },
    attrs: { axis: lastAxis },
    call: concat,
  }),
  broadcastTo: op({
    says: 'Repeated along axes of size 1 and new leading axes.',
    takes: { x: values },
    attrs: { shape: sizeList('the shape') },
    call: broadcastTo,
  }),
} as const
