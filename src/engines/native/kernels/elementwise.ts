/** Elementwise steps: expressions over inputs that broadcast, in one loop. */
import type { ElementwiseStep, Value } from '../../../compile/step.ts'
import { mayOverwrite } from '../../../compile/step.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import { argument, argumentsOf, substitute } from '../../../ops/scalar.ts'
import { expressionFields } from '../expression.ts'
import type { Context, NativeStage } from './context.ts'
import { stage } from './context.ts'

export function elementwiseStage(given: ElementwiseStep, context: Context): NativeStage {
  const { step, condition } = conditional(given)
  const { shape, inputs, expressions, outputs } = step
  const operation = context.operation({
    kind: 'elementwise',
    where: `elementwise [${shape.join(', ')}]`,
    conditional: condition !== undefined,
    ...expressionFields(
      shape,
      inputs,
      expressions,
      outputs.map((y) => y.dtype),
    ),
  })
  const operands = [...inputs.map((reads) => ({ reads })), ...outputs.map((writes) => ({ writes }))]
  return stage(operation, [...operands, ...(condition ? [{ reads: condition }] : [])], { inPlace: mayOverwrite(step) })
}

/**
 * Where every result is what it was unless one number says otherwise, that number is looked at first: an optimizer's step
 * does not read the old slots to keep them.
 */
export function conditional(step: ElementwiseStep): { step: ElementwiseStep; condition?: Value } {
  const { inputs, outputs, expressions } = step
  const choices = expressions.map((f) => (f.kind === 'apply' && f.fn === 'select' ? f.inputs : undefined))
  const first = choices[0]?.[0]
  if (first?.kind !== 'argument' || sizeOf(inputs[first.index].shape) !== 1) return { step }
  const isKept = (choice: readonly Scalar[] | undefined, i: number): boolean => {
    if (!choice) return false
    const [by, , old] = choice
    return (
      by.kind === 'argument' &&
      by.index === first.index &&
      old.kind === 'argument' &&
      inputs[old.index].buffer === outputs[i].buffer &&
      sizeOf(inputs[old.index].shape) === sizeOf(outputs[i].shape)
    )
  }
  if (!choices.every(isKept)) return { step }
  const chosen = choices.map((choice) => (choice as readonly Scalar[])[1])
  const read = [...new Set(chosen.flatMap(argumentsOf))].sort((a, b) => a - b)
  const places: Scalar[] = []
  read.forEach((index, k) => {
    places[index] = argument(k)
  })
  const memo = new Map<Scalar, Scalar>()
  return {
    step: {
      ...step,
      inputs: read.map((index) => inputs[index]),
      expressions: chosen.map((f) => substitute(f, places, memo)),
    },
    condition: inputs[first.index],
  }
}
