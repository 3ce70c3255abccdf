/** The batch size finder: the speed and the memory of a training step, for one size after the other. */
import { FoveaError } from '../base/errors.ts'
import { integer } from '../base/options.ts'
import type { Session } from '../network/session.ts'
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

interface Search extends Omit<StepSettings, 'batchSize' | 'mode'> {
  readonly from: number
  readonly to: number
}

/** Takes steps of training on the first samples of the data, twice as many from size to size. The session is changed: give a copy. */
export async function findBatchSize(session: Session, task: Task, search: Search): Promise<BatchSizeSearch> {
  const { from, to, ...others } = search
  if (from > to) throw new FoveaError('E_OPTION', { what: "'to' must not be below 'from'", got: `${from} to ${to}` })
  const sizes: TriedSize[] = []
  let ended: string | undefined
  for (let batchSize = from; batchSize <= to && ended === undefined; batchSize *= 2) {
    if (batchSize > task.data.length) ended = `the data have ${task.data.length} samples`
    else {
      const tried = await triedSize(session, task, { ...others, batchSize })
      if (tried) sizes.push(tried)
      else ended = `a batch of ${batchSize} needs more memory than the engine has`
    }
  }
  if (sizes.length === 0) {
    const [what, hint] = ['no batch size could be tried', "give a smaller 'from'"]
    throw new FoveaError('E_OPTION', { what, where: task.data.name, ...(ended !== undefined && { got: ended }), hint })
  }
  const best = Math.max(...sizes.map(({ imagesPerSecond }) => imagesPerSecond))
  const suggestion = sizes.find(({ imagesPerSecond }) => imagesPerSecond >= NEARLY * best) as TriedSize
  return { sizes, suggestion: suggestion.batchSize, ...(ended !== undefined && { ended }) }
}

/** Undefined where the engine has not enough memory. */
async function triedSize(
  session: Session,
  task: Task,
  how: Omit<StepSettings, 'mode'>,
): Promise<TriedSize | undefined> {
  const { batchSize, steps } = how
  try {
    const { program, run } = await stepOf(session, task, { ...how, mode: 'train' })
    for (let i = 0; i < WARM; i++) await run()
    const imagesPerSecond = batchSize / (await timed(run, steps))
    return { batchSize, imagesPerSecond, arenaBytes: program.memory.peakBytes }
  } catch (error) {
    if (error instanceof FoveaError && error.code === 'E_LIMIT') return undefined
    throw error
  }
}
