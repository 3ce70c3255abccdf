/** Poolings and their gradients: windows over three spatial axes, missing ones first, of size 1. */
import type { Value } from '../../../compile/step.ts'
import { arenaValue } from '../../../compile/step.ts'
import type { Shape } from '../../../graph/shape.ts'
import type { AveragePoolAttrs, PoolAttrs, poolingPrimitives } from '../../../ops/pooling.ts'
import { poolAxes } from '../../../ops/pooling.ts'
import { argument } from '../../../ops/scalar.ts'
import type { Description } from '../addon.ts'
import type { Context, Kernels, Lower, Lowering, NativeStage, Noted } from './context.ts'
import { simple, stage, tailFields, tailStage } from './context.ts'
import { keepsRounding } from './product.ts'

const three = (list: readonly number[]): number[] => [...Array(3 - list.length).fill(1), ...list]

/** The fields of a pooling of x. */
export function fieldsOf(of: string, x: Shape, attrs: AveragePoolAttrs): Description {
  const axes = poolAxes(x, attrs)
  return {
    kind: 'pooling',
    where: `${of} [${x.join(', ')}]`,
    of,
    images: x[0],
    channels: x[x.length - 1],
    input: three(axes.map((a) => a.input)),
    output: three(axes.map((a) => a.output)),
    window: three(axes.map((a) => a.window)),
    strides: three(axes.map((a) => a.stride)),
    before: [...Array(3 - axes.length).fill(0), ...axes.map((a) => a.before)],
    countPadding: attrs.countPadding === true,
  }
}

const averagePool: Lower<AveragePoolAttrs> = (step) => {
  const [x] = step.inputs
  return [simple(step, { ...fieldsOf('averagePool', x.shape, step.attrs), dtype: x.dtype }, [x], step.output)]
}

const maxPoolTake: Lower<PoolAttrs> = (step) => {
  const [x] = step.inputs
  const fields = { ...fieldsOf('maxPoolTake', x.shape, step.attrs), dtype: x.dtype }
  return [simple(step, fields, step.inputs, step.output)]
}

const maxPool: Lower<PoolAttrs> = ({ inputs: [x], output, attrs, context }) => {
  const places = context.notedFor(output)?.places
  const operation = context.operation({
    ...fieldsOf('maxPool', x.shape, attrs),
    dtype: x.dtype,
    places: places !== undefined,
  })
  return [stage(operation, [{ reads: x }, ...[output, ...(places ? [places] : [])].map((writes) => ({ writes }))])]
}

/** Is a gradient that of one window, unchanged? A sum or a quotient is rounded. */
const isCopied = (of: string, x: Shape, attrs: PoolAttrs): boolean =>
  of === 'maxPoolGradient' && poolAxes(x, attrs).every(({ window, stride }) => window <= stride)

const cast = (from: Value, to: Value, context: Context): NativeStage =>
  tailStage({ f: argument(0), extras: [] }, from, to, context)

function backward(of: string, step: Lowering<AveragePoolAttrs>, places: Noted | undefined): readonly NativeStage[] {
  const { output, context, attrs } = step
  const tail = places?.isGated ? undefined : step.tail
  const inputs = places ? [places.places, step.inputs[2]] : step.inputs
  const stored = inputs[inputs.length - 1].dtype
  const isOnce = stored === output.dtype && (!tail || stored === 'float32' || keepsRounding(tail.f))
  const isWidened = stored === 'bfloat16' && !isOnce && !isCopied(of, output.shape, attrs)
  const dtype = isWidened ? 'float32' : stored
  const noted = { places: places !== undefined, gated: places?.isGated === true }
  const fields = { ...fieldsOf(of, output.shape, attrs), ...noted, dtype }
  if (tail && (isWidened || dtype !== output.dtype)) {
    const operands = inputs.map((x) => (isWidened && x.dtype === stored ? arenaValue({ shape: x.shape, dtype }) : x))
    const target: Value = arenaValue({ shape: output.shape, dtype })
    return [
      ...operands.flatMap((x, i) => (x === inputs[i] ? [] : [cast(inputs[i], x, context)])),
      simple(step, fields, operands, target),
      tailStage(tail, target, output, context),
    ]
  }
  const operation = context.operation({ ...fields, ...(tail && { tail: tailFields(tail, output) }) })
  const reads = (x: Value) => ({ reads: x })
  return [stage(operation, [...inputs.map(reads), { writes: output }, ...(tail?.extras ?? []).map(reads)])]
}

const maxPoolGradient: Lower<PoolAttrs> = (step) =>
  backward('maxPoolGradient', step, step.context.notedFor(step.output))
const averagePoolGradient: Lower<AveragePoolAttrs & { readonly inputShape: Shape }> = (step) =>
  backward('averagePoolGradient', step, undefined)

export const poolingKernels: Kernels<typeof poolingPrimitives> = {
  maxPool,
  maxPoolGradient,
  maxPoolTake,
  averagePool,
  averagePoolGradient,
}
