/** The options of a model's calls: what `fit`, `evaluate`, `predict` and `findLearningRate` take, in one table each. */
import type { Options } from '../base/options.ts'
import { custom, integer } from '../base/options.ts'
import { readingOptions } from '../data/reader.ts'
import { engineOptions } from '../engines/index.ts'
import { objectiveOptions } from '../network/objective.ts'
import { findBatchSizeOptions } from '../training/find-batch-size.ts'
import { findRateOptions } from '../training/find-rate.ts'
import { fitExtras, fitOptions } from '../training/fit-options.ts'
import { INFERENCE_BATCH } from '../training/inference.ts'
import { profileOptions } from '../training/profile.ts'
import { sampleWeightOptions } from '../training/sample-weights.ts'

/** Options of `evaluate` and `predict`; the same for the library and the command. */
export const inferenceOptions = {
  batchSize: integer({
    says: 'samples per run; changes the speed, never the answer',
    min: 1,
    default: INFERENCE_BATCH,
  }),
  ...readingOptions,
  ...engineOptions,
}

const abortOptions = {
  signal: custom<AbortSignal>({
    says: 'stops the call, which throws the reason of the signal',
    accepts: 'an AbortSignal',
    check: fitExtras.signal.check,
    optional: true,
  }),
}

export const predictTable = { ...inferenceOptions, ...abortOptions }
export type PredictOptions = Options<typeof predictTable>

export const evaluateTable = { ...predictTable, ...objectiveOptions, ...sampleWeightOptions }
export type EvaluateOptions = Options<typeof evaluateTable>

export const fitTable = { ...fitOptions, ...engineOptions, ...fitExtras }
export type ModelFitOptions = Options<typeof fitTable>

const { optimizer, batchSize, shuffle, seed, classWeight } = fitOptions
const { sampleWeight } = fitExtras
export const findTable = {
  ...findRateOptions,
  ...{ optimizer, batchSize, shuffle, seed, classWeight, sampleWeight },
  ...readingOptions,
  ...abortOptions,
  ...objectiveOptions,
  ...engineOptions,
}
export type FindLearningRateOptions = Options<typeof findTable>

export const profileTable = {
  ...profileOptions,
  ...{ optimizer, batchSize, seed },
  ...objectiveOptions,
  ...engineOptions,
}
export type ProfileOptions = Options<typeof profileTable>

export const findSizeTable = {
  ...findBatchSizeOptions,
  ...{ optimizer, seed },
  ...objectiveOptions,
  ...engineOptions,
}
export type FindBatchSizeOptions = Options<typeof findSizeTable>
