/** The beginning of a training: everything that can be refused is refused, and the state is put in its place. */
import { FoveaError } from '../base/errors.ts'
import type { Dataset } from '../data/dataset.ts'
import { Reader } from '../data/reader.ts'
import type { SharedArrays } from '../data/reading-threads.ts'
import { split, take } from '../data/subset.ts'
import { judgedWeights, trainingSpecs } from '../network/graphs.ts'
import type { Network } from '../network/network.ts'
import { trainedWeights } from '../network/network.ts'
import type { Session } from '../network/session.ts'
import type { SettledOptimizer } from '../nn/optimizers.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import { stepSlots } from '../nn/step.ts'
import type { BatchSource } from './batches.ts'
import { datasetBatches } from './batches.ts'
import type { FitExtras } from './fit-options.ts'
import { limited } from './fit-options.ts'
import { pacerOf } from './pause.ts'
import { checkLength, classWeightsFor } from './sample-weights.ts'
import { Tally } from './tally.ts'
import type { Described, Task } from './task.ts'
import type { FitSettings, Judged, Training, Validation } from './training.ts'
import { controlOf, forgetKept, keyed, timeIn } from './training.ts'

/** Who learns. The session is opened when nothing of the data and the settings is left to refuse. */
export interface Learner {
  readonly network: Network
  readonly openSession: () => Promise<Session>
}

export interface Extras extends Omit<FitExtras, 'validationData' | 'stepsPerEpoch'> {
  readonly validation?: Task | undefined
  readonly save: (path: string, judged: Judged) => Promise<void>
  /** Called when nothing is left that training could be refused for. */
  readonly onBegun?: () => void
}

/** What is learned: from a dataset, or from batches as they come. */
export type Lesson = Task | (Task<Described> & { readonly source: BatchSource })

/** What of it is trained on, and judged by. */
interface TrainingData {
  readonly data: Described
  readonly source: BatchSource
  readonly validation: Validation | undefined
}

