/** Shapes: plain lists of sizes, and the arithmetic of broadcasting, convolution and pooling. */

import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isListOf } from '../base/realm.ts'

export type Shape = readonly number[]

/** Number of elements. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, n) => product * n, 1)

/** `[2, 3]` as text. */
export const shapeText = (shape: Shape): string => `[${shape.join(', ')}]`

/** A list of sizes, integers >= 1; none are a scalar's. */
export const isShape = (value: unknown): value is Shape =>
  isListOf<number>(value, (n) => Number.isSafeInteger(n) && (n as number) > 0)

/** Throws E_SHAPE unless it is a shape. */
export function wantShape(shape: unknown, where: string): asserts shape is Shape {
  if (isShape(shape)) return
  throw new FoveaError('E_SHAPE', { what: 'a shape is a list of integers >= 1', where, got: show(shape) })
}

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, i) => n === b[i])

/** Steps between neighbours along each axis, in elements (row-major). */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step
    step *= shape[axis]
  }
  return strides
}

/** NumPy's broadcasting: aligned at the last axis, sizes equal or 1. */
export function broadcastShapes(shapes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length))
  const result = new Array<number>(rank).fill(1)
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const axis = rank - shape.length + i
      if (shape[i] === 1 || shape[i] === result[axis]) continue
      if (result[axis] !== 1) {
        throw new FoveaError('E_SHAPE', { what: `shapes ${shapes.map(shapeText).join(' and ')} do not broadcast` })
      }
      result[axis] = shape[i]
    }
  }
  return result
}

/** Strides that walk `shape` as if it had been broadcast to `target`: 0 along repeated axes. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const own = stridesOf(shape)
  const lead = target.length - shape.length
  return target.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : own[axis - lead]))
}

/**
 * How operands are walked in a loop over `shape`: axes of size 1 go, neighbours that all walk as one axis become one. Strides
 * are in elements, 0 along repeated axes.
 */
export function walk(shape: Shape, operands: readonly Shape[]): { sizes: number[]; strides: number[][] } {
  const { sizes, strides } = joinAxes(
    shape,
    operands.map((x) => broadcastStrides(x, shape)),
  )
  return sizes.length === 0 ? { sizes: [1], strides: operands.map(() => [0]) } : { sizes, strides }
}

/** Drops axes of size 1 and joins neighbours that all operands walk as one; `given` are their strides. */
export function joinAxes(
  shape: Shape,
  given: readonly (readonly number[])[],
): { sizes: number[]; strides: number[][] } {
  const sizes: number[] = []
  const strides: number[][] = given.map(() => [])
  shape.forEach((size, axis) => {
    if (size === 1) return
    const last = sizes.length - 1
    const fits = last >= 0 && given.every((own, i) => strides[i][last] === own[axis] * size)
    if (fits) sizes[last] *= size
    else sizes.push(size)
    for (const [i, own] of given.entries()) strides[i][fits ? last : last + 1] = own[axis]
  })
  return { sizes, strides }
}

/** An axis counted from the front; -1 is the last. */
export function axisOf(axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(axis) || result < 0 || result >= rank) {
    throw new FoveaError('E_SHAPE', { what: `axis ${axis} is out of range`, expected: `-${rank} to ${rank - 1}` })
  }
  return result
}

/** How the border is treated: none, TensorFlow's rule for output = ceil(input / stride), or [before, after] per axis. */
export type Padding = 'valid' | 'same' | readonly (readonly [number, number])[]

/** A sliding window, one entry per spatial axis. */
export interface Window {
  readonly window: readonly number[]
  readonly strides: readonly number[]
  readonly dilation: readonly number[]
  readonly padding: Padding
}

/** What a window does along one axis: all sizes in elements. */
export interface AxisWindow {
  readonly input: number
  readonly output: number
  readonly window: number
  readonly stride: number
  readonly dilation: number
  readonly before: number
  readonly after: number
}

/**
 * Resolves padding and output sizes along every spatial axis. 'same' is TensorFlow's rule: output = ceil(n / stride),
 * total padding = max((output - 1) * stride + extent - n, 0), the smaller half first.
 */
export function slide(input: Shape, { window, strides, dilation, padding }: Window): AxisWindow[] {
  for (const [name, list] of Object.entries({ window, strides, dilation })) {
    if (list.length === input.length && list.every((n) => Number.isInteger(n) && n > 0)) continue
    throw new FoveaError('E_SHAPE', {
      what: `${name} must be one integer >= 1 per spatial axis`,
      expected: `${input.length} entries`,
      got: shapeText(list),
    })
  }
  return input.map((n, axis) => {
    const stride = strides[axis]
    const extent = (window[axis] - 1) * dilation[axis] + 1
    let before = 0
    let after = 0
    if (padding === 'same') {
      const total = Math.max((Math.ceil(n / stride) - 1) * stride + extent - n, 0)
      before = Math.floor(total / 2)
      after = total - before
    } else if (padding !== 'valid') {
      ;[before, after] = padding[axis] ?? [-1, -1]
      if (!(Number.isInteger(before) && Number.isInteger(after) && before >= 0 && after >= 0)) {
        throw new FoveaError('E_SHAPE', { what: 'explicit padding must be [before, after] >= 0 per spatial axis' })
      }
    }
    const output = Math.floor((n + before + after - extent) / stride) + 1
    if (output <= 0) {
      throw new FoveaError('E_SHAPE', {
        what: `a window of ${extent} does not fit into a size of ${n + before + after}, the output would be empty`,
        got: `spatial size ${shapeText(input)}, window ${shapeText(window)}, dilation ${shapeText(dilation)}`,
        hint: "use padding 'same', a smaller window or fewer pooling layers",
      })
    }
    return { input: n, output, window: window[axis], stride, dilation: dilation[axis], before, after }
  })
}
