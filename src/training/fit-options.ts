/** The options of `fit`: those that are plain data, which the command has as flags, and the others. */

import { didYouMean, FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { choice, custom, flag, group, integer, named, number, optional, show, text } from '../base/options.ts'
import { isAbortSignal, isListOf, isPlain } from '../base/realm.ts'
import type { Dataset } from '../data/dataset.ts'
import { readingOptions } from '../data/reader.ts'
import { objectiveOptions } from '../network/objective.ts'
import { optimizers } from '../nn/optimizers.ts'
import { learningRate } from '../nn/schedules.ts'
import type { Callback } from './history.ts'
import type { PauseControl } from './pause.ts'
import { pacerOf } from './pause.ts'
import { classWeightOptions, sampleWeightOptions } from './sample-weights.ts'

/** So many batches, or a share of all. */
const limit = (says: string) =>
  custom<number>({
    says: `${says}: so many, or a share of all; all when absent`,
    accepts: 'an integer >= 1, or a share > 0 and < 1',
    check: (v) => (typeof v === 'number' && v > 0 && (v < 1 || Number.isSafeInteger(v)) ? v : undefined),
    as: number({ says: 'batches', min: 0 }).kind,
    optional: true,
  })

/** Batches that are left of `batches`. */
export const limited = (batches: number, limit = Infinity): number =>
  limit < 1 ? Math.max(1, Math.floor(limit * batches)) : Math.min(limit, batches)

/** Options of `fit` that are plain data; the command has them as flags. */
export const fitOptions = {
  epochs: integer({
    says: 'times that all samples are seen, those before initialEpoch included; without it as many as the steps take, or 1',
    min: 1,
    optional: true,
  }),
  steps: integer({ says: 'steps after which training ends, in the middle of an epoch or not', min: 1, optional: true }),
  initialEpoch: integer({
    says: 'epochs that were trained before: records, order of samples and schedules continue from there, up to epoch `epochs`',
    min: 0,
    default: 0,
  }),
  batchSize: integer({ says: 'samples per step', min: 1, default: 32 }),
  optimizer: named(optimizers, { says: 'rule of the updates', what: 'optimizer', default: 'adam' }),
  learningRate: optional(learningRate, "size of a step, or a schedule of it; the optimizer's own when absent"),
  ...objectiveOptions,
  ...classWeightOptions,
  validationSplit: number({
    says: 'last share of the samples, taken before shuffling, that is kept for validation',
    min: 0,
    max: 1,
    ends: 'right-open',
    default: 0,
  }),
  onNonFinite: choice(['throw', 'stop'], {
    says: 'a step that is not finite changes nothing; it is an error, or the end of training',
    default: 'throw',
  }),
  maxTime: number({ says: 'seconds after which training ends', min: 0, optional: true }),
  fastDevRun: integer({
    says: 'a quick test of everything: one epoch of this many batches, evaluated on as many, without checkpoints',
    min: 1,
    optional: true,
  }),
  overfitBatches: integer({
    says: 'train on the first batches only, this many, in their order, and evaluate on the same: a working network memorises them',
    min: 1,
    optional: true,
  }),
  limitTrainBatches: limit('batches of an epoch that are trained on, others in every epoch where samples are shuffled'),
  limitValidationBatches: limit('batches of `batchSize` samples that are evaluated after every epoch, the first ones'),
  shuffle: flag({ says: 'a new order every epoch', default: true }),
  seed: integer({ says: 'seed of the order, of dropout and of augmentation', min: 0, default: 0 }),
  ...readingOptions,
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

const hooks = [
  ...['onTrainBegin', 'onEpochBegin', 'onBatchBegin', 'onGradients', 'onBatchEnd', 'onEpochEnd', 'onTrainEnd'],
  ...['state', 'restore'],
]

/** Refuses what would never be called, or could not. */
function checkHooks(callback: Callback): Callback {
  const given = callback as Readonly<Record<string, unknown>>
  const where = `callback${typeof callback.name === 'string' ? ` '${callback.name}'` : ''}`
  for (const hook of hooks) {
    if (given[hook] === undefined || typeof given[hook] === 'function') continue
    throw new FoveaError('E_OPTION', {
      what: `'${hook}' is wrong`,
      where,
      expected: 'a function',
      got: show(given[hook]),
    })
  }
  const own = [...Object.keys(given), ...Object.getOwnPropertyNames(Object.getPrototypeOf(given) ?? {})]
  for (const name of own.filter((name) => /^on[A-Z_]/i.test(name) && !hooks.includes(name))) {
    const hint = typeof given[name] === 'function' ? didYouMean(name, hooks) : undefined
    if (hint) throw new FoveaError('E_OPTION', { what: `nothing calls '${name}'`, where, hint })
  }
  if (!isPlain(given) && !hooks.some((hook) => typeof given[hook] === 'function')) {
    const hint = 'callbacks are one list of objects such as { onEpochEnd(record) { ... } }'
    throw new FoveaError('E_OPTION', { what: 'a callback has nothing that is called', where, got: show(given), hint })
  }
  return callback
}

const checkpointTable = {
  folder: text({ says: 'folder of the checkpoints' }),
  every: integer({ says: 'steps from one checkpoint to the next', min: 1, optional: true }),
  keep: integer({ says: 'files that are kept', min: 1, default: 2 }),
}
export type CheckpointOptions = Options<typeof checkpointTable>

/** What else `fit` takes: things that are no plain data. */
export const fitExtras = {
  ...sampleWeightOptions,
  validationData: custom<Dataset>({
    says: 'evaluated after every epoch; replaces validationSplit',
    accepts: 'a dataset',
    check: (v) => (isObject(v) ? (v as Dataset) : undefined),
    optional: true,
  }),
  callbacks: custom<readonly Callback[]>({
    says: 'are called during training',
    accepts: 'a list of objects such as { onEpochEnd(record) { ... } }, or of what callbacks.earlyStopping(...) gives',
    check: (v) => (isListOf<Callback>(v, isObject) ? v.map(checkHooks) : undefined),
    optional: true,
  }),
  checkpoints: group(checkpointTable, {
    says: 'where and how often checkpoints are saved: at the end of every epoch, and every so many steps',
    what: 'checkpoints',
    optional: true,
  }),
  resume: flag({
    says: 'continue from the last checkpoint in the folder, with the same result to the bit; start new if there is none',
    default: false,
  }),
  stepsPerEpoch: integer({ says: 'batches of an epoch, where they come from an iterable', min: 1, optional: true }),
  control: custom<PauseControl>({
    says: 'pauses training, takes single steps, and continues',
    accepts: 'what trainingControl() gives',
    check: (v) => pacerOf(v)?.face,
    optional: true,
  }),
  signal: custom<AbortSignal>({
    says: 'ends training after the steps that have started (two at most); the weights are those of the last one',
    accepts: 'an AbortSignal',
    check: (v) => (isAbortSignal(v) ? v : undefined),
    optional: true,
  }),
}
export type FitExtras = Options<typeof fitExtras>
