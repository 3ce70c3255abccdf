/** A training under way: what it was given, how far it is, and what callbacks may do to it. */
import { FoveaError } from '../base/errors.ts'
import type { Settled } from '../base/options.ts'
import { show } from '../base/options.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Reader } from '../data/reader.ts'
import type { Readings } from '../network/measures.ts'
import type { Objective } from '../network/objective.ts'
import type { Session } from '../network/session.ts'
import type { SettledOptimizer } from '../nn/optimizers.ts'
import { learningRateAt } from '../nn/step.ts'
import { IN_FLIGHT } from './batch-inputs.ts'
import type { BatchSource } from './batches.ts'
import type { fitOptions } from './fit-options.ts'
import type { Callback, EpochRecord, TrainingControl } from './history.ts'
import type { Pacer } from './pause.ts'
import type { Weighting } from './sample-weights.ts'
import type { Tally } from './tally.ts'
import type { Described, Task } from './task.ts'

export type FitSettings = Settled<typeof fitOptions>

/** Steps from `from` on (0 for the training's first) have this learning rate. */
interface RateChange {
  readonly from: number
  readonly learningRate: number
}

/** The place of a step in its training; all but the numbers of epochs and batches count from 1. */
export interface StepPosition {
  readonly epoch: number
  readonly epochs: number
  readonly batch: number
  readonly batches: number
  readonly step: number
}

/** What a program gives for a step, by name: the sums of logs, and whether all was finite. */
export type Sums = Readonly<Record<string, ArrayLike<number>>>

/** A step that is done, and of which callbacks have not heard. */
export interface Unreported {
  readonly place: StepPosition
  readonly learningRate: number
  readonly sums: Sums
}

/** How far a training is: all that a checkpoint must know besides the state. */
export interface TrainingPosition {
  /** The epoch under way, 1 for the first. */
  epoch: number
  /** Its batches that are done. */
  batch: number
  /** Steps that this training has begun. */
  step: number
  unreported: readonly Unreported[]
  /** Why it was stopped by a callback, or by a step that was not finite. */
  stopped: string | undefined
  isDiverged: boolean
  /** Seconds that the epoch took before it was interrupted. */
  seconds: number
  tally: Tally
  records: EpochRecord[]
  rates: readonly RateChange[]
}

/** A callback with the name under which its state is kept, and what it may do. */
export interface Listener {
  readonly key: string
  readonly callback: Callback
  readonly control: TrainingControl
}

/** What training is judged by after every epoch. */
export interface Validation extends Task {
  /** Reads its data; closed with the training. */
  readonly reader: Reader
  readonly sampleWeight: ArrayLike<number> | undefined
}

export interface Training {
  readonly session: Session
  /** What is learned from. */
  readonly data: Described
  readonly objective: Objective
  /** How its logs follow from sums. */
  readonly readings: Readings
  readonly source: BatchSource
  readonly validation: Validation | undefined
  /** What samples count for in the loss. */
  readonly weighting: Weighting
  readonly optimizer: SettledOptimizer
  readonly settings: FitSettings
  readonly callbacks: readonly Listener[]
  readonly epochs: number
  /** Steps that this training takes, if nothing ends it before. */
  readonly totalSteps: number
  /** Steps that schedules take for done: those of the epochs before `initialEpoch`. */
  readonly earlierSteps: number
  readonly at: TrainingPosition
  /** Begun at this time of `timeIn`. */
  readonly start: number
  /** Milliseconds for which it was paused. */
  readonly clock: { paused: number }
  readonly signal: AbortSignal | undefined
  readonly control: Pacer | undefined
  /** Where a rate that is set now holds from. */
  rateFrom: () => number
}

/** No step is taken once this is so. */
export function isOver(training: Training): boolean {
  const { at, settings, signal } = training
  return at.step >= (settings.steps ?? Infinity) || whyStopped(training) !== undefined || signal?.aborted === true
}

/** Milliseconds from some moment on, without those for which training was paused. */
export const timeIn = ({ clock }: Pick<Training, 'clock'>): number => performance.now() - clock.paused

