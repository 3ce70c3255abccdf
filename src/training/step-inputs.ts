/** What a training step reads besides its batch: rates and the random key. */
import { split64 } from '../base/random.ts'
import { stepRates } from '../nn/step.ts'
import type { NumbersByName } from './batch-inputs.ts'
import type { Training } from './training.ts'

export function stepInputs(
  { session, settings, optimizer, totalSteps }: Training,
  learningRate: number,
): NumbersByName {
  const rates = stepRates(optimizer, {
    step: session.steps - (session.optimizer?.first ?? 0),
    total: totalSteps,
    learningRate,
  })
  return {
    ...Object.fromEntries(Object.entries(rates).map(([name, value]) => [`rate/${name}`, Float64Array.of(value)])),
    key: Int32Array.from([...split64(settings.seed), session.steps, 0]),
  }
}
