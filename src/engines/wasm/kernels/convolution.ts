/**
 * Convolution and the gradient of its kernel by the two product loops. Windows are read where they are in a
 * zero-bordered copy of the input (no copy where no border is needed).
 */
import type { Buffer } from '../../../compile/step.ts'
import type { Shape } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { ConvolutionAttrs, convolutionPrimitives } from '../../../ops/convolution.ts'
import type { WasmStage } from '../kernel.ts'
import type { Kernels, Lower, Lowering } from './context.ts'
import { scratch, tailBuffers, tailShape, tailStages } from './context.ts'
import { depthwise, isDepthwise } from './depthwise.ts'
import { depthwiseKernelGradient } from './depthwise-gradient.ts'
import { geometry, windowRows, withBorder } from './geometry.ts'
import { convolutionInputGradient } from './input-gradient.ts'
import { outerProducts } from './outer-products.ts'
import { pack, panelFloats } from './pack.ts'
import { rowProducts } from './row-products.ts'

/**
 * Fewer rows than this do not pay for packing a kernel that stays in the second cache: one picture's convolution of 128
 * to 128 channels at 8 x 8 takes 1.2 times as long with it. A larger one takes half as long when packed.
 */
const ROWS_FOR_LINES = 512
const FLOATS_FOR_LINES = 2 ** 18

const convolution: Lower<ConvolutionAttrs> = (step) => {
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
      blocks: { nest: [], start: 0, length: depth },
      depthStride: g.filters,
      columnStride: 1,
    },
    kernel.buffer,
    panels.buffer,
  )
  return [...source.stages, packing, product(panels.buffer, 'panels')]
}

const convolutionKernelGradient: Lower<ConvolutionAttrs & { readonly kernelShape: Shape }> = (
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

export const convolutionKernels: Kernels<typeof convolutionPrimitives> = {
  convolution,
  convolutionInputGradient,
  convolutionKernelGradient,
}
