/** Training: epochs of steps with validation after each; it can end early, resume from a checkpoint, and calls callbacks. */
import { FoveaError } from '../base/errors.ts'
import { HALTED, judgedWeights } from '../network/graphs.ts'
import { logsToRaise } from '../network/measures.ts'
import type { Extras, Learner, Lesson } from './begin.ts'
import { beginTraining } from './begin.ts'
import type { Checkpointing } from './checkpointing.ts'
import { openCheckpointing } from './checkpointing.ts'
import { trainEpoch } from './epoch.ts'
import type { FitExtras } from './fit-options.ts'
import type { EpochRecord, History } from './history.ts'
import { historyOf } from './history.ts'
import { evaluate } from './inference.ts'
import { planStep } from './steps.ts'
import { Tally } from './tally.ts'
import type { FitSettings, Training } from './training.ts'
import { each, forgetKept, isOver, rateOf, whyStopped } from './training.ts'

/**
 * Trains. Order and masks are functions of the seed and of how many epochs and steps the session has seen, so that two
 * trainings of one epoch are one of two. The last, smaller batch is trained on too.
 */
export async function fit(learner: Learner, lesson: Lesson, settings: FitSettings, extras: Extras): Promise<History> {
  const { signal, onBegun } = extras
  let hasBegun = false
  const begun = (): void => {
    hasBegun = true
    onBegun?.()
  }
  try {
    const training = await beginTraining(learner, lesson, settings, extras)
    try {
      return await train(training, { ...extras, onBegun: begun })
    } finally {
      await Promise.all([training.source.close(), training.validation?.reader.close()])
    }
  } catch (error) {
    // given up while the data were read for their classes or their identity: nothing has been trained
    if (!hasBegun && signal?.aborted && error === signal.reason) return historyOf([], 0, { ended: 'aborted' })
    throw error
  }
}

async function train(training: Training, extras: Extras): Promise<History> {
  const checkpoints = await checkpointsOf(training, extras)
  try {
    return await trainFrom(training, checkpoints, extras)
  } finally {
    await checkpoints?.close()
  }
}

async function trainFrom(training: Training, checkpoints: Checkpointing | undefined, extras: Extras): Promise<History> {
  const { at, session, source, validation } = training
  const resumed = await checkpoints?.resume()
  await session.state.write(HALTED, Float32Array.of(0))
  await checkpoints?.begin()
  extras.onBegun?.()

  const { arenaBytes, logs } = await planStep(training, source.batchSize)
  /** Logs of training, and those of validation where there is one. */
  const bothOf = (logs: readonly string[]): string[] =>
    [...logs, ...(validation ? logs.map((log) => `val_${log}`) : [])].sort()
  const { name, description } = session.state.engine
  const { precision, askedPrecision } = session
  const info = {
    epochs: training.epochs,
    batches: source.batches,
    ...(source.samples !== undefined && { samples: source.samples }),
    validationSamples: validation?.data.length ?? 0,
    logs: bothOf(logs),
    logsToRaise: bothOf(logsToRaise(training.objective)),
    engine: `${name}: ${description}`,
    precision,
    ...(askedPrecision !== precision && { askedPrecision }),
    arenaBytes,
    ...(resumed && { resumed }),
  }
  await each(training, (c, control) => c.onTrainBegin?.(info, control))
  try {
    if (at.batch > 0 || at.unreported.length > 0) await oneEpoch(training, checkpoints) // it may be over, but for its end
    while (at.epoch <= training.epochs && !isOver(training)) await oneEpoch(training, checkpoints)
  } catch (error) {
    await end(training, 'failed').catch(() => {}) // the first error is the one to tell
    throw error
  }
  return end(training, howEnded(training))
}

function howEnded(training: Training): History['ended'] {
  const { at, signal, totalSteps, source } = training
  if (at.isDiverged) return 'diverged'
  const isWhole = at.step >= totalSteps && at.batch < source.batches // a last epoch that is not judged yet is at its end
  if (!isWhole) at.stopped = whyStopped(training)
  if (at.stopped !== undefined) return 'stopped'
  return !isWhole && signal?.aborted ? 'aborted' : 'finished'
}

async function oneEpoch(training: Training, checkpoints: Checkpointing | undefined): Promise<void> {
  const { at, session, source, validation, signal } = training
  if (at.batch === 0) await each(training, (c, control) => c.onEpochBegin?.(at.epoch, control))
  await trainEpoch(training, { every: checkpoints?.every ?? Infinity, onPause: async () => checkpoints?.save() })
  if (at.batch === 0) return
  const start = performance.now()
  const averages = judgedWeights(session.network, training.optimizer)
  const how = { sampleWeight: validation?.sampleWeight, signal, judged: averages, reader: validation?.reader }
  const judged = validation && (await evaluate(session, validation, how).catch(undefinedIf(signal)))
  if (validation && !judged && at.batch === source.batches) return checkpoints?.save() // aborted: to be judged later
  const validated = Object.entries(judged ?? {}).map(([log, value]) => [`val_${log}`, value])
  const record = {
    epoch: at.epoch,
    ...at.tally.means,
    ...Object.fromEntries(validated),
    samples: at.tally.samples,
    seconds: at.seconds + (performance.now() - start) / 1000,
    learningRate: rateOf(training, at.step - 1),
  } as EpochRecord
  at.records.push(record)
  await each(training, (c, control) => c.onEpochEnd?.(record, control))
  if (at.batch < source.batches) return
  Object.assign(at, { epoch: at.epoch + 1, batch: 0, seconds: 0, tally: new Tally(training.readings) })
  await checkpoints?.save()
}

/** What was given up has no answer. */
const undefinedIf =
  (signal: AbortSignal | undefined) =>
  (error: unknown): undefined => {
    if (signal?.aborted) return undefined
    throw error
  }

async function end(training: Training, ended: History['ended']): Promise<History> {
  const { records, step } = training.at
  const { session, optimizer, at } = training
  if (ended !== 'failed') {
    // averages, where they are kept, become the weights
    const averaged = Object.entries(judgedWeights(session.network, optimizer)).filter(
      ([name, judged]) => judged !== name,
    )
    for (const [name, judged] of averaged) await session.state.write(name, await session.state.read(judged))
  }
  const history = historyOf(records, step, { ended, why: at.stopped })
  try {
    await each(training, (c, control) => c.onTrainEnd?.(history, control))
  } finally {
    forgetKept(session)
  }
  return history
}

async function checkpointsOf(
  training: Training,
  { checkpoints, resume }: FitExtras,
): Promise<Checkpointing | undefined> {
  if (resume && !checkpoints) {
    const hint = "as in checkpoints: { folder: 'run/checkpoints' }"
    throw new FoveaError('E_OPTION', { what: "'resume' needs 'checkpoints'", where: 'fit', hint })
  }
  if (!checkpoints || training.settings.fastDevRun !== undefined) return undefined
  return openCheckpointing(training, checkpoints, resume === true)
}
