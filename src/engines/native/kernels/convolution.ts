/** Convolution and its two gradients by oneDNN: activations stay as they are, kernels are packed as it likes them. */
import type { KernelStep, Value } from '../../../compile/step.ts'
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import type { ConvolutionAttrs } from '../../../ops/convolution.ts'
import { convolutionAxes } from '../../../ops/convolution.ts'
import type { Description, Operation } from '../addon.ts'
import type { Context, Lower, Lowering, NativeStage, Tail } from './context.ts'
import { kept, scratch, stage, tailFields } from './context.ts'
import { fieldsOf as poolingFields } from './pooling.ts'
import { packed, resultOf, splitBias } from './product.ts'
import { backwards, forwards, winogradFields, winogradGradient, winogradResult } from './winograd.ts'

/** [n, ...spatial, c] as oneDNN names axes. */
const channelsFirst = (shape: Shape): Shape => [shape[0], shape[shape.length - 1], ...shape.slice(1, -1)]

/** The fields of a convolution of x by a kernel, whichever of the three is computed. */
function fieldsOf(
  [x, kernel, y]: readonly Shape[],
  attrs: ConvolutionAttrs,
): Pick<Description, 'x' | 'kernel' | 'y' | 'strides' | 'dilation' | 'before' | 'after'> {
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

const where = (op: string, ...shapes: readonly Shape[]): string =>
  `${op} ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' ')}`

export const convolution: Lower<ConvolutionAttrs> = (step) => {
  const { inputs, output, attrs, context, tail } = step
  const [x, kernel] = inputs
  const { bias, rest } = splitBias(tail, output)
  const name = where('convolution', x.shape, kernel.shape)
  const axes = convolutionAxes(x.shape, kernel.shape, attrs)
  const fewer = isFloat(x, output) && winogradFields(forwards(axes, attrs.groups, x.shape, output.shape))
  if (fewer) {
    const fields = { ...fewer, where: name, turned: false }
    return winogradResult(
      fields,
      { source: x, kernel, output, ...(bias && { bias }), ...(rest && { tail: rest }) },
      context,
    )
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

export const convolutionInputGradient: Lower<ConvolutionAttrs & { readonly inputShape: Shape }> = (step) => {
  const { inputs, output, attrs, context, tail } = step
  const [dy, kernel] = inputs
  const name = where('convolutionInputGradient', dy.shape, kernel.shape)
  const axes = convolutionAxes(output.shape, kernel.shape, attrs)
  const fewer = isFloat(dy, output) && winogradFields(backwards(axes, attrs.groups, output.shape, dy.shape))
  if (fewer) {
    const fields = { ...fewer, where: name, turned: true }
    return winogradResult(fields, { source: dy, kernel, output, ...(tail && { tail }) }, context)
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

export const convolutionKernelGradient: Lower<ConvolutionAttrs & { readonly kernelShape: Shape }> = (step) => {
  const { inputs, output, attrs, context } = step
  const [x, dy] = inputs
  const bias = context.biasGradientOf(output)
  const few = fewChannels(x, dy, attrs)
  if (few) {
    const from = context.unpooled(dy)
    const pooled = from && {
      pooled: { ...poolingFields('maxPoolGradient', dy.shape, from.attrs), gated: from.places.isGated },
    }
    const own = context.operation({ ...few, bias: bias !== undefined, ...pooled })
    const parts = scratch(own.operandBytes[own.operandBytes.length - 1])
    const flow = from ? [from.places.places, from.dy] : [dy]
    const results = [output, ...(bias ? [bias] : []), parts].map((writes) => ({ writes }))
    return [stage(own, [...[x, ...flow].map((reads) => ({ reads })), ...results])]
  }
  const name = where('convolutionKernelGradient', x.shape, dy.shape)
  const axes = convolutionAxes(x.shape, attrs.kernelShape, attrs)
  const fewer = isFloat(x, dy) && winogradFields(forwards(axes, attrs.groups, x.shape, dy.shape))
  if (fewer) return winogradGradient({ ...fewer, where: name }, { x, dy, output, bias }, context)
  if (context.hasTiles && isTiled([x, dy], dy, axes, attrs.groups)) {
    const own = context.operation({ ...planeFields('tiledGradient', name, x, dy, axes), bias: bias !== undefined })
    const sums = scratch(own.operandBytes[own.operandBytes.length - 1])
    const results = [output, ...(bias ? [bias] : []), sums].map((writes) => ({ writes }))
    return [stage(own, [{ reads: x }, { reads: dy }, ...results])]
  }
  const operation: Operation = context.operation({
    kind: 'convolution',
    of: 'kernel',
    where: name,
    ...fieldsOf([x.shape, attrs.kernelShape, dy.shape], attrs),
    dtype: x.dtype,
    result: 'float32',
    bias: bias !== undefined,
  })
  const target: Value = operation.packed > 0 ? scratch(operation.packed) : output
  const gradient = stage(operation, [
    { reads: x },
    { reads: dy },
    { writes: target },
    ...(bias ? [{ writes: bias }] : []),
    { writes: scratch(operation.scratch) },
  ])
  if (target === output) return [gradient]
  const back = context.operation({
    kind: 'repack',
    where: where('gradient of the kernel', attrs.kernelShape),
    product: operation.handle,
    dtype: 'float32',
    back: true,
  })
  return [gradient, stage(back, [{ reads: target }, { writes: output }])]
}

/** Columns of the window times channels for which the addon has a loop of its own. */
export const tapsOfLoop = new Set([3, 5, 7, 9, 15, 21])

/** The gradient of a first layer's kernel, over pictures of one channel or three, where the addon's own loop does it. */
function fewChannels(
  x: Value,
  dy: Value,
  attrs: ConvolutionAttrs & { readonly kernelShape: Shape },
): Description | undefined {
  const axes = convolutionAxes(x.shape, attrs.kernelShape, attrs)
  const channels = x.shape[x.shape.length - 1]
  const isPlain = axes.length === 2 && attrs.groups === 1 && axes.every(({ dilation }) => dilation === 1)
  if (!isPlain || (channels !== 1 && channels !== 3) || !tapsOfLoop.has(axes[1].window * channels)) return undefined
  return {
    ...planeFields('fewChannelsGradient', where('convolutionKernelGradient', x.shape, dy.shape), x, dy, axes),
    strides: axes.map((a) => a.stride),
    dtype: x.dtype,
  }
}

/** The fields of a convolution over pictures, or of a gradient. */
const planeFields = (kind: string, name: string, x: Value, y: Value, axes: readonly AxisWindow[]) => ({
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

/** Places from which on a product by tiles is more than what goes on around it. */
const LEAST_PLACES = 1024

/** Is a convolution with the result y computed by tiles: of factors in bfloat16, over pictures, with windows that overlap? */
function isTiled(
  factors: readonly Value[],
  y: Value,
  axes: readonly AxisWindow[],
  groups: number,
  { strided = false }: { strided?: boolean } = {},
): boolean {
  const isDense = axes.every((a) => a.dilation === 1 && (strided ? a.stride <= a.window : a.stride === 1))
  const isPlane = axes.length === 2 && groups === 1 && isDense
  const isLow = factors.every(({ dtype }) => dtype === 'bfloat16')
  const isPadded = axes.every((a) => a.before < a.window && a.after < a.window)
  const places = y.shape[0] * y.shape[1] * y.shape[2]
  return isLow && isPlane && isPadded && axes.some((a) => a.window > 1) && places >= LEAST_PLACES
}

/** A convolution by tiles, of x by the kernel or of dy by the kernel turned round, and before it the kernel as tiles. */
function tiledConvolution(
  fields: ReturnType<typeof planeFields> & { readonly apart: readonly number[]; readonly turned: boolean },
  { source, kernel, bias, tail, output }: Tiled,
  context: Context,
): readonly NativeStage[] {
  const weights = context.uncast(kernel)
  const once = context.isSettled(weights)
  const pack = context.operation({
    ...fields,
    kind: 'tiledKernel',
    where: `packing of [${kernel.shape.join(', ')}]`,
    dtype: weights.dtype,
    once,
  })
  const tiles = (once ? kept : scratch)(pack.operandBytes[1])
  const operation = context.operation({
    ...fields,
    bias: bias !== undefined,
    result: output.dtype,
    ...(tail && { tail: tailFields(tail, output, 'float32') }),
  })
  const reads = (values: readonly Value[]) => values.map((x) => ({ reads: x }))
  const first = reads([source, tiles, ...(bias ? [bias] : [])])
  return [
    stage(pack, [{ reads: weights }, { writes: tiles }]),
    stage(operation, [...first, { writes: output }, ...reads(tail?.extras ?? [])]),
  ]
}

interface Tiled {
  readonly source: Value
  readonly kernel: Value
  readonly bias?: Value | undefined
  readonly tail?: Tail | undefined
  readonly output: Value
}

/** Can the gradient of a kernel make the gradient of a maxPool behind the convolution for itself? */
export function takesUnpooled({ op, inputs: [x, dy], attrs }: KernelStep): boolean {
  const isOne = op.opName === 'convolutionKernelGradient' && x.dtype === dy.dtype
  return (
    isOne && fewChannels(x, dy, attrs as unknown as ConvolutionAttrs & { readonly kernelShape: Shape }) !== undefined
  )
}