/** What ended training before its time. */
export function whyStopped(training: Training): string | undefined {
  const { settings, at, start } = training
  const { maxTime = Infinity } = settings
  const isLate = timeIn(training) - start >= maxTime * 1000
  return at.stopped ?? (isLate ? `maxTime: ${maxTime} seconds are over` : undefined)
}

/** The learning rate of step `step` of the training: what was set last, or the optimizer's own. */
export function rateOf({ at, optimizer, totalSteps, earlierSteps }: Training, step: number): number {
  const set = at.rates.findLast(({ from }) => from <= step)
  const place = { step: earlierSteps + step, total: earlierSteps + totalSteps }
  return set?.learningRate ?? learningRateAt(optimizer, place)
}

/** Calls every callback in its turn. */
export async function each(
  { callbacks }: Pick<Training, 'callbacks'>,
  call: (callback: Callback, control: TrainingControl) => void | Promise<void> | undefined,
): Promise<void> {
  for (const { callback, control } of callbacks) await call(callback, control)
}

/** Callbacks by name; a second one of a name gets a number. */
export function keyed(callbacks: readonly Callback[]): { key: string; callback: Callback }[] {
  const taken = new Set<string>()
  return callbacks.map((callback) => {
    const name = callback.name ?? 'callback'
    let key = name
    for (let count = 2; taken.has(key); count++) key = `${name} ${count}`
    taken.add(key)
    return { key, callback }
  })
}

/** Tensors by which a model is judged, by its weights (see `judgedWeights`). */
export type Judged = Readonly<Record<string, string>>

/** As all that is not a weight, behind a / (see nn/step.ts). */
const KEPT = '/kept/'
const keptName = (owner: string, name: string, weight: string): string =>
  `${KEPT}${unslashed(owner)}/${unslashed(name)}/${weight}`
const unslashed = (text: string): string => text.replaceAll('%', '%25').replaceAll('/', '%2F')

/** Forgets all weights that callbacks kept. */
export function forgetKept({ state }: Session): void {
  state.remove(state.names.filter((name) => name.startsWith(KEPT)))
}

/** Has training learnt of a rate, it holds from a step that does not depend on timing; what no step will ask for is dropped. */
function withRate({ at, rateFrom }: Training, learningRate: number): readonly RateChange[] {
  if (!(Number.isFinite(learningRate) && learningRate >= 0)) {
    const what = 'a callback sets a learning rate that is not valid'
    throw new FoveaError('E_OPTION', { what, expected: 'a number >= 0', got: show(learningRate) })
  }
  const first = at.rates.findLastIndex(({ from }) => from <= at.step - 1 - IN_FLIGHT)
  return [...at.rates.slice(Math.max(0, first)), { from: rateFrom(), learningRate }]
}

/** What the callback `owner` is given. */
export function controlOf(
  training: () => Training,
  owner: string,
  { weights, save }: { readonly weights: Judged; save(path: string, judged: Judged): Promise<void> },
): TrainingControl {
  const nameOf = (name: string, weight: string): string => keptName(owner, name, weight)
  return {
    stop(why) {
      training().at.stopped ??= why
    },
    get learningRate() {
      const here = training()
      return here.at.rates.at(-1)?.learningRate ?? rateOf(here, here.rateFrom())
    },
    set learningRate(learningRate) {
      const here = training()
      here.at.rates = withRate(here, learningRate)
    },
    get hasSchedule() {
      return typeof training().optimizer.options.learningRate !== 'number'
    },
    get isCutShort() {
      const { at, source } = training()
      return at.batch < source.batches
    },
    async keepWeights(name) {
      const { state } = training().session
      for (const [weight, judged] of Object.entries(weights)) {
        const values = await state.read(judged)
        const kept = nameOf(name, weight)
        if (state.has(kept)) await state.write(kept, values)
        else await state.add(kept, state.resident(weight).spec, () => values)
      }
    },
    async restoreWeights(name) {
      const { state } = training().session
      const names = Object.keys(weights)
      if (!names.every((weight) => state.has(nameOf(name, weight)))) return false
      const values = await Promise.all(names.map((weight): Promise<Numbers> => state.read(nameOf(name, weight))))
      await Promise.all(names.map((weight, i) => state.write(weight, values[i])))
      return true
    },
    save: (path) => save(path, weights),
  }
}
