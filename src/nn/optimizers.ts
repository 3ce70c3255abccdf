/**
 * Optimizers by Keras's names and rules. An update is a graph; what depends only on its number is computed outside,
 * exactly. What is done around every rule (decay, clipping, accumulation, averages) is in step.ts.
 */
import type { Conflict, Named, NamedEntry, OptionTable, Settled } from '../base/options.ts'
import { choice, flag, integer, list, number, settleNamed, text, withCommon, withDefault } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { abs, add, div, maximum, mul, sqrt, sub } from '../ops/elementwise.ts'
import { groupsOption } from './parameter-groups.ts'
import type { LearningRate } from './schedules.ts'
import { learningRate } from './schedules.ts'

export interface OptimizerRow<T extends OptionTable, Slot extends string, Rate extends string> extends NamedEntry<T> {
  /** The learning rate when a user gives none. */
  readonly learningRate: number
  /** State kept per weight, of its shape, and what fills it at first. */
  readonly slots: (options: Settled<T>) => Readonly<Partial<Record<Slot, number>>>
  /** Numbers that update `t` (1 for the first) reads. */
  readonly rates: (options: Settled<T>, update: { t: number; learningRate: number }) => Readonly<Record<Rate, number>>
  /** The next weight and slots. */
  readonly update: (
    weight: Node,
    gradient: Node,
    slots: Readonly<Record<Slot, Node>>,
    rates: Readonly<Record<Rate, Node>>,
    options: Settled<T>,
  ) => { readonly weight: Node } & Readonly<Partial<Record<Slot, Node>>>
}

export type AnyOptimizerRow = OptimizerRow<OptionTable, string, string>

const define = <const T extends OptionTable, S extends string, R extends string>(row: OptimizerRow<T, S, R>) => row

const weightDecay = (value: number) =>
  number({ says: 'share of a weight taken away before each update, times the learning rate', min: 0, default: value })
const longest = (says: string) => number({ says, min: 0, ends: 'open', optional: true })

/** Options of every optimizer; a row may give one another default. */
const commonOptions = {
  weightDecay: weightDecay(0),
  excludeFromWeightDecay: list(text({ says: 'part of a name', filled: true }), {
    says: "weights whose names contain one of these do not decay, such as ['bias', 'gamma', 'beta']",
    default: [],
  }),
  groups: groupsOption,
  clipnorm: longest('the longest that the gradient of a weight may be'),
  globalClipnorm: longest('the longest that all gradients together may be'),
  clipvalue: longest('the furthest from 0 that an element of a gradient may be'),
  useEma: flag({ says: 'keep a moving average of the weights', default: false }),
  emaMomentum: number({ says: 'share of the average that an update keeps', min: 0, max: 1, default: 0.99 }),
  emaOverwriteFrequency: integer({
    says: 'updates after which the weights are set to their average, again and again; never when absent',
    min: 1,
    optional: true,
  }),
  gradientAccumulationSteps: integer({
    says: 'steps whose mean gradient makes one update',
    min: 2,
    optional: true,
  }),
}

const sgd = define({
  says: 'Stochastic gradient descent, with momentum where asked for.',
  learningRate: 0.01,
  options: {
    momentum: number({ says: 'share of the last step that is kept', min: 0, max: 1, ends: 'right-open', default: 0 }),
    nesterov: flag({ says: 'look ahead along the momentum', default: false }),
  },
  slots: ({ momentum }) => (momentum > 0 ? { velocity: 0 } : {}),
  rates: (_, { learningRate }) => ({ learningRate }),
  update: (weight, gradient, { velocity }, { learningRate }, { momentum, nesterov }) => {
    const step = mul(gradient, learningRate)
    if (!velocity) return { weight: sub(weight, step) }
    const next = sub(mul(velocity, momentum), step)
    return { weight: add(weight, nesterov ? sub(mul(next, momentum), step) : next), velocity: next }
  },
})

const decay = (says: string, value: number) => number({ says, min: 0, max: 1, ends: 'right-open', default: value })
const beta1 = decay('decay of the mean of the gradient', 0.9)
const beta2 = decay('decay of the mean of its square', 0.999)
const epsilon = (says: string) => number({ says, min: 0, default: 1e-7 })

const adamOptions = {
  beta1,
  beta2,
  epsilon: epsilon('added to the root in the denominator'),
  epsilonMode: choice(['keras', 'torch'], {
    says: 'epsilon is added before the bias correction (Keras) or after it (PyTorch)',
    default: 'keras',
  }),
  amsgrad: flag({ says: 'divide by the largest velocity so far (Reddi et al. 2018)', default: false }),
}

