/** The batch size finder: the speed and the memory of a training step, for one size after the other. */
import { FoveaError } from '../base/errors.ts'
import { integer } from '../base/options.ts'
import { headsOf } from '../network/objective.ts'
import type { Session } from '../network/session.ts'
import type { Optimizer } from '../nn/optimizers.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import type { StepSettings } from './profile.ts'
import { stepOf, timed, WARM } from './profile.ts'
import type { Task } from './task.ts'

export const findBatchSizeOptions = {
  from: integer({ says: 'the smallest size; each one after it is twice as large', min: 1, default: 8 }),
  to: integer({ says: 'the largest size, where there are data and memory for it', min: 1, default: 1024 }),
  steps: integer({ says: 'steps of each size that are measured', min: 1, default: 10 }),
}

/** A size that was tried. */
export interface TriedSize {
  readonly batchSize: number
  readonly imagesPerSecond: number
  /** Planned for a step, without weights and optimizer state. */
  readonly arenaBytes: number
}

export interface BatchSizeSearch {
  readonly sizes: readonly TriedSize[]
  /** The smallest size that is nearly as fast as the fastest. */
  readonly suggestion: number
  /** Why no larger one was tried, where `to` was not reached. */
  readonly ended?: string
}

/** Share of the best speed that is fast enough: larger batches make fewer updates of an epoch. */
const NEARLY = 0.95

interface Search {
  readonly from: number
  readonly to: number
  readonly steps: number
  readonly seed: number
  readonly optimizer: Optimizer
}

/**
 * What takes steps of training on the first samples of the data, twice as many from size to size. A session is changed by it: give a
 * copy. Options that are wrong are refused at once.
 */
export function batchSizeFinder(
  task: Task,
  { from, to, optimizer, ...given }: Search,
): (session: Session) => Promise<BatchSizeSearch> {
  if (from > to) throw new FoveaError('E_OPTION', { what: "'to' must not be below 'from'", got: `${from} to ${to}` })
  const how = { ...given, optimizer: settleOptimizer(optimizer), heads: headsOf(task.objective) }
  const { length, name: where } = task.data
  return async (session) => {
    const sizes: TriedSize[] = []
    let ended: string | undefined
    for (let batchSize = from; batchSize <= to && ended === undefined; batchSize *= 2) {
      const tried = batchSize > length ? 'data' : await triedSize(session, task, { ...how, batchSize })
      if (tried === 'data') ended = `the data have ${length} samples`
      else if (tried === 'memory') ended = `a batch of ${batchSize} needs more memory than the engine has`
      else sizes.push(tried)
    }
    if (sizes.length === 0) {
      const [what, hint] = ['no batch size could be tried', "give a smaller 'from'"]
      throw new FoveaError('E_OPTION', { what, where, ...(ended !== undefined && { got: ended }), hint })
    }
    return { sizes, suggestion: nearlyFastest(sizes), ...(ended !== undefined && { ended }) }
  }
}

/** The smallest of sizes that rise whose speed is near to the best. */
export function nearlyFastest(sizes: readonly TriedSize[]): number {
  const best = Math.max(...sizes.map(({ imagesPerSecond }) => imagesPerSecond))
  const found = sizes.find(({ imagesPerSecond }) => imagesPerSecond >= NEARLY * best) as TriedSize
  return found.batchSize
}

/** `memory` where the engine has not enough of it. */
async function triedSize(session: Session, task: Task, how: Omit<StepSettings, 'mode'>): Promise<TriedSize | 'memory'> {
  const { batchSize, steps } = how
  try {
    const { program, run } = await stepOf(session, task, { ...how, mode: 'train' })
    for (let i = 0; i < WARM; i++) await run()
    const imagesPerSecond = batchSize / (await timed(run, steps))
    return { batchSize, imagesPerSecond, arenaBytes: program.memory.peakBytes }
  } catch (error) {
    if (error instanceof FoveaError && error.code === 'E_LIMIT') return 'memory'
    throw error
  }
}
