/** A first layer's convolution, over pictures of one channel or three, and its kernel's gradient (native/src/few-channels.cc). */
import type { KernelStep, Value } from '../../../compile/step.ts'
import type { Shape } from '../../../graph/shape.ts'
import type { ConvolutionAttrs } from '../../../ops/convolution.ts'
import { convolutionAxes } from '../../../ops/convolution.ts'
import type { Description } from '../addon.ts'
import type { Context, NativeStage } from './context.ts'
import { scratch, stage, stageWithTail, tailFields } from './context.ts'
import type { Convolved, KernelGradient } from './plane.ts'
import { planeFields, where } from './plane.ts'
import { fieldsOf as poolingFields } from './pooling.ts'

/** Columns of the window times channels for which the addon has a loop of its own. */
export const tapsOfLoop = new Set([3, 5, 7, 9, 15, 21])

/** The fields of the addon's operation, or undefined where it has no loop; y may be what reached the result. */
export function fewChannelsFields(
  kind: 'fewChannels' | 'fewChannelsGradient',
  x: Value,
  y: Value,
  attrs: ConvolutionAttrs & { readonly kernelShape: Shape },
): Description | undefined {
  const axes = convolutionAxes(x.shape, attrs.kernelShape, attrs)
  const channels = x.shape[x.shape.length - 1]
  const isPlain = axes.length === 2 && attrs.groups === 1 && axes.every((a) => a.dilation === 1 && a.before < a.window)
  if (!isPlain || (channels !== 1 && channels !== 3) || !tapsOfLoop.has(axes[1].window * channels)) return undefined
  const isGradient = kind === 'fewChannelsGradient'
  const [name, shape] = isGradient ? ['convolutionKernelGradient', y.shape] : ['convolution', attrs.kernelShape]
  return {
    ...planeFields(kind, where(name, x.shape, shape), x, y, axes),
    strides: axes.map((a) => a.stride),
    ...(isGradient && { dtype: x.dtype }),
  }
}

/** In float32; the addon's loop takes sixteen filters at a time. */
export function fewChannels(
  fields: Description,
  { source, kernel, bias, tail, output }: Convolved,
  context: Context,
): readonly NativeStage[] {
  const end = tail && { tail: tailFields(tail, output) }
  const operation = context.operation({ ...fields, bias: bias !== undefined, ...end })
  return [stageWithTail(operation, [source, kernel, bias], { tail, output })]
}

/** The gradient of the kernel, and of the bias where that is asked for. */
export function fewChannelsGradient(
  fields: Description,
  { x, dy, output, bias }: KernelGradient,
  context: Context,
): readonly NativeStage[] {
  const from = context.unpooled(dy)
  const pooled = from && {
    pooled: { ...poolingFields('maxPoolGradient', dy.shape, from.attrs), gated: from.noted.isGated },
  }
  const operation = context.operation({ ...fields, bias: bias !== undefined, ...pooled })
  const parts = scratch(operation.operandBytes[operation.operandBytes.length - 1])
  const flow = from ? [from.noted.places, from.dy] : [dy]
  const results = [output, ...(bias ? [bias] : []), parts].map((writes) => ({ writes }))
  return [stage(operation, [...[x, ...flow].map((reads) => ({ reads })), ...results])]
}

/** Can the gradient of a kernel make the gradient of a maxPool behind the convolution for itself? */
export function takesUnpooled({ op, inputs: [x, dy], attrs }: KernelStep): boolean {
  const isOne = op.row.role === 'kernelGradient' && x.dtype === dy.dtype
  return (
    isOne &&
    fewChannelsFields(
      'fewChannelsGradient',
      x,
      dy,
      attrs as unknown as ConvolutionAttrs & { readonly kernelShape: Shape },
    ) !== undefined
  )
}
