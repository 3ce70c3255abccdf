/** Sums over a window that slides along the last axis, with what comes before and after them in the same loop. */
import { sizeOf } from '../../../graph/shape.ts'
import { argument } from '../../../ops/scalar.ts'
import type { Reach, windowSumPrimitives } from '../../../ops/window-sum.ts'
import { expressionFields } from '../expression.ts'
import type { Kernels, Lower } from './context.ts'
import { stageWithTail, tailFields } from './context.ts'

const windowSum: Lower<Reach> = ({ inputs, output, attrs, head, tail, context }) => {
  const { shape } = output
  const width = shape[shape.length - 1]
  const operation = context.operation({
    kind: 'windowSum',
    where: `windowSum [${shape.join(', ')}]`,
    rows: sizeOf(shape) / width,
    width,
    before: attrs.before,
    after: attrs.after,
    head: expressionFields(shape, inputs, [head?.f ?? argument(0)], ['float32'], 1),
    ...(tail && { tail: tailFields(tail, output) }),
  })
  return [stageWithTail(operation, inputs, { tail, output })]
}

export const windowSumKernels: Kernels<typeof windowSumPrimitives> = { windowSum }
