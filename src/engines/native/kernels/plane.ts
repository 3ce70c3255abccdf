/** Convolutions over pictures as the addon's own loops describe them. */
import type { Value } from '../../../compile/step.ts'
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import type { Tail } from './context.ts'

/** A name for people. */
export const where = (op: string, ...shapes: readonly Shape[]): string =>
  `${op} ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' ')}`

const unit: AxisWindow = { input: 1, output: 1, window: 1, stride: 1, dilation: 1, before: 0, after: 0 }
/** Axes that are not there come first, of size 1. */
export const threeAxes = (axes: readonly AxisWindow[]): readonly AxisWindow[] => [
  ...Array<AxisWindow>(3 - axes.length).fill(unit),
  ...axes,
]

/** The fields of a convolution over pictures, or of a gradient. */
export const planeFields = (kind: string, name: string, x: Value, y: Value, axes: readonly AxisWindow[]) => ({
  kind,
  where: name,
  images: x.shape[0],
  channels: x.shape[x.shape.length - 1],
  filters: y.shape[y.shape.length - 1],
  input: axes.map((a) => a.input),
  output: axes.map((a) => a.output),
  window: axes.map((a) => a.window),
  before: axes.map((a) => a.before),
})

/** A convolution of `source`: of x by the kernel, or of dy by the kernel turned round. */
export interface Convolved {
  readonly source: Value
  readonly kernel: Value
  readonly bias?: Value | undefined
  readonly tail?: Tail | undefined
  readonly output: Value
}

/** The gradient of a kernel; where `bias` is there, that of the bias comes along. */
export interface KernelGradient {
  readonly x: Value
  readonly dy: Value
  readonly output: Value
  readonly bias: Value | undefined
}
