/** A training that goes on: what it was given, how far it is, and what callbacks may do to it. */
import type { Settled } from '../base/options.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Dataset } from '../data/dataset.ts'
import type { SettledOptimizer } from '../nn/optimizers.ts'
import { learningRateAt } from '../nn/step.ts'
import type { Tally } from './feed.ts'
import type { fitOptions } from './fit-options.ts'
import type { Callback, EpochRecord, TrainingControl } from './history.ts'
import type { Objective } from './objective.ts'
import type { Weighting } from './sample-weights.ts'
import type { Session } from './session.ts'

export type FitSettings = Settled<typeof fitOptions>

/** Steps from `from` on (0 for the training's first) have this learning rate. */
interface RateChange {
  readonly from: number
  readonly learningRate: number
}

/** How far a training is: all that a checkpoint must know besides the state. */
export interface Position {
  /** The epoch under way, 1 for the first. */
  epoch: number
  /** Its batches that are done. */
  batch: number
  /** Steps that this training has begun. */
  step: number
  /** Seconds that the epoch took before it was interrupted. */
  seconds: number
  tally: Tally
  records: EpochRecord[]
  rates: RateChange[]
}

export interface Training {
  readonly session: Session
  readonly data: Dataset
  readonly validation: Dataset | undefined
  readonly validationWeights: ArrayLike<number> | undefined
  readonly objective: Objective
  /** What samples count for in the loss. */
  readonly weighting: Weighting
  readonly optimizer: SettledOptimizer
  readonly settings: FitSettings
  readonly callbacks: readonly Callback[]
  readonly epochs: number
  /** Batches of an epoch. */
  readonly batches: number
  /** Steps of the whole training, if nothing ends it before. */
  readonly totalSteps: number
  readonly at: Position
  /** Why it was stopped. */
  stopped: string | undefined
  /** Begun at this time of `performance.now()`. */
  readonly start: number
  readonly signal: AbortSignal | undefined
  readonly control: TrainingControl
  /** Where a rate that is set now holds from. */
  rateFrom: () => number
}

/** No step is taken once this is so. */
export function isOver(training: Training): boolean {
  const { at, settings, signal } = training
  return at.step >= (settings.steps ?? Infinity) || whyStopped(training) !== undefined || signal?.aborted === true
}

/** What ended training before its time. */
export function whyStopped({ settings: { maxTime = Infinity }, stopped, start }: Training): string | undefined {
  const isLate = performance.now() - start >= maxTime * 1000
  return stopped ?? (isLate ? `maxTime: ${maxTime} seconds are over` : undefined)
}

/** The learning rate of step `step` of the training: what was set last, or the optimizer's own. */
export function rateOf({ at, optimizer, totalSteps }: Training, step: number): number {
  const set = at.rates.findLast(({ from }) => from <= step)
  return set?.learningRate ?? learningRateAt(optimizer, { step, total: totalSteps })
}

/** Calls every callback in its turn. */
export async function each(
  { callbacks, control }: Pick<Training, 'callbacks' | 'control'>,
  call: (callback: Callback, control: TrainingControl) => void | Promise<void> | undefined,
): Promise<void> {
  for (const callback of callbacks) await call(callback, control)
}

/** Tensors by which a model is judged, by its weights (see `judgedWeights`). */
export type Judged = Readonly<Record<string, string>>

const keptName = (name: string, weight: string): string => `kept/${name}/${weight}`

/** What callbacks are given. */
export function controlOf(
  training: () => Training,
  { weights, save }: { readonly weights: Judged; save(path: string, judged: Judged): Promise<void> },
): TrainingControl {
  return {
    stop(why) {
      training().stopped ??= why
    },
    get learningRate() {
      const here = training()
      return rateOf(here, here.at.step)
    },
    set learningRate(learningRate) {
      const here = training()
      here.at.rates.push({ from: here.rateFrom(), learningRate })
    },
    get hasSchedule() {
      return typeof training().optimizer.options.learningRate !== 'number'
    },
    async keepWeights(name) {
      const { state } = training().session
      for (const [weight, judged] of Object.entries(weights)) {
        const values = await state.read(judged)
        const kept = keptName(name, weight)
        if (state.has(kept)) await state.write(kept, values)
        else await state.add(kept, state.resident(weight).spec, () => values)
      }
    },
    async restoreWeights(name) {
      const { state } = training().session
      const names = Object.keys(weights)
      if (!names.every((weight) => state.has(keptName(name, weight)))) return false
      const values = await Promise.all(names.map((weight): Promise<Numbers> => state.read(keptName(name, weight))))
      await Promise.all(names.map((weight, i) => state.write(weight, values[i])))
      state.remove(names.map((weight) => keptName(name, weight)))
      return true
    },
    save: (path) => save(path, weights),
  }
}
