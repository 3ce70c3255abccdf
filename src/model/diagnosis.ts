/** Where numbers first went wrong in a step that was refused: its batch is run once more, with a probe everywhere. */
import { allocateBatch } from '../data/batch.ts'
import { fed, fieldsKey, onlyKnown } from './feed.ts'
import { diagnosisGoals } from './graphs.ts'
import { weightInputs } from './sample-weights.ts'
import { stepInputs } from './step-inputs.ts'
import type { Training } from './training.ts'
import { rateOf } from './training.ts'

/** `the output of dense`, `the gradient for conv2d/kernel`: the first in the order of computation that is not finite. */
export async function firstNonFinite(training: Training, indices: Uint32Array): Promise<string> {
  const { session, data, objective, at } = training
  const size = indices.length
  const arrays = allocateBatch(data, size)
  await data.read(indices, arrays)
  const key = `diagnose ${size} ${fieldsKey(data.inputs)} ${fieldsKey(data.targets)} ${JSON.stringify(objective)}`
  const program = await session.program(key, () => diagnosisGoals(session.network, objective, { ...data, size }))
  const weights = weightInputs(arrays, objective, { indices, capacity: size }, training.weighting)
  const given = { ...stepInputs(training, rateOf(training, at.step)), ...weights }
  const probes = await program.run({ ...fed(arrays, program), ...onlyKnown(program, given) })
  const wrong = Object.keys(program.outputs).filter((name) => probes[name][0] !== 1)
  return wrong[0] ?? 'an updated weight'
}
