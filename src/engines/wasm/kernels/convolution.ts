/**
 * Convolution and its gradients by the two product loops, rank 1 to 3 as rank 3. Windows are read where they lie in a
 * zero-bordered copy of the input (no copy where no border is needed); the gradient for the input is the same product
 * over a bordered, spread dy with the kernel flipped as it is packed.
 */
import type { Buffer, Value } from '../../../compile/step.ts'
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { ConvolutionAttrs } from '../../../ops/convolution.ts'
import { convolutionAxes } from '../../../ops/convolution.ts'
import type { WasmStage } from '../kernel.ts'
import type { Lower, Lowering } from './context.ts'
import { scratch, tailBuffers, tailShape, tailStages } from './context.ts'
import { depthwise, depthwiseInputGradient, isDepthwise } from './depthwise.ts'
import { depthwiseKernelGradient } from './depthwise-gradient.ts'
import { bordered } from './movement.ts'
import { outerProducts } from './outer-products.ts'
import { pack, panelFloats } from './pack.ts'
import { rowProducts } from './row-products.ts'
import type { Nest, Rows } from './tiles.ts'

interface Geometry {
  readonly batch: number
  readonly channels: number
  readonly filters: number
  readonly groups: number
  /** Depth, height, width; missing ones first, of size 1. */
  readonly axes: readonly [AxisWindow, AxisWindow, AxisWindow]
}

/**
 * Fewer rows than this do not pay for packing a kernel that stays in the second cache: one picture's convolution of 128
 * to 128 channels at 8 x 8 takes 1.2 times as long with it. A larger one takes half as long when packed.
 */
const ROWS_FOR_LINES = 512
const FLOATS_FOR_LINES = 2 ** 18

const flatAxis: AxisWindow = { input: 1, output: 1, window: 1, stride: 1, dilation: 1, before: 0, after: 0 }

