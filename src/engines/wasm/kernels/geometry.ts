/** Convolutions of rank 1 to 3 as rank 3, and the rows of windows that the product loops read. */
import type { Value } from '../../../compile/step.ts'
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import type { ConvolutionAttrs } from '../../../ops/convolution.ts'
import { convolutionAxes } from '../../../ops/convolution.ts'
import type { WasmStage } from '../kernel.ts'
import { scratch } from './context.ts'
import { bordered } from './movement.ts'
import type { Nest, Rows } from './register-tiles.ts'

export interface Geometry {
  readonly batch: number
  readonly channels: number
  readonly filters: number
  readonly groups: number
  /** Depth, height, width; missing ones first, of size 1. */
  readonly axes: readonly [AxisWindow, AxisWindow, AxisWindow]
}

const flatAxis: AxisWindow = { input: 1, output: 1, window: 1, stride: 1, dilation: 1, before: 0, after: 0 }

export function geometry(x: Shape, kernel: Shape, attrs: ConvolutionAttrs): Geometry {
  const axes = convolutionAxes(x, kernel, attrs)
  const three = [flatAxis, flatAxis, ...axes].slice(-3) as [AxisWindow, AxisWindow, AxisWindow]
  return {
    batch: x[0],
    channels: x[x.length - 1],
    filters: kernel[kernel.length - 1],
    groups: attrs.groups,
    axes: three,
  }
}

export const extent = ({ window, dilation }: AxisWindow): number => (window - 1) * dilation + 1

/** The rows of `windows` sliding over images of `size` with `channels`, `perGroup` of which are read at a time. */
export function windowRows(
  batch: number,
  size: readonly number[],
  channels: number,
  perGroup: number,
  axes: readonly Pick<AxisWindow, 'output' | 'stride' | 'window' | 'dilation'>[],
): Rows {
  const strideOf = [size[1] * size[2] * channels, size[2] * channels, channels]
  const outer: Nest = [
    { count: batch, stride: size[0] * strideOf[0] },
    { count: axes[0].output, stride: axes[0].stride * strideOf[0] },
    { count: axes[1].output, stride: axes[1].stride * strideOf[1] },
  ]
  const window: Nest = axes.map(({ window, dilation }, i) => ({ count: window, stride: dilation * strideOf[i] }))
  const together = axes[2].dilation === 1 && perGroup === channels // neighbours along the width are one run
  return {
    outer: outer.filter(({ count }) => count > 1),
    width: axes[2].output,
    stride: axes[2].stride * channels,
    runs: (together ? window.slice(0, 2) : window).filter(({ count }) => count !== 1),
    run: together ? axes[2].window * perGroup : perGroup,
  }
}

/** x with its zero border, or x itself where the windows never leave it. */
export function withBorder(
  x: Value,
  { batch, channels, axes }: Geometry,
): { stages: WasmStage[]; value: Value; size: number[] } {
  const input = axes.map((axis) => axis.input)
  const wanted = axes.map((axis) => (axis.output - 1) * axis.stride + extent(axis))
  if (axes.every((axis, i) => axis.before === 0 && wanted[i] <= axis.input))
    return { stages: [], value: x, size: input }
  const value = scratch(batch, ...wanted, channels)
  const along = axes.map((axis, i) => ({ from: axis.input, to: wanted[i], before: axis.before, step: 1 }))
  return { stages: [bordered(x, value, { batch, channels, along })], value, size: wanted }
}
