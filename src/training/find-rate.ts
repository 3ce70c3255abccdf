/** The learning rate finder (Smith 2017, "Cyclical learning rates"): the rate grows from step to step, the loss is watched. */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { integer, number } from '../base/options.ts'
import type { Callback } from './history.ts'

export const findRateOptions = {
  from: number({ says: 'rate of the first step', min: 1e-12, default: 1e-6 }),
  to: number({ says: 'rate of the last step', min: 1e-12, default: 1 }),
  steps: integer({ says: 'steps, unless the loss explodes before', min: 10, default: 100 }),
}
export type FindRateOptions = Options<typeof findRateOptions>

export interface RateSearch {
  readonly learningRates: readonly number[]
  /** Of each step, smoothed. */
  readonly losses: readonly number[]
  /** Where the loss falls fastest; undefined when it falls nowhere. */
  readonly suggestion: number | undefined
}

/** Share of the smoothed loss that a step keeps. */
const SMOOTHING = 0.9
/** Training ends when the smoothed loss is so many times its best. */
const EXPLODED = 4
/** The first steps tell little: the mean has not settled. */
const SKIPPED = 5
/** A fall by a smaller share of the loss is one of rounding. */
const ROUNDING = 1e-12

/** A callback that makes the rate grow and watches the loss; `result` is what it has found. */
export function rateSearch({ from, to, steps }: Required<Record<keyof FindRateOptions, number>>): {
  callback: Callback
  result: () => RateSearch
} {
  if (!(to > from)) throw new FoveaError('E_OPTION', { what: "'to' must be above 'from'", got: `${from} to ${to}` })
  const learningRates: number[] = []
  const losses: number[] = []
  let mean = 0
  let step = 0
  const callback: Callback = {
    name: 'findLearningRate',
    onBatchBegin(_, training) {
      training.learningRate = from * (to / from) ** (step++ / (steps - 1))
    },
    onBatchEnd({ learningRate, batchLogs }, training) {
      mean = SMOOTHING * mean + (1 - SMOOTHING) * batchLogs['loss']
      learningRates.push(learningRate)
      losses.push(mean / (1 - SMOOTHING ** learningRates.length))
      if (losses[losses.length - 1] > EXPLODED * Math.min(...losses)) training.stop('the loss explodes')
    },
  }
  return { callback, result: () => ({ learningRates, losses, suggestion: steepest(learningRates, losses) }) }
}

/** The rate at which the loss falls fastest per factor of the rate. */
function steepest(learningRates: readonly number[], losses: readonly number[]): number | undefined {
  let best: number | undefined
  let lowest = 0
  for (let i = SKIPPED; i + 1 < losses.length; i++) {
    const change = losses[i + 1] - losses[i - 1]
    if (Math.abs(change) <= ROUNDING * Math.abs(losses[i])) continue
    const slope = change / Math.log(learningRates[i + 1] / learningRates[i - 1])
    if (slope < lowest) [lowest, best] = [slope, learningRates[i]]
  }
  return best
}
