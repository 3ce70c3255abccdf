/**
 * Convolution and its two gradients: by oneDNN, for which activations stay as they are and kernels are packed as it likes them,
 * where none of the addon's own ways is faster.
 */
import type { Value } from '../../../compile/step.ts'
import type { Shape } from '../../../graph/shape.ts'
import type { ConvolutionAttrs, convolutionPrimitives } from '../../../ops/convolution.ts'
import { convolutionAxes } from '../../../ops/convolution.ts'
import type { Operation } from '../addon.ts'
import { isTiled, tiledConvolution, tiledGradient } from './amx.ts'
import type { Kernels, Lower, Lowering, Tail } from './context.ts'
import { scratch, stage, tailFields } from './context.ts'
import { depthwiseGradient, hasDepthwiseLoop, isDepthwise } from './depthwise.ts'
import { fewChannels, fewChannelsFields, fewChannelsGradient } from './few-channels.ts'
import { inPieces, piecesOf, whole } from './gradient-pieces.ts'
import { planeFields, where } from './plane.ts'
import { packed, resultOf, splitBias } from './product.ts'
import { isProduct, productForward, productInputGradient, productKernelGradient } from './whole-window.ts'
import { backwards, forwards, winogradGradient, winogradOf, winogradResult } from './winograd.ts'

/** [n, ...spatial, c] as oneDNN names axes. */
const channelsFirst = (shape: Shape): Shape => [shape[0], shape[shape.length - 1], ...shape.slice(1, -1)]

/** The fields of a convolution of x by a kernel, whichever of the three is computed. */
function fieldsOf(
  [x, kernel, y]: readonly Shape[],
  attrs: ConvolutionAttrs,
): Record<'x' | 'kernel' | 'y' | 'strides' | 'dilation' | 'before' | 'after', readonly number[]> {
  const axes = convolutionAxes(x, kernel, attrs)
  const [perGroup, filters] = kernel.slice(-2)
  return {
    x: channelsFirst(x),
    y: channelsFirst(y),
    kernel: [attrs.groups, filters / attrs.groups, perGroup, ...kernel.slice(0, -2)],
    strides: axes.map((a) => a.stride),
    dilation: axes.map((a) => a.dilation),
    before: axes.map((a) => a.before),
    after: axes.map((a) => a.after),
  }
}

const convolution: Lower<ConvolutionAttrs> = (step) => {
  const { inputs, output, attrs, context, tail } = step
  const [x, kernel] = inputs
  const { bias, rest } = splitBias(tail, output)
  const name = where('convolution', x.shape, kernel.shape)
  const axes = convolutionAxes(x.shape, kernel.shape, attrs)
  const few = fewChannelsFields('fewChannels', x, output, { ...attrs, kernelShape: kernel.shape })
  if (few && isFloat(x, output) && output.shape[output.shape.length - 1] >= 16)
    return fewChannels(few, { source: x, kernel, bias, tail: rest, output }, context)
  const slide = forwards(axes, attrs.groups, x.shape, output.shape)
  const use = context.isSettled(context.uncast(kernel)) ? 'settled' : 'computed'
  const fewer = winogradOf(slide, use, [x, output], context)
  if (fewer) {
    const fields = { ...fewer, where: name, turned: false }
    return winogradResult(fields, { source: x, kernel, bias, tail: rest, output }, context)
  }
  // without a tail oneDNN's own is 1.1 to 1.6 times as fast: it stores what it rounds
  if (context.hasTiles && rest && isTiled([x], output, axes, attrs.groups)) {
    const fields = planeFields('tiledConvolution', name, x, output, axes)
    return tiledConvolution(
      { ...fields, apart: [1, 1], turned: false },
      { source: x, kernel, bias, tail: rest, output },
      context,
    )
  }
  if (isProduct(axes, attrs.groups)) return productForward(name, { x, kernel, output, tail }, context)
  const ending = endingOf(rest, output)
  const operation = context.operation({
    kind: 'convolution',
    of: 'forward',
    where: name,
    ...fieldsOf([x.shape, kernel.shape, output.shape], attrs),
    dtype: x.dtype,
    bias: bias !== undefined,
    ...ending.fields,
  })
  const weights = packed(operation, kernel, context)
  const first = [x, weights.value, ...(bias ? [bias] : [])].map((reads) => ({ reads }))
  return [...weights.stages, stage(operation, [...first, ...ending.operands(operation, first.length)])]
}

const isFloat = (...values: readonly Value[]): boolean => values.every(({ dtype }) => dtype === 'float32')

/** How a convolution ends: its dtype and tail, and the operands from its result on. */
function endingOf(tail: Tail | undefined, output: Value) {
  const { dtype: result } = resultOf(tail, output)
  const stored = result === output.dtype ? undefined : output.dtype
  return {
    fields: { result, ...(stored && { stored }), ...(tail && { tail: tailFields(tail, output, result) }) },
    operands: ({ scratch: bytes, operandBytes }: Operation, at: number) => [
      ...(stored ? [{ writes: scratch(operandBytes[at]) }] : [{ writes: output }]),
      { writes: scratch(bytes) },
      ...(stored ? [{ writes: output }] : []),
      ...(tail?.extras ?? []).map((reads) => ({ reads })),
    ],
  }
}

