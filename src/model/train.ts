/** fit: batches go through the training programs of a session, at most two steps ahead of what is known. */
import { FoveaError } from '../base/errors.ts'
import type { Options, Settled } from '../base/options.ts'
import { custom, flag, integer, number } from '../base/options.ts'
import { permutation, split64, stream } from '../base/random.ts'
import type { Program } from '../compile/program.ts'
import { allocateBatch } from '../data/batch.ts'
import type { Dataset } from '../data/dataset.ts'
import { split } from '../data/subset.ts'
import type { LossName } from '../nn/losses.ts'
import { lossNames } from '../nn/losses.ts'
import type { Optimizer, SettledOptimizer } from '../nn/optimizers.ts'
import { optimizerNames, settleOptimizer } from '../nn/optimizers.ts'
import type { NumbersByName } from './feed.ts'
import { checkLabels, fed, fieldsKey, IN_FLIGHT, onlyKnown, Tally } from './feed.ts'
import { slotSpecs, trainingGoals } from './graphs.ts'
import type { Callback, EpochRecord, History, Progress } from './history.ts'
import { historyOf } from './history.ts'
import { evaluate } from './infer.ts'
import type { LossChoice } from './objective.ts'
import { objectiveFor } from './objective.ts'
import type { Session } from './session.ts'

const isOptimizer = (value: unknown): value is Optimizer => settleOptimizer(value as Optimizer) !== undefined
const isLoss = (value: unknown): boolean => lossNames.includes(value as LossName)

