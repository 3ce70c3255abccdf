/** Learning rate schedules by Keras's names: numbers on the host, in float64, functions of the update's number alone. */
import type { NamedEntry, OptionTable, Settled, WithOptions } from '../base/options.ts'
import { described, either, flag, integer, list, number, settleNamed, withCommon } from '../base/options.ts'

export interface ScheduleRow<T extends OptionTable = OptionTable> extends NamedEntry<T> {
  /** The rate of update `t` (0 for the first after the warm-up) of a training of `total` updates (1 or more). */
  readonly rate: (options: Settled<T>, t: number, total: number) => number
  /** The rate of update `t` of the warm-up, where it does not rise from 0 to the schedule's first rate. */
  readonly warmup?: (options: Settled<T>, t: number, warmupSteps: number) => number | undefined
}

const define = <const T extends OptionTable>(row: ScheduleRow<T>) => row

const initialLearningRate = number({ says: 'the first rate', min: 0 })
const decaySteps = integer({
  says: 'updates that the decay takes; all of the training when absent',
  min: 1,
  optional: true,
})
const decayRate = number({ says: 'what the decay multiplies by', min: 0 })
const staircase = flag({ says: 'fall in whole steps', default: false })
const alpha = number({ says: 'lowest rate, as a share of the first', min: 0, max: 1, default: 0 })

/** From 1 to 0 along half a wave as `share` goes from 0 to 1. */
const halfCosine = (share: number): number => 0.5 * (1 + Math.cos(Math.PI * share))

const constant = define({
  says: 'One rate throughout.',
  options: { learningRate: number({ says: 'the rate', min: 0 }) },
  rate: ({ learningRate }) => learningRate,
})

const stepDecay = define({
  says: 'Multiplied by decayRate every decaySteps updates.',
  options: {
    initialLearningRate,
    decaySteps: integer({ says: 'updates from one fall to the next', min: 1 }),
    decayRate: number({ says: 'what a fall multiplies by', min: 0, default: 0.1 }),
  },
  rate: (o, t) => o.initialLearningRate * o.decayRate ** Math.floor(t / o.decaySteps),
})

const piecewiseConstantDecay = define({
  says: 'The first value up to the first boundary and at it, and so on; the last value after the last boundary.',
  options: {
    boundaries: list(number({ says: 'an update', min: 0 }), {
      says: 'last updates of all values but the last',
      order: 'ascending',
    }),
    values: list(number({ says: 'a rate', min: 0 }), {
      says: 'the rates, one more than boundaries',
      length: { min: 1 },
    }),
  },
  conflict: ({ boundaries, values }) =>
    values.length === boundaries.length + 1
      ? undefined
      : { what: `${boundaries.length} boundaries need ${boundaries.length + 1} values, not ${values.length}` },
  rate: ({ boundaries, values }, t) => values[boundaries.filter((boundary) => boundary < t).length],
})

const exponentialDecay = define({
  says: 'Multiplied by decayRate over decaySteps updates, again and again.',
  options: { initialLearningRate, decaySteps, decayRate, staircase },
  rate: (o, t, total) => o.initialLearningRate * o.decayRate ** decays(o, t, total),
})

const inverseTimeDecay = define({
  says: 'The first rate divided by 1 + decayRate * t / decaySteps.',
  options: { initialLearningRate, decaySteps, decayRate, staircase },
  rate: (o, t, total) => o.initialLearningRate / (1 + o.decayRate * decays(o, t, total)),
})

/** How often decaySteps have passed; whole times on a staircase. */
function decays(o: { decaySteps: number | undefined; staircase: boolean }, t: number, total: number): number {
  const times = t / (o.decaySteps ?? total)
  return o.staircase ? Math.floor(times) : times
}

const polynomialDecay = define({
  says: 'From the first rate to endLearningRate along a power of what is left; a line by default.',
  options: {
    initialLearningRate,
    decaySteps,
    endLearningRate: number({ says: 'the last rate', min: 0, default: 1e-4 }),
    power: number({ says: 'the power', min: 0, ends: 'open', default: 1 }),
    cycle: flag({ says: 'begin again after the end, each time from lower down', default: false }),
  },
  rate: ({ initialLearningRate: first, endLearningRate: last, power, cycle, ...o }, t, total) => {
    const length = o.decaySteps ?? total
    const share = cycle ? t / (length * Math.max(1, Math.ceil(t / length))) : Math.min(1, t / length)
    return (first - last) * (1 - share) ** power + last
  },
})