const momentSlots = () => ({ momentum: 0, velocity: 0 })

/** Running means of the gradient and of its square. */
function moments(
  gradient: Node,
  slots: Record<'momentum' | 'velocity', Node>,
  decay: { beta1: number; beta2: number },
) {
  const { momentum, velocity } = slots
  return {
    momentum: add(momentum, mul(sub(gradient, momentum), 1 - decay.beta1)),
    velocity: add(velocity, mul(sub(mul(gradient, gradient), velocity), 1 - decay.beta2)),
  }
}

/** Kingma and Ba 2015. */
const adam = define<typeof adamOptions, 'momentum' | 'velocity' | 'largestVelocity', 'rate' | 'rootScale'>({
  says: 'Adam: steps scaled by running means of the gradient and of its square.',
  learningRate: 0.001,
  options: adamOptions,
  slots: ({ amsgrad }) => ({ ...momentSlots(), ...(amsgrad && { largestVelocity: 0 }) }),
  rates: ({ beta1, beta2, epsilonMode }, { t, learningRate }) => {
    const root = Math.sqrt(1 - beta2 ** t)
    const rate = learningRate / (1 - beta1 ** t)
    return epsilonMode === 'keras' ? { rate: rate * root, rootScale: 1 } : { rate, rootScale: 1 / root }
  },
  update: (weight, gradient, slots, { rate, rootScale }, { epsilon, epsilonMode, ...decay }) => {
    const next = moments(gradient, slots, decay)
    const largestVelocity = slots.largestVelocity && maximum(slots.largestVelocity, next.velocity)
    const divisor = sqrt(largestVelocity ?? next.velocity)
    const root = epsilonMode === 'keras' ? divisor : mul(divisor, rootScale)
    const after = sub(weight, div(mul(next.momentum, rate), add(root, epsilon)))
    return { weight: after, ...next, ...(largestVelocity && { largestVelocity }) }
  },
})

/** Loshchilov and Hutter 2019: decay apart from the gradient. */
const adamW = define({
  ...adam,
  says: 'Adam with decoupled weight decay: weights shrink by learningRate * weightDecay before each update.',
  options: { ...adamOptions, weightDecay: weightDecay(0.004) },
})

/** Tieleman and Hinton 2012; epsilon is inside the root, as in Keras. */
const rmsprop = define({
  says: 'RMSprop: steps scaled by a running mean of the square of the gradient.',
  learningRate: 0.001,
  options: {
    rho: decay('decay of the mean', 0.9),
    epsilon: epsilon('added inside the root in the denominator'),
  },
  slots: () => ({ velocity: 0 }),
  rates: (_, { learningRate }) => ({ learningRate }),
  update: (weight, gradient, slots, { learningRate }, { rho, epsilon }) => {
    const velocity = add(mul(slots.velocity, rho), mul(mul(gradient, gradient), 1 - rho))
    return { weight: sub(weight, div(mul(gradient, learningRate), sqrt(add(velocity, epsilon)))), velocity }
  },
})

/** Decay of Nadam's momentum at step t. */
const schedule = (beta1: number, t: number): number => beta1 * (1 - 0.5 * 0.96 ** t)

/** The product of the decays of steps 1 to t; from step 1000 on they are beta1 to the last bit. */
function scheduleProduct(beta1: number, t: number): number {
  let product = beta1 ** Math.max(0, t - 1000)
  for (let step = 1; step <= Math.min(t, 1000); step++) product *= schedule(beta1, step)
  return product
}

/** Dozat 2016: Adam that looks ahead along its momentum. */
const nadam = define({
  says: "Nadam: Adam with Nesterov's look ahead.",
  learningRate: 0.001,
  options: { beta1, beta2, epsilon: adamOptions.epsilon },
  slots: momentSlots,
  rates: ({ beta1, beta2 }, { t, learningRate }) => {
    const product = scheduleProduct(beta1, t)
    const following = schedule(beta1, t + 1)
    return {
      ahead: (learningRate * following) / (1 - product * following),
      now: (learningRate * (1 - schedule(beta1, t))) / (1 - product),
      rootScale: 1 / Math.sqrt(1 - beta2 ** t),
    }
  },
  update: (weight, gradient, slots, { ahead, now, rootScale }, { epsilon, ...decay }) => {
    const next = moments(gradient, slots, decay)
    const step = add(mul(next.momentum, ahead), mul(gradient, now))
    return { weight: sub(weight, div(step, add(mul(sqrt(next.velocity), rootScale), epsilon))), ...next }
  },
})

