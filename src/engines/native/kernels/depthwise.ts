/** The gradient of a depthwise convolution's kernel by the addon's own loops (native/src/depthwise.cc). */
import type { AxisWindow } from '../../../graph/shape.ts'
import type { Description, Operation } from '../addon.ts'
import type { Context, NativeStage } from './context.ts'
import { scratch, stage } from './context.ts'
import type { KernelGradient } from './plane.ts'
import { planeFields, threeAxes } from './plane.ts'

/** Is there a group for each of several channels? */
export const isDepthwise = (channels: number, groups: number): boolean => groups > 1 && groups === channels

/**
 * Has oneDNN a loop of its own for the gradient of this depthwise kernel? It refuses windows of 5 x 5, dilation and images that the
 * borders nearly fill, and takes one that works on blocks of 16 x 16 channels instead, of which it needs the diagonal. One thread
 * of AVX-512, batch 128, in float32 and bfloat16, by that one and by ours: 3 x 3 on 2 x 2 x 576 1.7 and 21 ms, 0.08 and 0.12;
 * 5 x 5 on 4 x 4 x 240 4.5 and 36 ms, 0.4 and 0.6; on 28 x 28 x 240 (batch 8) 11 and 31 ms, 1.8 and 1.8. Where oneDNN has the
 * loop (jit_dw), it is as a rule the faster one: 3 x 3 on 8 x 8 x 144 0.34 and 0.19 ms, ours 0.50 and 0.40.
 */
export const hasDepthwiseLoop = ({ implementation = '' }: Operation): boolean => implementation.startsWith('jit_dw')

/** The gradient of the kernel, and of the bias where that is asked for. */
export function depthwiseGradient(
  name: string,
  axes: readonly AxisWindow[],
  { x, dy, output, bias }: KernelGradient,
  context: Context,
): readonly NativeStage[] {
  const three = threeAxes(axes)
  const fields: Description = {
    ...planeFields('depthwiseGradient', name, x, dy, three),
    strides: three.map((a) => a.stride),
    dilation: three.map((a) => a.dilation),
    dtype: x.dtype,
    bias: bias !== undefined,
  }
  const operation = context.operation(fields)
  const parts = scratch(operation.operandBytes[operation.operandBytes.length - 1])
  const results = [output, ...(bias ? [bias] : []), parts].map((writes) => ({ writes }))
  return [stage(operation, [{ reads: x }, { reads: dy }, ...results])]
}
