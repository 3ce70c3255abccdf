/** Reductions over a run of neighbouring axes: [outer, count, inner] along the middle. */

import type { Value } from '../../../compile/step.ts'
import type { Shape } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { AxisRun } from '../../../ops/broadcasting.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import { argument } from '../../../ops/scalar.ts'
import { expressionFields } from '../expression.ts'
import type { Context, Lower, NativeStage } from './context.ts'
import { scratch, simple, stage } from './context.ts'

const around = (shape: Shape, { from, to }: AxisRun) => ({
  outer: sizeOf(shape.slice(0, from)),
  count: sizeOf(shape.slice(from, to)),
  inner: sizeOf(shape.slice(to)),
})

export const sum: Lower<AxisRun> = ({ inputs, output, attrs, head, context }) => {
  const { shape } = head?.spec ?? inputs[0]
  return [sumStage({ shape, run: attrs, inputs, head: head?.f ?? argument(0), output, stored: [] }, context)]
}

/** The sum of an expression; what is `stored` is computed in the same loop. */
export function sumStage(
  {
    shape,
    run,
    inputs,
    head,
    output,
    stored,
  }: {
    readonly shape: Shape
    readonly run: AxisRun
    readonly inputs: readonly Value[]
    readonly head: Scalar
    readonly output: Value
    readonly stored: readonly { readonly f: Scalar; readonly to: Value }[]
  },
  context: Context,
): NativeStage {
  const operation = context.operation({
    kind: 'sum',
    where: `sum [${shape.join(', ')}]`,
    ...around(shape, run),
    head: {
      ...expressionFields(
        shape,
        inputs,
        [head, ...stored.map(({ f }) => f)],
        ['float32', ...stored.map(({ to }) => to.dtype)],
      ),
      streamed: true,
    },
  })
  const partials = scratch(operation.operandBytes[inputs.length + 1])
  return stage(operation, [
    ...inputs.map((reads) => ({ reads })),
    { writes: output },
    { writes: partials },
    ...stored.map(({ to }) => ({ writes: to })),
  ])
}

const extreme =
  (place: boolean): Lower<AxisRun> =>
  (step) => {
    const { inputs, attrs, output } = step
    const [x] = inputs
    const where = `${place ? 'argmax' : 'max'} [${x.shape.join(', ')}]`
    return [simple(step, { kind: 'extreme', where, place, dtype: x.dtype, ...around(x.shape, attrs) }, inputs, output)]
  }

export const max = extreme(false)
export const argmax = extreme(true)
