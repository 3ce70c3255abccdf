/** Targets as they were read, held to what their loss takes. */
import { FoveaError } from '../base/errors.ts'
import type { Batch } from '../data/dataset.ts'
import type { Objective } from '../network/objective.ts'
import type { Session } from '../network/session.ts'
import { lossRow } from '../nn/losses.ts'
import type { Room } from './sample-weights.ts'
import { sampleOf } from './sample-weights.ts'

/** Refuses targets that are none: a class index out of range would count as no class at all. */
export function checkTargets(
  { targets }: Batch,
  { terms }: Objective,
  { network }: Session,
  { indices, capacity }: Room,
  where: string,
): void {
  for (const { output, target, loss } of terms) {
    const values = targets[target]
    const { shape } = network.calls[network.outputs[output]]
    const { complaint, hint } = lossRow(loss)
    for (let i = 0; i < indices.length; i++) {
      const wrong = complaint(sampleOf(values, i, capacity), shape)
      if (wrong === undefined) continue
      const what = `the targets do not fit the loss ${loss.type}: ${wrong}`
      throw new FoveaError('E_LABEL', {
        what,
        where: `${where}: ${target} of sample ${indices[i]}`,
        ...(hint && { hint }),
      })
    }
  }
}
