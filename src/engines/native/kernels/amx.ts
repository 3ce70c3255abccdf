/** Convolutions in bfloat16 by the processor's tiles (native/src/tiled-convolution.cc, tiled-gradient.cc). */
import type { Value } from '../../../compile/step.ts'
import type { AxisWindow } from '../../../graph/shape.ts'
import type { Context, NativeStage } from './context.ts'
import { kept, scratch, stage, stageWithTail, tailFields } from './context.ts'
import type { Convolved, KernelGradient, planeFields } from './plane.ts'

/** Places from which on a product by tiles is more than what is done around it. */
const LEAST_PLACES = 1024

/** Is a convolution with the result y computed by tiles: of factors in bfloat16, over pictures, with windows that overlap? */
export function isTiled(
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
export function tiledConvolution(
  fields: ReturnType<typeof planeFields> & { readonly apart: readonly number[]; readonly turned: boolean },
  { source, kernel, bias, tail, output }: Convolved,
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
  return [
    stage(pack, [{ reads: weights }, { writes: tiles }]),
    stageWithTail(operation, [source, tiles, bias], { tail, output }),
  ]
}

/** The gradient of the kernel, and of the bias where that is asked for. */
export function tiledGradient(
  fields: ReturnType<typeof planeFields>,
  { x, dy, output, bias }: KernelGradient,
  context: Context,
): readonly NativeStage[] {
  const operation = context.operation({ ...fields, bias: bias !== undefined })
  const sums = scratch(operation.operandBytes[operation.operandBytes.length - 1])
  const results = [output, ...(bias ? [bias] : []), sums].map((writes) => ({ writes }))
  return [stage(operation, [{ reads: x }, { reads: dy }, ...results])]
}
