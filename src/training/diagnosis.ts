/** Where numbers first went wrong in a step that was refused: its batch is run once more, with a probe everywhere. */
import type { Batch } from '../data/dataset.ts'
import { diagnosisGoals } from '../network/graphs.ts'
import { fed, fieldsKey, onlyKnown } from './batch-inputs.ts'
import type { TrainingBatch } from './batches.ts'
import type { GradientStep } from './history.ts'
import { weightInputs } from './sample-weights.ts'
import { stepInputs } from './step-inputs.ts'
import type { Training } from './training.ts'
import { rateOf } from './training.ts'

/** What is wrong, in words, and is it the data? */
interface Diagnosis {
  readonly source: string
  readonly isData: boolean
}

/**
 * What first went wrong in a step, in the order of computation: `the output of dense`, `the gradient for conv2d/kernel`;
 * or what callbacks made of it.
 */
export async function diagnose(
  training: Training,
  { batch, shown }: { readonly batch?: Omit<TrainingBatch, 'arrays'>; readonly shown?: GradientStep },
): Promise<Diagnosis> {
  const unknown = { source: 'the loss, a gradient or a new weight', isData: false }
  const again = async () => (batch ? firstNonFinite(training, await batch.again(), batch) : unknown)
  const found = await again().catch(() => unknown) // that the step was refused is what matters
  return found ?? (shown && firstShown(shown)) ?? { source: 'an updated weight', isData: false }
}

/** What callbacks left not finite between the halves of a step. */
function firstShown({ gradients, statistics, sums }: GradientStep): Diagnosis | undefined {
  const named = { 'the gradient for': gradients, 'the next': statistics, 'the sum of': sums }
  for (const [what, values] of Object.entries(named)) {
    const wrong = Object.keys(values).find((name) => firstWrong(values[name]) >= 0)
    if (wrong !== undefined) return { source: `${what} ${wrong} that onGradients left`, isData: false }
  }
  return undefined
}

const firstWrong = (values: ArrayLike<number>): number =>
  Array.prototype.findIndex.call(values, (x) => !Number.isFinite(x))

async function firstNonFinite(
  training: Training,
  arrays: Batch,
  { indices, sampleWeight }: Pick<TrainingBatch, 'indices' | 'sampleWeight'>,
): Promise<Diagnosis | undefined> {
  const { session, data, objective, weighting, at } = training
  const size = indices.length
  for (const [field, values] of Object.entries(arrays.inputs)) {
    const at = firstWrong(values)
    if (at >= 0)
      return { source: `${field} of sample ${indices[Math.floor((at * size) / values.length)]}`, isData: true }
  }
  const key = `diagnose ${size} ${fieldsKey(data.inputs)} ${fieldsKey(data.targets)} ${JSON.stringify(objective)}`
  const program = await session.program(key, () => diagnosisGoals(session.network, objective, { ...data, size }))
  const weights = weightInputs(
    arrays,
    objective,
    { indices, capacity: size },
    { ...weighting, ...(sampleWeight && { samples: sampleWeight }) },
  )
  const given = { ...stepInputs(training, rateOf(training, at.step)), ...weights }
  const probes = await program.run({ ...fed(arrays, program), ...onlyKnown(program, given) })
  const wrong = Object.keys(program.outputs).filter((name) => probes[name][0] !== 1)
  return wrong.length > 0 ? { source: wrong[0], isData: false } : undefined
}
