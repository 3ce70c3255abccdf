/** fit: batches go through the training programs of a session, at most two steps ahead of what is known. */
import { FoveaError } from '../base/errors.ts'
import type { Options, Settled } from '../base/options.ts'
import { custom, flag, integer, number } from '../base/options.ts'
import { permutation, split64, stream } from '../base/random.ts'
import type { Program } from '../compile/program.ts'
import { allocateBatch } from '../data/batch.ts'
import type { Dataset } from '../data/dataset.ts'
import { split } from '../data/subset.ts'
import type { Optimizer, OptimizerName, SettledOptimizer } from '../nn/optimizers.ts'
import { optimizerNames, settleOptimizer } from '../nn/optimizers.ts'
import type { NumbersByName } from './feed.ts'
import { checkTargets, fed, fieldsKey, IN_FLIGHT, onlyKnown, Tally } from './feed.ts'
import { HALTED, trainingGoals, trainingSpecs } from './graphs.ts'
import type { Callback, EpochRecord, History } from './history.ts'
import { historyOf } from './history.ts'
import { evaluate } from './infer.ts'
import type { Objective } from './objective.ts'
import { objectiveFor, objectiveOptions } from './objective.ts'
import type { Weighting } from './sample-weights.ts'
import {
  checkLength,
  classWeightOptions,
  classWeightsFor,
  sampleWeightOptions,
  weightInputs,
} from './sample-weights.ts'
import type { Session } from './session.ts'

/** Is this an optimizer that we have? What is wrong with its options is said at once. */
function isOptimizer(value: unknown): value is Optimizer {
  const type = typeof value === 'string' ? value : (value as { type?: unknown } | null)?.type
  return optimizerNames.includes(type as OptimizerName) && settleOptimizer(value as Optimizer) !== undefined
}

