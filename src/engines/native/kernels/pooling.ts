/** Poolings and their gradients: windows over three spatial axes, missing ones first, of size 1. */
import type { Value } from '../../../compile/step.ts'
import { arenaValue } from '../../../compile/step.ts'
import type { Shape } from '../../../graph/shape.ts'
import type { PoolAttrs } from '../../../ops/pooling.ts'
import { poolAxes } from '../../../ops/pooling.ts'
import type { Description } from '../addon.ts'
import type { Lower, Lowering } from './context.ts'
import { simple, stage, tailFields, tailStage } from './context.ts'

const three = (list: readonly number[]): number[] => [...Array(3 - list.length).fill(1), ...list]

function fieldsOf(of: string, x: Shape, attrs: PoolAttrs): Description {
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
  }
}

const forward =
  (of: 'maxPool' | 'averagePool'): Lower<PoolAttrs> =>
  (step) => {
    const [x] = step.inputs
    return [simple(step, { ...fieldsOf(of, x.shape, step.attrs), dtype: x.dtype }, [x], step.output)]
  }

function backward(of: string, step: Lowering<PoolAttrs>) {
  const { inputs, output, tail, context, attrs } = step
  const { dtype } = inputs[inputs.length - 1]
  const target: Value = dtype === output.dtype ? output : arenaValue({ ...output, dtype })
  const fields = { ...fieldsOf(of, output.shape, attrs), dtype }
  if (target !== output) {
    const made = simple(step, fields, inputs, target)
    return [made, ...(tail ? [tailStage(tail, target, output, context)] : [])]
  }
  const operation = context.operation({ ...fields, ...(tail && { tail: tailFields(tail, output.shape, dtype) }) })
  const reads = (x: Value) => ({ reads: x })
  return [stage(operation, [...inputs.map(reads), { writes: output }, ...(tail?.extras ?? []).map(reads)])]
}

export const maxPool = forward('maxPool')
export const averagePool = forward('averagePool')
export const maxPoolGradient: Lower<PoolAttrs> = (step) => backward('maxPoolGradient', step)
export const averagePoolGradient: Lower<PoolAttrs & { readonly inputShape: Shape }> = (step) =>
  backward('averagePoolGradient', step)
