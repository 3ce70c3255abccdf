/** The gradient of a depthwise convolution's kernel by own loops (native/src/depthwise.cc). */
import type { Value } from '../../../compile/step.ts'
import type { AxisWindow } from '../../../graph/shape.ts'
import type { Description } from '../addon.ts'
import type { Context, NativeStage } from './context.ts'
import { scratch, stage } from './context.ts'
import type { KernelGradient } from './plane.ts'
import { planeFields, threeAxes } from './plane.ts'

/** The fields of the addon's operation, or undefined where oneDNN's gradient is to be taken. */
export function depthwiseFields(
  name: string,
  { x, dy }: { readonly x: Value; readonly dy: Value },
  axes: readonly AxisWindow[],
  groups: number,
): Description | undefined {
  if (groups === 1 || groups !== x.shape[x.shape.length - 1] || process.env.DW === 'old') return undefined
  return {
    ...planeFields('depthwiseGradient', name, x, dy, threeAxes(axes)),
    strides: threeAxes(axes).map((a) => a.stride),
    dilation: threeAxes(axes).map((a) => a.dilation),
    dtype: x.dtype,
  }
}

/** The gradient of the kernel, and of the bias where that is asked for. */
export function depthwiseGradient(
  fields: Description,
  { x, dy, output, bias }: KernelGradient,
  context: Context,
): readonly NativeStage[] {
  const operation = context.operation({ ...fields, bias: bias !== undefined })
  const parts = scratch(operation.operandBytes[operation.operandBytes.length - 1])
  const results = [output, ...(bias ? [bias] : []), parts].map((writes) => ({ writes }))
  return [stage(operation, [{ reads: x }, { reads: dy }, ...results])]
}
