/** A single step of `fit`, on a batch that the caller has. */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { number, settle } from '../base/options.ts'
import { engineOptions } from '../engines/index.ts'
import { objectiveOptions } from '../network/objective.ts'
import type { Optimizer } from '../nn/optimizers.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import { fitExtras, fitOptions } from '../training/fit-options.ts'
import type { History, Logs } from '../training/history.ts'
import type { Arrays, Batches } from '../training/stream.ts'
import type { ModelFitOptions } from './call-options.ts'

const { optimizer, classWeight, seed, onNonFinite } = fitOptions
const batchTable = {
  optimizer,
  learningRate: number({ says: "size of this step; the optimizer's own when absent", min: 0, optional: true }),
  ...objectiveOptions,
  ...{ classWeight, sampleWeight: fitExtras.sampleWeight, seed, onNonFinite },
  ...engineOptions,
}
/** Options of `trainOnBatch`. */
export type TrainOnBatchOptions = Options<typeof batchTable>

/** Takes the step; throws E_OPTION for a schedule and for averages, which belong to a whole training. */
export async function stepOn(
  fit: (batches: Batches, options: ModelFitOptions) => Promise<History>,
  { inputs, targets }: { readonly inputs: Arrays; readonly targets: Arrays },
  options: TrainOnBatchOptions,
): Promise<Logs> {
  const { sampleWeight, ...settings } = settle(batchTable, options, 'trainOnBatch')
  wantSingleStep(settings.optimizer, settings.learningRate)
  const batch = { inputs, targets, ...(sampleWeight && { sampleWeight }) }
  const { epochs, why } = await fit([batch], { ...settings, stepsPerEpoch: 1 })
  if (epochs.length === 0)
    throw new FoveaError('E_NONFINITE', { what: why ?? 'no step was taken', where: 'trainOnBatch' })
  const { epoch: _, samples: _samples, seconds: _seconds, learningRate: _rate, ...logs } = epochs[0]
  return logs
}

/** Refuses what counts the steps of a training, or ends with it. */
function wantSingleStep(optimizer: Optimizer, given: number | undefined): void {
  const { learningRate, useEma } = settleOptimizer(optimizer, given).options
  const refuse = (what: string, hint: string): never => {
    throw new FoveaError('E_OPTION', { what, where: 'trainOnBatch', hint })
  }
  if (typeof learningRate !== 'number')
    refuse('a schedule needs a whole training', 'give learningRate, the number of this step, or use fit')
  if (useEma) refuse("'useEma' needs a whole training", 'use fit, which ends with the averages')
}