function geometry(x: Shape, kernel: Shape, attrs: ConvolutionAttrs): Geometry {
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

const extent = ({ window, dilation }: AxisWindow): number => (window - 1) * dilation + 1

/** The rows of `windows` sliding over images of `size` with `channels`, `perGroup` of which are read at a time. */
function windowRows(
  batch: number,
  size: readonly number[],
  channels: number,
  perGroup: number,
  axes: readonly AxisWindow[],
): Rows {
  const strideOf = [size[1] * size[2] * channels, size[2] * channels, channels]
  const outer: Nest = [
    { count: batch, stride: size[0] * strideOf[0] },
    { count: axes[0].output, stride: axes[0].stride * strideOf[0] },
    { count: axes[1].output, stride: axes[1].stride * strideOf[1] },
  ]
  const window: Nest = axes.map(({ window, dilation }, i) => ({ count: window, stride: dilation * strideOf[i] }))
  const together = axes[2].dilation === 1 && perGroup === channels // neighbours along the width lie in one run
  return {
    outer: outer.filter(({ count }) => count > 1),
    width: axes[2].output,
    stride: axes[2].stride * channels,
    runs: (together ? window.slice(0, 2) : window).filter(({ count }) => count > 1),
    run: together ? axes[2].window * perGroup : perGroup,
  }
}

/** x with its zero border, or x itself where the windows never leave it. */
function withBorder(
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

export const convolution: Lower<ConvolutionAttrs> = (step) => {
  const {
    inputs: [x, kernel],
    output,
    attrs,
  } = step
  const g = geometry(x.shape, kernel.shape, attrs)
  if (isDepthwise(g.axes, g)) {
    return depthwise({ ...g, tail: tailShape(step) }, { x, kernel, extras: tailBuffers(step), y: output })
  }
  const perGroup = g.channels / g.groups
  const filtersPerGroup = g.filters / g.groups
  const depth = g.axes.reduce((n, axis) => n * axis.window, perGroup)
  const source = withBorder(x, g)
  const product = (matrix: Buffer, weights: 'panels' | 'lines'): WasmStage =>
    rowProducts(
      {
        rows: windowRows(g.batch, source.size, g.channels, perGroup, g.axes),
        columns: { groups: g.groups, count: filtersPerGroup, groupStride: perGroup },
        weights,
        tail: tailShape(step),
      },
      { x: source.value.buffer, matrix, extras: tailBuffers(step), y: output.buffer },
    )
  const rows = sizeOf(output.shape) / g.filters
  if (rows <= ROWS_FOR_LINES && sizeOf(kernel.shape) <= FLOATS_FOR_LINES)
    return [...source.stages, product(kernel.buffer, 'lines')]
  const panels = scratch(panelFloats(g.groups, filtersPerGroup, depth))
  const packing = pack(
    {
      columns: { groups: g.groups, count: filtersPerGroup, groupStride: filtersPerGroup },
      blocks: { count: 1, start: 0, stride: 0, length: depth },
      depthStride: g.filters,
      columnStride: 1,
    },
    kernel.buffer,
    panels.buffer,
  )
  return [...source.stages, packing, product(panels.buffer, 'panels')]
}

export const convolutionInputGradient: Lower<ConvolutionAttrs & { readonly inputShape: Shape }> = (step) => {
  const {
    inputs: [dy, kernel],
    output,
    attrs,
  } = step
  const g = geometry(attrs.inputShape, kernel.shape, attrs)
  if (isDepthwise(g.axes, g)) {
    const own = g.filters === g.channels // else the tail follows the sum over a channel's filters
    const stages = depthwiseInputGradient(
      { ...g, tail: own ? tailShape(step) : undefined },
      { dy, kernel, extras: own ? tailBuffers(step) : [], dx: output },
    )
    return own ? stages : [...stages, ...tailStages(step)]
  }
  const perGroup = g.channels / g.groups
  const filtersPerGroup = g.filters / g.groups
  const windows = g.axes.reduce((n, axis) => n * axis.window, 1)
  // dy spread by the stride, with a border of what the window reaches beyond it
  const along = g.axes.map((axis) => ({
    from: axis.output,
    to: axis.input + extent(axis) - 1,
    before: extent(axis) - 1 - axis.before,
    step: axis.stride,
  }))
  const isPlain = along.every(({ from, to, before, step }) => from === to && before === 0 && step === 1)
  const spread = isPlain ? dy : scratch(g.batch, ...along.map(({ to }) => to), g.filters)
  const panels = scratch(panelFloats(g.groups, perGroup, windows * filtersPerGroup))
  const packing = pack(
    {
      columns: { groups: g.groups, count: perGroup, groupStride: filtersPerGroup },
      blocks: {
        count: windows,
        start: (windows - 1) * perGroup * g.filters,
        stride: -perGroup * g.filters,
        length: filtersPerGroup,
      },
      depthStride: 1,
      columnStride: g.filters,
    },
    kernel.buffer,
    panels.buffer,
  )
  const axes = g.axes.map((axis) => ({ ...axis, output: axis.input, stride: 1 }))
  const product = rowProducts(
    {
      rows: windowRows(
        g.batch,
        along.map(({ to }) => to),
        g.filters,
        filtersPerGroup,
        axes,
      ),
      columns: { groups: g.groups, count: perGroup, groupStride: filtersPerGroup },
      tail: tailShape(step),
    },
    { x: spread.buffer, matrix: panels.buffer, extras: tailBuffers(step), y: output.buffer },
  )
  const border = isPlain ? [] : [bordered(dy, spread, { batch: g.batch, channels: g.filters, along })]
  return [...border, packing, product]
}

export const convolutionKernelGradient: Lower<ConvolutionAttrs & { readonly kernelShape: Shape }> = (
  step: Lowering<ConvolutionAttrs & { readonly kernelShape: Shape }>,
) => {
  const {
    inputs: [x, dy],
    output,
    attrs,
  } = step
  const g = geometry(x.shape, attrs.kernelShape, attrs)
  if (isDepthwise(g.axes, g)) return [...depthwiseKernelGradient(g, { x, dy, dkernel: output }), ...tailStages(step)]
  const perGroup = g.channels / g.groups
  const source = withBorder(x, g)
  const product = outerProducts(
    {
      rows: windowRows(g.batch, source.size, g.channels, perGroup, g.axes),
      columns: { groups: g.groups, count: g.filters / g.groups, groupStride: perGroup },
    },
    { x: source.value.buffer, dy: dy.buffer, w: output.buffer },
  )
  return [...source.stages, product, ...tailStages(step)]
}