/** Options of `fit` that are plain data; the command has them as flags. */
export const fitOptions = {
  epochs: integer({ says: 'times that all samples are seen', min: 1, default: 1 }),
  steps: integer({ says: 'steps after which training ends, whatever the epochs say', min: 1, optional: true }),
  batchSize: integer({ says: 'samples per step', min: 1, default: 32 }),
  optimizer: custom<Optimizer>({
    says: 'rule of the updates',
    accepts: `${optimizerNames.map((n) => `'${n}'`).join(', ')} or { type, ...options }`,
    check: (v) => (isOptimizer(v) ? v : undefined),
    default: 'adam',
    parse: (s) => (s.startsWith('{') ? JSON.parse(s) : s),
  }),
  learningRate: number({ says: "size of a step; the optimizer's own when absent", min: 0, optional: true }),
  loss: custom<LossChoice | undefined>({
    says: 'what is minimised; follows from the targets when absent',
    accepts: `${lossNames.map((n) => `'${n}'`).join(', ')}, or one per output by name`,
    check: (v) =>
      isLoss(v) || (typeof v === 'object' && v !== null && Object.values(v).every(isLoss))
        ? (v as LossChoice)
        : undefined,
    optional: true,
    parse: (s) => (s.startsWith('{') ? JSON.parse(s) : s),
  }),
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

/** What else `fit` takes. */
export interface FitExtras {
  /** Judged after every epoch. */
  readonly validationData?: Dataset
  readonly callbacks?: readonly Callback[]
  /** Ends training after the step at hand; the weights are then those of the last step. */
  readonly signal?: AbortSignal
}
export type FitOptions = Options<typeof fitOptions> & FitExtras

/** Trains. Data, order and masks are functions of the seed; the last, smaller batch is trained on too. */
export async function fit(
  session: Session,
  data: Dataset,
  settings: Settled<typeof fitOptions>,
  { validationData, callbacks = [], signal }: FitExtras,
): Promise<History> {
  const { epochs, batchSize, shuffle, seed, validationSplit } = settings
  const [training, held] = validationSplit > 0 ? split(data, validationSplit) : [data, undefined]
  const validation = validationData ?? held
  const objective = objectiveFor(session.network, training, settings.loss)
  const optimizer = withRate(settleOptimizer(settings.optimizer), settings.learningRate)
  await session.addZeros(slotSpecs(session.network, optimizer))

  const batches = Math.ceil(training.length / batchSize)
  const lastStep = Math.min(settings.steps ?? Infinity, epochs * batches)
  const program = (size: number): Promise<Program> => {
    const key = `train ${size} ${fieldsKey(training.inputs)} ${fieldsKey(training.targets)} ${JSON.stringify([objective, optimizer.type, optimizer.options])}`
    return session.program(key, () => trainingGoals(session.network, objective, { ...training, size }, optimizer))
  }
  const first = await program(Math.min(batchSize, training.length))
  await each(callbacks, (c) =>
    c.onTrainBegin?.({
      epochs,
      batches,
      samples: training.length,
      validationSamples: validation?.length ?? 0,
      engine: `${session.state.engine.name}: ${session.state.engine.description}`,
      arenaBytes: first.memory.peakBytes,
    }),
  )

  const records: EpochRecord[] = []
  const isOver = (step: number): boolean => step >= lastStep || signal?.aborted === true
  let step = session.steps
  const base = step
  for (let epoch = 1; epoch <= epochs && !isOver(step - base); epoch++) {
    await each(callbacks, (c) => c.onEpochBegin?.(epoch))
    const order = shuffle
      ? permutation({ seed, stream: stream('shuffle'), step: epoch - 1 }, training.length)
      : Uint32Array.from({ length: training.length }, (_, i) => i)
    const tally = new Tally()
    const start = performance.now()
    const pending: Promise<void>[] = []
    for (let batch = 0; batch < batches && !isOver(step - base); batch++) {
      const indices = order.subarray(batch * batchSize, (batch + 1) * batchSize)
      const size = indices.length
      const arrays = allocateBatch(training, size)
      const [run] = await Promise.all([program(size), training.read(indices, arrays)])
      checkLabels(arrays, objective, session, indices, training.name)
      const inputs = { ...fed(arrays, run), ...onlyKnown(run, stepInputs(seed, step, size, optimizer)) }
      step++
      session.steps = step
      const now = step - base
      const done = run.run(inputs).then(async ({ finite, ...sums }) => {
        if (finite[0] !== 1) throw nonFinite(epoch, batch + 1, optimizer)
        tally.add(sums, size)
        const progress = progressOf({
          epoch,
          epochs,
          batch: batch + 1,
          batches,
          step: now,
          start,
          tally,
          total: training.length,
        })
        const own = new Tally()
        own.add(sums, size)
        await each(callbacks, (c) => c.onBatchEnd?.({ ...progress, batchLogs: own.means }))
      })
      done.catch(() => {}) // it is waited for below
      pending.push(done)
      if (pending.length >= IN_FLIGHT) await pending.shift()
    }
    await Promise.all(pending)
    if (tally.samples === 0) break
    const judged = validation && !signal?.aborted ? await evaluate(session, validation, settings.loss) : {}
    const validated = Object.fromEntries(Object.entries(judged).map(([name, value]) => [`val_${name}`, value]))
    const record = { epoch, ...tally.means, ...validated, seconds: (performance.now() - start) / 1000 } as EpochRecord
    records.push(record)
    await each(callbacks, (c) => c.onEpochEnd?.(record))
  }
  const history = historyOf(records, step - base, signal?.aborted ? 'aborted' : 'finished')
  await each(callbacks, (c) => c.onTrainEnd?.(history))
  return history
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

function stepInputs(seed: number, step: number, size: number, { row, options }: SettledOptimizer): NumbersByName {
  const rates = Object.entries(row.rates(options, step + 1)).map(([name, value]) => [
    `rate/${name}`,
    Float64Array.of(value),
  ])
  return {
    ...Object.fromEntries(rates),
    weights: new Float32Array(size).fill(1),
    key: Int32Array.from([...split64(seed), step, 0]),
  }
}

function progressOf(state: {
  epoch: number
  epochs: number
  batch: number
  batches: number
  step: number
  start: number
  tally: Tally
  total: number
}): Omit<Progress, 'batchLogs'> {
  const { start, tally, total, ...counts } = state
  const imagesPerSecond = tally.samples / Math.max((performance.now() - start) / 1000, 1e-9)
  return { ...counts, imagesPerSecond, secondsLeft: (total - tally.samples) / imagesPerSecond, logs: tally.means }
}

function nonFinite(epoch: number, batch: number, { options }: SettledOptimizer): FoveaError {
  return new FoveaError('E_NONFINITE', {
    what: 'the loss or a gradient is not a finite number; the weights are those before this step',
    where: `epoch ${epoch}, batch ${batch}`,
    hint: `lower the learning rate (now ${options['learningRate']}), or look for bad values in the data`,
  })
}