/** A training that has not taken a step yet. */
export async function beginTraining(
  { network, openSession }: Learner,
  lesson: Lesson,
  settings: FitSettings,
  extras: Extras,
): Promise<Training> {
  const { objective } = lesson
  if (trainedWeights(network).length === 0) {
    const hint = 'unfreeze() some layers, or use layers that have weights'
    throw new FoveaError('E_MODEL', { what: 'has nothing to train', where: network.name, hint })
  }
  const { callbacks = [], signal, control, save, sampleWeight } = extras
  const parts = 'source' in lesson ? streamParts(lesson, extras, settings) : datasetParts(lesson, extras, settings)
  const { batches, data: whole } = parts.source
  const { initialEpoch, epochs } = epochsOf(settings, batches)
  const classes = await classWeightsFor(whole ?? parts.data, objective, network, settings.classWeight, signal)
  const optimizer = settleOptimizer(settings.optimizer, settings.learningRate)
  const session = await openSession()
  await beginOptimizer(session, optimizer)
  if (initialEpoch > 0) countFrom(session, { epochs: initialEpoch, steps: initialEpoch * batches })
  forgetKept(session)

  const judgedBy = { weights: judgedWeights(network, optimizer), save }
  const clock = { paused: 0 }
  const training: Training = {
    session,
    ...parts,
    objective,
    weighting: { samples: sampleWeight, classes },
    optimizer,
    settings,
    callbacks: keyed(callbacks).map((one) => ({ ...one, control: controlOf(() => training, one.key, judgedBy) })),
    epochs,
    totalSteps: Math.min((epochs - initialEpoch) * batches, settings.steps ?? Infinity),
    earlierSteps: initialEpoch * batches,
    at: {
      epoch: initialEpoch + 1,
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
    start: timeIn({ clock }),
    clock,
    signal,
    control: pacerOf(control),
    rateFrom: () => training.at.step,
  }
  return training
}

/** The epochs that were before, and the last one. */
function epochsOf(
  { initialEpoch, epochs, steps, fastDevRun }: FitSettings,
  batches: number,
): { readonly initialEpoch: number; readonly epochs: number } {
  const taken = steps === undefined ? 1 : Math.ceil(steps / batches)
  const last = epochs ?? initialEpoch + taken
  if (last > initialEpoch) return { initialEpoch, epochs: fastDevRun === undefined ? last : initialEpoch + 1 }
  throw new FoveaError('E_OPTION', {
    what: "'epochs' is the last epoch, not a number of epochs after 'initialEpoch'",
    where: 'fit',
    expected: `epochs above ${initialEpoch}`,
    got: `${last}`,
  })
}

/** Order of samples and masks go on as if this many epochs and steps had been; bias corrections count as before. */
function countFrom(session: Session, { epochs, steps }: { readonly epochs: number; readonly steps: number }): void {
  const { optimizer } = session
  if (optimizer) session.optimizer = { ...optimizer, first: optimizer.first + steps - session.steps }
  Object.assign(session, { epochs, steps })
}

/**
 * Puts the state of an optimizer in its place. Its slots and the count of its steps start again when it is another one, or
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

function streamParts(
  { data, source }: Task<Described> & { readonly source: BatchSource },
  { validation }: Extras,
  settings: FitSettings,
): TrainingData {
  const batches = limited(source.batches, settings.fastDevRun ?? settings.limitTrainBatches)
  const judged = validation && fewer({ ...validation, sampleWeight: undefined }, settings)
  return { data, source: { ...source, batches }, validation: withReader(judged, settings) }
}

/** Threads read data for validation too, where they can. */
function withReader(
  judged: Omit<Validation, 'reader'> | undefined,
  { workers, prefetch }: FitSettings,
  shared?: SharedArrays,
): Validation | undefined {
  if (!judged) return undefined
  const options = judged.data.describe?.() ? { workers, prefetch, ...(shared && { shared }) } : { prefetch }
  return { ...judged, reader: new Reader(judged.data, options) }
}

const first = (data: Dataset, samples: number): Dataset => take(data, Math.min(data.length, samples))

/** The batches that are evaluated, where the settings ask for some only. */
function fewer(
  judged: Omit<Validation, 'reader'>,
  { batchSize, fastDevRun, limitValidationBatches }: FitSettings,
): Omit<Validation, 'reader'> {
  const batches = Math.ceil(judged.data.length / batchSize)
  return { ...judged, data: first(judged.data, limited(batches, fastDevRun ?? limitValidationBatches) * batchSize) }
}

function datasetParts(task: Task, extras: Extras, settings: FitSettings): TrainingData {
  checkLength(extras.sampleWeight, task.data)
  const { data, validation } = partsOf(task, extras, settings)
  const { batchSize, seed, overfitBatches, workers, prefetch } = settings
  const shuffle = settings.shuffle && overfitBatches === undefined
  const shared: SharedArrays = new Map()
  const reader = new Reader(data, { workers, prefetch, shared })
  const limit = settings.fastDevRun ?? overfitBatches ?? settings.limitTrainBatches
  const batches = limited(Math.ceil(data.length / batchSize), limit)
  const source = datasetBatches(data, { batches, batchSize, shuffle, seed, reader, signal: extras.signal })
  return { data, source, validation: withReader(validation, settings, shared) }
}

/** What is trained on and judged by, after all that cuts it short; weights of samples go with them. */
function partsOf(
  { data, objective }: Task,
  { validation: given, sampleWeight }: Extras,
  settings: FitSettings,
): { readonly data: Dataset; readonly validation: Omit<Validation, 'reader'> | undefined } {
  const { validationSplit, batchSize, fastDevRun, overfitBatches } = settings
  // as in Keras, data for validation win over a share of the training data
  const [part, held] = validationSplit > 0 && !given ? split(data, validationSplit) : [data, undefined]
  const judged = given ?? (held && { data: held, objective })
  if (overfitBatches !== undefined) {
    const few = first(part, overfitBatches * batchSize)
    return { data: few, validation: judged && { data: few, objective, sampleWeight } }
  }
  const validation = judged && fewer({ ...judged, sampleWeight: held && sampleWeight?.slice(part.length) }, settings)
  return { data: fastDevRun === undefined ? part : first(part, fastDevRun * batchSize), validation }
}
