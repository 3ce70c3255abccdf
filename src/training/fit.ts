/** Training: epochs of steps, judged after each; it ends early, goes on from a checkpoint, and tells callbacks of it all. */
import { FoveaError } from '../base/errors.ts'
import type { Dataset } from '../data/dataset.ts'
import { Reader } from '../data/reader.ts'
import { split, take } from '../data/subset.ts'
import { HALTED, judgedWeights, trainingSpecs } from '../network/graphs.ts'
import { trainedWeights } from '../network/network.ts'
import { objectiveFor } from '../network/objective.ts'
import type { Session } from '../network/session.ts'
import type { SettledOptimizer } from '../nn/optimizers.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import { stepSlots } from '../nn/step.ts'
import type { Checkpointing } from './checkpointing.ts'
import { openCheckpointing } from './checkpointing.ts'
import { programFor, trainEpoch } from './epoch.ts'
import { Tally } from './feed.ts'
import type { FitExtras } from './fit-options.ts'
import type { EpochRecord, History } from './history.ts'
import { historyOf } from './history.ts'
import { evaluate } from './inference.ts'
import { checkLength, classWeightsFor } from './sample-weights.ts'
import type { FitSettings, Judged, Training } from './training.ts'
import { controlOf, each, forgetKept, isOver, keyed, rateOf, whyStopped } from './training.ts'

interface Extras extends FitExtras {
  readonly save: (path: string, judged: Judged) => Promise<void>
  /** Called when nothing is left that training could be refused for. */
  readonly onBegun?: () => void
}

/**
 * Trains. Order and masks are functions of the seed and of how many epochs and steps the session has seen, so that two
 * trainings of one epoch are one of two. The last, smaller batch is trained on too.
 */
export async function fit(session: Session, data: Dataset, settings: FitSettings, extras: Extras): Promise<History> {
  const training = await begin(session, data, settings, extras)
  try {
    return await train(training, extras)
  } finally {
    const { data, validation } = training.readers
    await Promise.all([data.close(), validation?.close()])
  }
}

