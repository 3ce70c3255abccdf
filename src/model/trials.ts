/** What is tried on a copy of a model, which stays as it is: a learning rate, a batch size, where the time of a step goes. */
import type { Settled } from '../base/options.ts'
import { settle } from '../base/options.ts'
import type { Network } from '../network/network.ts'
import { headsOf } from '../network/objective.ts'
import type { Placement } from '../network/placement.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import type { BatchSizeSearch } from '../training/find-batch-size.ts'
import { findBatchSize } from '../training/find-batch-size.ts'
import type { RateSearch } from '../training/find-rate.ts'
import { rateSearch } from '../training/find-rate.ts'
import { fit } from '../training/fit.ts'
import { fitOptions } from '../training/fit-options.ts'
import type { StepProfile } from '../training/profile.ts'
import { profile } from '../training/profile.ts'
import type { Task } from '../training/task.ts'
import type { findSizeTable, findTable, profileTable } from './call-options.ts'

/** Whose copy is tried. */
interface Tried {
  readonly task: Task
  readonly network: Network
  readonly placement: Placement
}

/** Trains for some steps while the rate grows. */
export async function tryRates(
  { task, network, placement }: Tried,
  { engine, threads, precision, ...rest }: Settled<typeof findTable>,
): Promise<RateSearch> {
  const { from, to, steps, sampleWeight, signal, ...made } = rest
  const { callback, result } = rateSearch({ from, to, steps })
  const save = async (): Promise<void> => {}
  const settings = { ...settle(fitOptions, {}, 'fit'), ...made, steps, onNonFinite: 'stop' as const }
  return placement.aside({ engine, threads, precision }, async (session) => {
    const learner = { network, openSession: async () => session.as(network) }
    await fit(learner, task, settings, { sampleWeight, signal, callbacks: [callback], save })
    signal?.throwIfAborted()
    return result()
  })
}

/** Takes steps on the first batch, and measures their stages. */
export function tryStep(
  { task, network, placement }: Tried,
  { engine, threads, precision, optimizer, ...rest }: Settled<typeof profileTable>,
): Promise<StepProfile> {
  const settings = { ...rest, optimizer: settleOptimizer(optimizer), heads: headsOf(task.objective) }
  return placement.aside({ engine, threads, precision }, (session) => profile(session.as(network), task, settings))
}

/** Takes steps on batches of one size after the other. */
export function trySizes(
  { task, network, placement }: Tried,
  { engine, threads, precision, optimizer, ...rest }: Settled<typeof findSizeTable>,
): Promise<BatchSizeSearch> {
  const settings = { ...rest, optimizer: settleOptimizer(optimizer), heads: headsOf(task.objective) }
  return placement.aside({ engine, threads, precision }, (session) =>
    findBatchSize(session.as(network), task, settings),
  )
}
