/** What a kernel is given, and the ways over tensors that several of them go. */
import type { StoredSpec } from '../../../graph/dtype.ts'
import type { AttrsOf } from '../../../graph/node.ts'
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import { sizeOf, stridesOf } from '../../../graph/shape.ts'

/** A tensor of the reference engine: always float64, whatever the dtype on the surface. */
export interface Tensor {
  readonly shape: Shape
  readonly data: Float64Array
}

export type Kernel<A> = (inputs: readonly Tensor[], y: Float64Array, attrs: A, spec: StoredSpec) => void
/** A kernel for each op of a table: forget one and it does not compile. */
export type Kernels<Ops> = { readonly [N in keyof Ops]: Kernel<AttrsOf<Ops[N]>> }

/** Calls `visit` with every index of `shape`, row-major; the same array each time. */
export function eachIndex(shape: Shape, visit: (index: number[], flat: number) => void): void {
  const index = shape.map(() => 0)
  const total = sizeOf(shape)
  for (let flat = 0; flat < total; flat++) {
    visit(index, flat)
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0
  }
}

/** Calls `visit` for each place of a window that is inside the input: its place in the window and in the input. */
export function eachInside(
  axes: readonly AxisWindow[],
  output: readonly number[],
  visit: (inWindow: number, inInput: number) => void,
): void {
  const inputStrides = stridesOf(axes.map((a) => a.input))
  eachIndex(
    axes.map((a) => a.window),
    (place, flat) => {
      let at = 0
      for (let axis = 0; axis < axes.length; axis++) {
        const { stride, dilation, before, input } = axes[axis]
        const i = output[axis] * stride + place[axis] * dilation - before
        if (i < 0 || i >= input) return
        at += i * inputStrides[axis]
      }
      visit(flat, at)
    },
  )
}