async function train(training: Training, extras: Extras): Promise<History> {
  const { at, session, settings, validation } = training
  const checkpoints = await checkpointsOf(training, extras)
  const resumed = await checkpoints?.resume()
  await session.state.write(HALTED, Float32Array.of(0))
  await checkpoints?.begin()
  extras.onBegun?.()

  const { memory } = await programFor(training, Math.min(settings.batchSize, training.data.length))
  const { name, description } = session.state.engine
  const { precision, askedPrecision } = session
  const info = {
    epochs: training.epochs,
    batches: training.batches,
    samples: training.data.length,
    validationSamples: validation?.length ?? 0,
    engine: `${name}: ${description}`,
    precision,
    ...(askedPrecision !== precision && { askedPrecision }),
    arenaBytes: memory.peakBytes,
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
  const { at, signal, totalSteps, batches } = training
  if (at.isDiverged) return 'diverged'
  const isWhole = at.step >= totalSteps && at.batch < batches // a last epoch that is not judged yet stands at its end
  if (!isWhole) at.stopped = whyStopped(training)
  if (at.stopped !== undefined) return 'stopped'
  return !isWhole && signal?.aborted ? 'aborted' : 'finished'
}

async function oneEpoch(training: Training, checkpoints: Checkpointing | undefined): Promise<void> {
  const { at, session, settings, validation, signal } = training
  if (at.batch === 0) await each(training, (c, control) => c.onEpochBegin?.(at.epoch, control))
  await trainEpoch(training, { every: checkpoints?.every ?? Infinity, onPause: async () => checkpoints?.save() })
  if (at.batch === 0) return
  const start = performance.now()
  const averages = judgedWeights(session.network, training.optimizer)
  const { loss, metrics, lossReduction } = settings
  const { validationWeights: sampleWeight, readers } = training
  const how = { loss, metrics, lossReduction, sampleWeight, signal, judged: averages, reader: readers.validation }
  const judged = validation && (await evaluate(session, validation, how).catch(undefinedIf(signal)))
  if (validation && !judged && at.batch === training.batches) return checkpoints?.save() // aborted: to be judged later
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
  if (at.batch < training.batches) return
  Object.assign(at, { epoch: at.epoch + 1, batch: 0, seconds: 0, tally: new Tally() })
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

/** Checks everything that can be checked before an epoch is spent, and puts the state of the optimizer in its place. */
async function begin(session: Session, data: Dataset, settings: FitSettings, extras: Extras): Promise<Training> {
  const { network } = session
  const { batchSize, fastDevRun } = settings
  if (trainedWeights(network).length === 0) {
    const hint = 'unfreeze() some layers, or build it of layers that have weights'
    throw new FoveaError('E_MODEL', { what: 'has nothing to train', where: network.name, hint })
  }
  const { callbacks = [], signal, save, sampleWeight } = extras
  const parts = partsOf(data, extras, settings)
  if (parts.validation) objectiveFor(network, parts.validation, settings)
  checkLength(sampleWeight, data)
  const objective = objectiveFor(network, parts.data, settings)
  const classes = await classWeightsFor(parts.data, objective, network, settings.classWeight)
  const optimizer = settleOptimizer(settings.optimizer, settings.learningRate)
  await beginOptimizer(session, optimizer)
  forgetKept(session)

  const batches = Math.ceil(parts.data.length / batchSize)
  const asked = settings.epochs ?? (settings.steps === undefined ? 1 : Math.ceil(settings.steps / batches))
  const epochs = fastDevRun === undefined ? asked : 1
  const judgedBy = { weights: judgedWeights(network, optimizer), save }
  const training: Training = {
    session,
    ...parts,
    readers: readersOf(parts, settings),
    objective,
    weighting: { samples: sampleWeight, classes },
    optimizer,
    settings,
    callbacks: keyed(callbacks).map((one) => ({ ...one, control: controlOf(() => training, one.key, judgedBy) })),
    epochs,
    batches,
    totalSteps: Math.min(epochs * batches, settings.steps ?? Infinity),
    at: {
      epoch: 1,
      batch: 0,
      step: 0,
      unreported: [],
      stopped: undefined,
      isDiverged: false,
      seconds: 0,
      tally: new Tally(),
      records: [],
      rates: [],
    },
    start: performance.now(),
    signal,
    rateFrom: () => training.at.step,
  }
  return training
}

/**
 * Puts the state of an optimizer in its place. Its slots and the count of its steps begin anew when it is another one, or
 * when weights are trained that had none; averages begin at the weights in every training.
 */
async function beginOptimizer(session: Session, optimizer: SettledOptimizer): Promise<void> {
  const specs = trainingSpecs(session.network, optimizer)
  const { type, options } = optimizer
  const signature = JSON.stringify([type, Object.keys(stepSlots(optimizer)), options.gradientAccumulationSteps])
  const isNew =
    session.optimizer?.signature !== signature || Object.keys(specs).some((name) => !session.state.has(name))
  if (isNew) session.optimizer = { signature, first: session.steps }
  await session.addFilled(specs, ({ value }) => isNew || typeof value !== 'number')
}

/** What is trained on and judged by, after all that cuts it short; weights of samples go with them. */
function partsOf(
  data: Dataset,
  { validationData, sampleWeight }: FitExtras,
  { validationSplit, batchSize, fastDevRun, overfitBatches }: FitSettings,
): Pick<Training, 'data' | 'validation' | 'validationWeights'> {
  const first = (part: Dataset, batches: number): Dataset => take(part, Math.min(part.length, batches * batchSize))
  // as in Keras, data for validation win over a share of the training data
  const [part, held] = validationSplit > 0 && !validationData ? split(data, validationSplit) : [data, undefined]
  const validation = validationData ?? held
  if (overfitBatches !== undefined) {
    const few = first(part, overfitBatches)
    return { data: few, validation: validation && few, validationWeights: sampleWeight }
  }
  const validationWeights = held && sampleWeight?.slice(part.length)
  if (fastDevRun === undefined) return { data: part, validation, validationWeights }
  return { data: first(part, fastDevRun), validation: validation && first(validation, fastDevRun), validationWeights }
}

/** Validation data that workers cannot read are read without them. */
function readersOf(
  { data, validation }: Pick<Training, 'data' | 'validation'>,
  { workers, prefetch }: FitSettings,
): Training['readers'] {
  const options = { workers, prefetch, shared: new Map() }
  const forValidation = validation?.describe?.() ? options : { prefetch }
  return { data: new Reader(data, options), validation: validation && new Reader(validation, forValidation) }
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