const convolutionInputGradient: Lower<ConvolutionAttrs & { readonly inputShape: Shape }> = (step) => {
  const { inputs, output, attrs, context, tail } = step
  const [dy, kernel] = inputs
  const name = where('convolutionInputGradient', dy.shape, kernel.shape)
  const axes = convolutionAxes(output.shape, kernel.shape, attrs)
  const slide = backwards(axes, attrs.groups, output.shape, dy.shape)
  const fewer = winogradOf(slide, 'computed', [dy, output], context)
  if (fewer) {
    const fields = { ...fewer, where: name, turned: true }
    return winogradResult(fields, { source: dy, kernel, tail, output }, context)
  }
  if (context.hasTiles && isTiled([dy], dy, axes, attrs.groups, { strided: true })) {
    const fields = planeFields('tiledConvolution', name, dy, output, axes)
    const turned = { input: fields.output, output: fields.input, before: axes.map((a) => a.window - 1 - a.before) }
    const apart = axes.map((a) => a.stride)
    return tiledConvolution(
      { ...fields, ...turned, apart, turned: true },
      { source: dy, kernel, tail, output },
      context,
    )
  }
  if (isProduct(axes, attrs.groups)) return productInputGradient(name, { dy, kernel, output, tail }, context)
  const ending = endingOf(tail, output)
  const operation = context.operation({
    kind: 'convolution',
    of: 'input',
    where: name,
    ...fieldsOf([output.shape, kernel.shape, dy.shape], attrs),
    turned: isTurned(step),
    dtype: dy.dtype,
    ...ending.fields,
  })
  const weights = packed(operation, kernel, context)
  const first = [{ reads: dy }, { reads: weights.value }]
  return [...weights.stages, stage(operation, [...first, ...ending.operands(operation, first.length)])]
}

/**
 * Is the gradient computed as a convolution of dy by the kernel turned round? oneDNN's forward convolution is as a rule the
 * faster one of the two: in float32 0.97 to 1.31 times, in bfloat16 1.03 to 2.07 times, but 0.85 at 32 channels of dy.
 */
function isTurned({
  inputs: [dy, kernel],
  output,
  attrs,
}: Lowering<ConvolutionAttrs & { readonly inputShape: Shape }>): boolean {
  const axes = convolutionAxes(output.shape, kernel.shape, attrs)
  const fits = axes.every(({ window, dilation, stride, before, input, output: size }) => {
    const reach = (window - 1) * dilation
    const after = size + reach - input - before // what the windows reach beyond the end
    return stride === 1 && before <= reach && after <= reach
  })
  return fits && attrs.groups === 1 && !(dy.dtype === 'bfloat16' && dy.shape[dy.shape.length - 1] === 32)
}

const convolutionKernelGradient: Lower<ConvolutionAttrs & { readonly kernelShape: Shape }> = (step) => {
  const { inputs, output, attrs, context } = step
  const [x, dy] = inputs
  const bias = context.biasGradientOf(output)
  const few = fewChannelsFields('fewChannelsGradient', x, dy, attrs)
  if (few) return fewChannelsGradient(few, { x, dy, output, bias }, context)
  const name = where('convolutionKernelGradient', x.shape, dy.shape)
  const axes = convolutionAxes(x.shape, attrs.kernelShape, attrs)
  const fewer = winogradOf(forwards(axes, attrs.groups, x.shape, dy.shape), 'gradient', [x, dy], context)
  if (fewer) return winogradGradient({ ...fewer, where: name }, { x, dy, output, bias }, context)
  if (context.hasTiles && isTiled([x, dy], dy, axes, attrs.groups))
    return tiledGradient(planeFields('tiledGradient', name, x, dy, axes), { x, dy, output, bias }, context)
  if (isProduct(axes, attrs.groups)) return productKernelGradient(name, { x, dy, output, bias }, context)
  const fields = {
    ...fieldsOf([x.shape, attrs.kernelShape, dy.shape], attrs),
    kind: 'convolution',
    of: 'kernel',
    where: name,
    dtype: x.dtype,
    result: 'float32',
    bias: bias !== undefined,
  }
  const isApart = isDepthwise(x.shape[x.shape.length - 1], attrs.groups)
  if (isApart && !hasDepthwiseLoop(context.operation(fields)))
    return depthwiseGradient(name, axes, { x, dy, output, bias }, context)
  const pieces = piecesOf({ x: x.shape, dy: dy.shape, kernel: attrs.kernelShape }, axes, context.threads)
  const { operation, product } = (pieces && inPieces(fields, pieces, context)) ?? whole(context.operation(fields))
  const target: Value = product.packed > 0 ? scratch(product.packed) : output
  const gradient = stage(operation, [
    { reads: x },
    { reads: dy },
    { writes: target },
    ...(bias ? [{ writes: bias }] : []),
    { writes: scratch(operation.operandBytes[operation.operandBytes.length - 1]) },
  ])
  if (target === output) return [gradient]
  const back = context.operation({
    kind: 'repack',
    where: where('gradient of the kernel', attrs.kernelShape),
    product: product.handle,
    dtype: 'float32',
    back: true,
  })
  return [gradient, stage(back, [{ reads: target }, { writes: output }])]
}

export const convolutionKernels: Kernels<typeof convolutionPrimitives> = {
  convolution,
  convolutionInputGradient,
  convolutionKernelGradient,
}