/** Duchi, Hazan and Singer 2011. */
const adagrad = define({
  says: 'Adagrad: steps scaled by the sum of all squares of the gradient so far.',
  learningRate: 0.001,
  options: {
    initialAccumulatorValue: number({ says: 'the sum before the first step', min: 0, default: 0.1 }),
    epsilon: epsilon('added inside the root in the denominator'),
  },
  slots: ({ initialAccumulatorValue }) => ({ accumulator: initialAccumulatorValue }),
  rates: (_, { learningRate }) => ({ learningRate }),
  update: (weight, gradient, slots, { learningRate }, { epsilon }) => {
    const accumulator = add(slots.accumulator, mul(gradient, gradient))
    return { weight: sub(weight, div(mul(gradient, learningRate), sqrt(add(accumulator, epsilon)))), accumulator }
  },
})

/** Zeiler 2012. */
const adadelta = define({
  says: 'Adadelta: steps as long as the last ones were, by running means of squares.',
  learningRate: 0.001,
  options: {
    rho: decay('decay of the means', 0.95),
    epsilon: epsilon('added inside both roots'),
  },
  slots: () => ({ accumulatedGradient: 0, accumulatedStep: 0 }),
  rates: (_, { learningRate }) => ({ learningRate }),
  update: (weight, gradient, slots, { learningRate }, { rho, epsilon }) => {
    const mixed = (old: Node, x: Node) => add(mul(old, rho), mul(mul(x, x), 1 - rho))
    const root = (x: Node) => sqrt(add(x, epsilon))
    const accumulatedGradient = mixed(slots.accumulatedGradient, gradient)
    const step = div(mul(root(slots.accumulatedStep), gradient), root(accumulatedGradient))
    const accumulatedStep = mixed(slots.accumulatedStep, step)
    return { weight: sub(weight, mul(step, learningRate)), accumulatedGradient, accumulatedStep }
  },
})

/** Kingma and Ba 2015, section 7.1. */
const adamax = define({
  says: 'Adamax: Adam with the largest recent gradient in place of the mean of its square.',
  learningRate: 0.001,
  options: {
    beta1,
    beta2: decay('decay of the largest gradient', 0.999),
    epsilon: epsilon('added to the largest gradient in the denominator'),
  },
  slots: () => ({ momentum: 0, largest: 0 }),
  rates: ({ beta1 }, { t, learningRate }) => ({ rate: learningRate / (1 - beta1 ** t) }),
  update: (weight, gradient, slots, { rate }, { beta1, beta2, epsilon }) => {
    const momentum = add(slots.momentum, mul(sub(gradient, slots.momentum), 1 - beta1))
    const largest = maximum(mul(slots.largest, beta2), abs(gradient))
    return { weight: sub(weight, div(mul(momentum, rate), add(largest, epsilon))), momentum, largest }
  },
})

/** Clips and averages that do not go together. */
function conflict(options: Settled<typeof commonOptions>): Conflict | undefined {
  const clips = (['clipnorm', 'globalClipnorm', 'clipvalue'] as const).filter((clip) => options[clip] !== undefined)
  if (clips.length > 1) return { what: 'clips gradients in two ways', got: clips.join(' and ') }
  if (options.emaOverwriteFrequency === undefined || options.useEma) return undefined
  return { what: "'emaOverwriteFrequency' does nothing without averages", hint: 'set useEma: true' }
}

/** Every optimizer by name, with all its options. */
export const optimizers = withCommon(
  { sgd, adam, adamW, rmsprop, nadam, adagrad, adadelta, adamax } as const,
  (row) => ({ learningRate: withDefault<LearningRate>(learningRate, row.learningRate), ...commonOptions }),
  conflict,
)
export type OptimizerName = keyof typeof optimizers

/** An optimizer as a user gives it: its name, or its name with options. Plain JSON. */
export type Optimizer = Named<typeof optimizers>

/** A checked optimizer: its row with all options. */
export interface SettledOptimizer {
  readonly type: OptimizerName
  readonly row: AnyOptimizerRow
  readonly options: Settled<typeof commonOptions> & { readonly learningRate: LearningRate } & Settled<OptionTable>
}

/** The optimizer with all its options, and with this learning rate where one is given. */
export function settleOptimizer(given: Optimizer, learningRate?: LearningRate): SettledOptimizer {
  const { type, options } = settleNamed(optimizers, given, 'optimizer')
  const settled = learningRate === undefined ? options : { ...options, learningRate }
  return { type, row: optimizers[type] as unknown as AnyOptimizerRow, options: settled as SettledOptimizer['options'] }
}