/** Options of `fit` that are plain data; the command has them as flags. */
export const fitOptions = {
  epochs: integer({
    says: 'times that all samples are seen; without it as many as the steps take, or 1',
    min: 1,
    optional: true,
  }),
  steps: integer({ says: 'steps after which training ends, in the middle of an epoch or not', min: 1, optional: true }),
  batchSize: integer({ says: 'samples per step', min: 1, default: 32 }),
  optimizer: custom<Optimizer>({
    says: 'rule of the updates',
    accepts: `${optimizerNames.map((n) => `'${n}'`).join(', ')} or { type, ...options }`,
    check: (v) => (isOptimizer(v) ? v : undefined),
    default: 'adam',
    parse: (s) => (s.startsWith('{') ? JSON.parse(s) : s),
  }),
  learningRate: number({ says: "size of a step; the optimizer's own when absent", min: 0, optional: true }),
  ...objectiveOptions,
  ...classWeightOptions,
  validationSplit: number({
    says: 'last share of the samples, taken before shuffling, that is kept for validation',
    min: 0,
    max: 1,
    ends: 'right-open',
    default: 0,
  }),
  shuffle: flag({ says: 'a new order every epoch', default: true }),
  seed: integer({ says: 'of the order and of dropout', min: 0, default: 0 }),
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

/** What else `fit` takes: things that are no plain data. */
export const fitExtras = {
  ...sampleWeightOptions,
  validationData: custom<Dataset>({
    says: 'judged after every epoch; wins over validationSplit',
    accepts: 'a dataset',
    check: (v) => (isObject(v) ? (v as Dataset) : undefined),
    optional: true,
  }),
  callbacks: custom<readonly Callback[]>({
    says: 'hear of training',
    accepts: 'a list of objects such as { onEpochEnd(record) { ... } }',
    check: (v) => (Array.isArray(v) && v.every(isObject) ? v : undefined),
    optional: true,
  }),
  signal: custom<AbortSignal>({
    says: 'ends training once the steps under way (two at most) are done; the weights are then those of the last one',
    accepts: 'an AbortSignal',
    check: (v) => (v instanceof AbortSignal ? v : undefined),
    optional: true,
  }),
}
export type FitExtras = Options<typeof fitExtras>

/** A training that goes on: what its epochs and steps need. */
interface Training {
  readonly session: Session
  readonly data: Dataset
  readonly objective: Objective
  readonly weighting: Weighting
  readonly optimizer: SettledOptimizer
  readonly settings: Settled<typeof fitOptions>
  readonly callbacks: readonly Callback[]
  readonly epochs: number
  readonly batches: number
  /** No step is taken once this says so. */
  readonly isOver: () => boolean
  readonly firstStep: number
  /** Steps taken by this training. */
  readonly stepsTaken: () => number
}

/**
 * Trains. Order and masks are functions of the seed and of how many epochs and steps the session has seen, so that two
 * trainings of one epoch are one of two. The last, smaller batch is trained on too.
 */
export async function fit(
  session: Session,
  data: Dataset,
  settings: Settled<typeof fitOptions>,
  { sampleWeight, validationData, callbacks = [], signal }: FitExtras,
): Promise<History> {
  const { steps, batchSize, validationSplit, loss, metrics, lossReduction } = settings
  // as in Keras, data for validation win over a share of the training data
  const [part, held] = validationSplit > 0 && !validationData ? split(data, validationSplit) : [data, undefined]
  const validation = validationData ?? held
  const judged = { loss, metrics, lossReduction, sampleWeight: held && sampleWeight?.slice(part.length), signal }
  if (validation) objectiveFor(session.network, validation, judged) // said before an epoch is spent
  checkLength(sampleWeight, data)
  const objective = objectiveFor(session.network, part, judged)
  const classes = await classWeightsFor(part, objective, session.network, settings.classWeight)
  const optimizer = withRate(settleOptimizer(settings.optimizer), settings.learningRate)
  await session.addFilled(trainingSpecs(session.network, optimizer))
  await session.state.write(HALTED, Float32Array.of(0))

  const firstStep = session.steps
  const stepsTaken = (): number => session.steps - firstStep
  const isOver = (): boolean => stepsTaken() >= (steps ?? Infinity) || signal?.aborted === true
  const batches = Math.ceil(part.length / batchSize)
  const epochs = settings.epochs ?? (steps === undefined ? 1 : Math.ceil(steps / batches))
  const training = {
    session,
    data: part,
    objective,
    weighting: { samples: sampleWeight, classes },
    optimizer,
    settings,
    callbacks,
    epochs,
    batches,
    isOver,
    firstStep,
    stepsTaken,
  }

  const { memory } = await programFor(training, Math.min(batchSize, part.length))
  const { name, description } = session.state.engine
  const info = {
    epochs,
    batches,
    samples: part.length,
    validationSamples: validation?.length ?? 0,
    engine: `${name}: ${description}`,
    arenaBytes: memory.peakBytes,
  }
  await each(callbacks, (c) => c.onTrainBegin?.(info))
  const records: EpochRecord[] = []
  const end = async (ended: History['ended']): Promise<History> => {
    const history = historyOf(records, stepsTaken(), ended)
    await each(callbacks, (c) => c.onTrainEnd?.(history))
    return history
  }
  try {
    for (let epoch = 1; epoch <= epochs && !isOver(); epoch++) {
      await each(callbacks, (c) => c.onEpochBegin?.(epoch))
      const start = performance.now()
      const tally = await trainEpoch(training, epoch)
      if (tally.samples === 0) break
      const logs = validation ? await evaluate(session, validation, judged) : undefined
      const validated = Object.entries(logs ?? {}).map(([log, value]) => [`val_${log}`, value])
      const counts = { samples: tally.samples, seconds: (performance.now() - start) / 1000 }
      const record = { epoch, ...tally.means, ...Object.fromEntries(validated), ...counts } as EpochRecord
      records.push(record)
      await each(callbacks, (c) => c.onEpochEnd?.(record))
    }
  } catch (error) {
    await end('failed')
    throw error
  }
  return end(signal?.aborted ? 'aborted' : 'finished')
}

/** The training program for batches of `size`. */
function programFor({ session, data, objective, optimizer }: Training, size: number): Promise<Program> {
  const { type } = optimizer
  const { learningRate: _, ...options } = optimizer.options // an input of every program, not a part of one
  const key = `train ${size} ${fieldsKey(data.inputs)} ${fieldsKey(data.targets)} ${JSON.stringify([objective, type, options])}`
  return session.program(key, () => trainingGoals(session.network, objective, { ...data, size }, optimizer))
}

/** All batches of an epoch, at most `IN_FLIGHT` steps ahead of what is known; when it fails, nothing is left running. */
async function trainEpoch(training: Training, epoch: number): Promise<Tally> {
  const { session, data, settings, batches, isOver } = training
  const { batchSize, shuffle, seed } = settings
  const order = shuffle
    ? permutation({ seed, stream: stream('shuffle'), step: session.epochs }, data.length)
    : Uint32Array.from({ length: data.length }, (_, i) => i)
  session.epochs++
  const tally = new Tally()
  const start = performance.now()
  const pending: Promise<void>[] = []
  try {
    for (let batch = 0; batch < batches && !isOver(); batch++) {
      const indices = order.subarray(batch * batchSize, (batch + 1) * batchSize)
      const { sums } = await takeStep(training, indices)
      const place = { epoch, epochs: training.epochs, batch: batch + 1, batches, step: training.stepsTaken() }
      const done = sums.then((values) => report(training, values, { place, tally, start, samples: indices.length }))
      done.catch(() => {}) // it is waited for below
      pending.push(done)
      if (pending.length >= IN_FLIGHT) await pending.shift()
    }
    await Promise.all(pending)
  } finally {
    await Promise.allSettled(pending)
  }
  return tally
}

/** Reads a batch and starts a step on it; its sums come later. */
async function takeStep(training: Training, indices: Uint32Array): Promise<{ sums: Promise<NumbersByName> }> {
  const { session, data, objective, weighting, optimizer, settings } = training
  const arrays = allocateBatch(data, indices.length)
  const [program] = await Promise.all([programFor(training, indices.length), data.read(indices, arrays)])
  const room = { indices, capacity: indices.length }
  checkTargets(arrays, objective, session, room, data.name)
  const step = session.steps++
  const given = {
    ...stepInputs(settings.seed, step, optimizer),
    ...weightInputs(arrays, objective, room, weighting),
  }
  return { sums: program.run({ ...fed(arrays, program), ...onlyKnown(program, given) }) }
}

interface Reported {
  readonly place: { epoch: number; epochs: number; batch: number; batches: number; step: number }
  readonly tally: Tally
  readonly start: number
  readonly samples: number
}

/** Adds a step's sums to those of the epoch and tells the callbacks; throws when the step was not finite. */
async function report(
  training: Training,
  { finite, ...sums }: NumbersByName,
  { place, tally, start, samples }: Reported,
): Promise<void> {
  if (finite[0] !== 1) {
    const { session, firstStep, optimizer } = training
    session.steps = Math.min(session.steps, firstStep + place.step - 1) // this step and those behind it did nothing
    throw nonFinite(place, optimizer)
  }
  tally.add(sums, samples)
  const batch = new Tally()
  batch.add(sums, samples)
  const imagesPerSecond = tally.samples / Math.max((performance.now() - start) / 1000, 1e-9)
  const secondsLeft = (training.data.length - tally.samples) / imagesPerSecond
  const progress = { ...place, imagesPerSecond, secondsLeft, logs: tally.means, batchLogs: batch.means }
  await each(training.callbacks, (c) => c.onBatchEnd?.(progress))
}

async function each(
  callbacks: readonly Callback[],
  call: (callback: Callback) => void | Promise<void> | undefined,
): Promise<void> {
  for (const callback of callbacks) await call(callback)
}

function withRate(optimizer: SettledOptimizer, learningRate: number | undefined): SettledOptimizer {
  return learningRate === undefined ? optimizer : { ...optimizer, options: { ...optimizer.options, learningRate } }
}

function stepInputs(seed: number, step: number, { row, options }: SettledOptimizer): NumbersByName {
  const rates = Object.entries(row.rates(options, step + 1)).map(([name, value]) => [
    `rate/${name}`,
    Float64Array.of(value),
  ])
  return {
    ...Object.fromEntries(rates),
    key: Int32Array.from([...split64(seed), step, 0]),
  }
}

function nonFinite({ epoch, batch }: Reported['place'], { options }: SettledOptimizer): FoveaError {
  return new FoveaError('E_NONFINITE', {
    what: 'the loss or a gradient is not a finite number; the weights are those before this step',
    where: `epoch ${epoch}, batch ${batch}`,
    hint: `lower the learning rate (now ${options['learningRate']}), or look for bad values in the data`,
  })
}