/** Loshchilov and Hutter 2017, without restarts. */
const cosineDecay = define({
  says: 'Half a cosine wave from the first rate (or warmupTarget) down to alpha times it.',
  options: {
    initialLearningRate,
    decaySteps,
    alpha,
    warmupTarget: number({
      says: 'warm up from initialLearningRate to this rate, and decay from it',
      min: 0,
      optional: true,
    }),
  },
  rate: (o, t, total) => {
    const wave = halfCosine(Math.min(1, t / (o.decaySteps ?? total)))
    return (o.warmupTarget ?? o.initialLearningRate) * ((1 - o.alpha) * wave + o.alpha)
  },
  warmup: ({ initialLearningRate: first, warmupTarget }, t, warmupSteps) =>
    warmupTarget === undefined ? undefined : first + ((warmupTarget - first) * t) / warmupSteps,
})

/** Loshchilov and Hutter 2017. */
const cosineDecayRestarts = define({
  says: 'Half a cosine wave after another, each tMul times as long and mMul times as high.',
  options: {
    initialLearningRate,
    firstDecaySteps: integer({ says: 'updates of the first wave', min: 1 }),
    tMul: number({ says: 'length of a wave, as a multiple of the one before', min: 1, default: 2 }),
    mMul: number({ says: 'height of a wave, as a multiple of the one before', min: 0, max: 1, default: 1 }),
    alpha,
  },
  rate: ({ initialLearningRate, firstDecaySteps, tMul, mMul, alpha }, t) => {
    let wave = tMul === 1 ? Math.floor(t / firstDecaySteps) : 0
    let start = wave * firstDecaySteps
    let length = firstDecaySteps
    for (; t >= start + length; length *= tMul) {
      start += length
      wave++
    }
    return initialLearningRate * ((1 - alpha) * mMul ** wave * halfCosine((t - start) / length) + alpha)
  },
})

/** Smith and Topin 2018. */
const oneCycle = define({
  says: 'Up to maxLearningRate and down again to next to nothing, each along half a cosine wave.',
  options: {
    maxLearningRate: number({ says: 'the highest rate', min: 0 }),
    decaySteps: integer({ says: 'updates of the cycle; all of the training when absent', min: 1, optional: true }),
    pctStart: number({ says: 'share of the cycle that goes up', min: 0, max: 1, default: 0.3 }),
    divFactor: number({ says: 'the highest rate over the first', min: 1, default: 25 }),
    finalDivFactor: number({ says: 'the first rate over the last', min: 1, default: 1e4 }),
  },
  rate: ({ maxLearningRate: top, pctStart, divFactor, finalDivFactor, ...o }, t, total) => {
    const first = top / divFactor
    const last = (o.decaySteps ?? total) - 1
    const peak = pctStart * (last + 1) - 1
    if (t <= peak) return peak > 0 ? top + (first - top) * halfCosine(t / peak) : top
    const end = first / finalDivFactor
    return t >= last ? end : end + (top - end) * halfCosine((t - peak) / (last - peak))
  },
})

const ownSchedules = {
  constant,
  stepDecay,
  piecewiseConstantDecay,
  exponentialDecay,
  inverseTimeDecay,
  polynomialDecay,
  cosineDecay,
  cosineDecayRestarts,
  oneCycle,
} as const

/** Options of every schedule. */
const commonOptions = {
  warmupSteps: integer({
    says: "updates at the start in which the rate rises evenly to the schedule's first: update t of n has t / n of it",
    min: 0,
    default: 0,
  }),
}

/** Every schedule by name, with all its options. */
export const schedules = withCommon(ownSchedules, () => commonOptions)
export type ScheduleName = keyof typeof schedules
export const scheduleNames = Object.keys(schedules) as ScheduleName[]

/** A schedule as a user gives it, such as `{ type: 'cosineDecay', initialLearningRate: 0.001 }`. Plain JSON. */
export type Schedule = WithOptions<typeof schedules>

/** A learning rate: one for all updates, or a schedule. */
export type LearningRate = number | Schedule

/** A learning rate as an option. */
export const learningRate = either(
  [number({ says: 'one rate', min: 0 }), described(schedules, { says: 'a schedule', what: 'schedule' })],
  { says: 'size of a step, or a schedule of it' },
)

/** The rate of update `t` (0 for the first) of a training of `total` updates. After a warm-up, a schedule begins at its own 0. */
export function rateAt(learningRate: LearningRate, t: number, total: number): number {
  if (typeof learningRate === 'number') return learningRate
  const { type, options } = settleNamed(schedules, learningRate, 'schedule')
  const row = schedules[type] as unknown as ScheduleRow
  const { warmupSteps } = options as Settled<typeof commonOptions>
  const rest = Math.max(1, total - warmupSteps)
  if (t >= warmupSteps) return row.rate(options, t - warmupSteps, rest)
  return row.warmup?.(options, t, warmupSteps) ?? (row.rate(options, 0, rest) * (t + 1)) / warmupSteps
}
