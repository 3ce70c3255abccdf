/** Where numbers first went wrong in a step that was refused: its batch is run once more, with a probe everywhere. */
import { allocateBatch } from '../data/batch.ts'
import type { Reading } from '../data/dataset.ts'
import { diagnosisGoals } from '../network/graphs.ts'
import { fed, fieldsKey, onlyKnown } from './feed.ts'
import { weightInputs } from './sample-weights.ts'
import { stepInputs } from './step-inputs.ts'
import type { Training } from './training.ts'
import { rateOf } from './training.ts'

/** `the output of dense`, `the gradient for conv2d/kernel`: the first in the order of computation that is not finite. */
export async function firstNonFinite(
  training: Training,
  indices: Uint32Array,
  reading: Reading,
): Promise<{ readonly source: string; readonly isData: boolean }> {
  const { session, data, objective, at } = training
  const size = indices.length
  const arrays = allocateBatch(data, size)
  await data.read(indices, arrays, reading)
  for (const [field, values] of Object.entries(arrays.inputs)) {
    const at = values.findIndex((x) => !Number.isFinite(x))
    if (at >= 0)
      return { source: `${field} of sample ${indices[Math.floor((at * size) / values.length)]}`, isData: true }
  }
  const key = `diagnose ${size} ${fieldsKey(data.inputs)} ${fieldsKey(data.targets)} ${JSON.stringify(objective)}`
  const program = await session.program(key, () => diagnosisGoals(session.network, objective, { ...data, size }))
  const weights = weightInputs(arrays, objective, { indices, capacity: size }, training.weighting)
  const given = { ...stepInputs(training, rateOf(training, at.step)), ...weights }
  const probes = await program.run({ ...fed(arrays, program), ...onlyKnown(program, given) })
  const wrong = Object.keys(program.outputs).filter((name) => probes[name][0] !== 1)
  return { source: wrong[0] ?? 'an updated weight', isData: false }
}
