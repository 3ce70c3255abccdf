/** Elementwise steps: expressions over inputs that broadcast, in one loop. */
import type { ElementwiseStep } from '../../../compile/step.ts'
import { mayOverwrite } from '../../../compile/step.ts'
import { expressionFields } from '../expression.ts'
import type { Context, NativeStage } from './context.ts'
import { stage } from './context.ts'

export function elementwiseStage(step: ElementwiseStep, context: Context): NativeStage {
  const { shape, inputs, expressions, outputs } = step
  const operation = context.operation({
    kind: 'elementwise',
    where: `elementwise [${shape.join(', ')}]`,
    ...expressionFields(
      shape,
      inputs,
      expressions,
      outputs.map((y) => y.dtype),
    ),
  })
  return stage(operation, [...inputs.map((reads) => ({ reads })), ...outputs.map((writes) => ({ writes }))], {
    inPlace: mayOverwrite(step),
  })
}
