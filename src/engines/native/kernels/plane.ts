/** Convolutions over pictures as the addon's own loops describe them. */
import type { Value } from '../../../compile/step.ts'
import type { AxisWindow, Shape } from '../../../graph/shape.ts'

/** A name for people. */
export const where = (op: string, ...shapes: readonly Shape[]): string =>
  `${op} ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' ')}`

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
