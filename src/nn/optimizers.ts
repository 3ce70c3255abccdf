/** Optimizers by Keras's names and rules. An update is a graph; what depends on the step alone is computed outside, exactly. */

import { FoveaError } from '../base/errors.ts'
import type { Options, OptionTable, Settled } from '../base/options.ts'
import { choice, flag, number, settle } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { add, div, mul, sqrt, sub } from '../ops/elementwise.ts'

export interface OptimizerRow<T extends OptionTable, Slot extends string, Rate extends string> {
  readonly says: string
  readonly options: T
  /** State kept per weight, of its shape, zeros at first. */
  readonly slots: (options: Settled<T>) => readonly Slot[]
  /** Numbers of step `t` (1 for the first) that the update reads. */
  readonly rates: (options: Settled<T>, t: number) => Readonly<Record<Rate, number>>
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

const learningRate = (value: number) => number({ says: 'size of a step', min: 0, default: value })

const sgd = define({
  says: 'Stochastic gradient descent, with momentum where asked for.',
  options: {
    learningRate: learningRate(0.01),
    momentum: number({ says: 'share of the last step that is kept', min: 0, max: 1, ends: 'right-open', default: 0 }),
    nesterov: flag({ says: 'look ahead along the momentum', default: false }),
  },
  slots: ({ momentum }) => (momentum > 0 ? ['velocity'] : []),
  rates: (options) => ({ learningRate: options.learningRate }),
  update: (weight, gradient, { velocity }, { learningRate }, { momentum, nesterov }) => {
    const step = mul(gradient, learningRate)
    if (!velocity) return { weight: sub(weight, step) }
    const next = sub(mul(velocity, momentum), step)
    return { weight: add(weight, nesterov ? sub(mul(next, momentum), step) : next), velocity: next }
  },
})

/** Kingma and Ba 2015. */
const adam = define({
  says: 'Adam: steps scaled by running means of the gradient and of its square.',
  options: {
    learningRate: learningRate(0.001),
    beta1: number({ says: 'decay of the mean of the gradient', min: 0, max: 1, ends: 'right-open', default: 0.9 }),
    beta2: number({ says: 'decay of the mean of its square', min: 0, max: 1, ends: 'right-open', default: 0.999 }),
    epsilon: number({ says: 'added to the root in the denominator', min: 0, default: 1e-7 }),
    epsilonMode: choice(['keras', 'torch'], {
      says: 'epsilon is added before the bias correction (Keras) or after it (PyTorch)',
      default: 'keras',
    }),
  },
  slots: () => ['momentum', 'velocity'],
  rates: ({ learningRate, beta1, beta2, epsilonMode }, t) => {
    const root = Math.sqrt(1 - beta2 ** t)
    const rate = learningRate / (1 - beta1 ** t)
    return epsilonMode === 'keras' ? { rate: rate * root, rootScale: 1 } : { rate, rootScale: 1 / root }
  },
  update: (weight, gradient, { momentum, velocity }, { rate, rootScale }, { beta1, beta2, epsilon, epsilonMode }) => {
    const mean = add(momentum, mul(sub(gradient, momentum), 1 - beta1))
    const square = add(velocity, mul(sub(mul(gradient, gradient), velocity), 1 - beta2))
    const root = epsilonMode === 'keras' ? sqrt(square) : mul(sqrt(square), rootScale)
    return { weight: sub(weight, div(mul(mean, rate), add(root, epsilon))), momentum: mean, velocity: square }
  },
})

export const optimizers = { sgd, adam } as const
export type OptimizerName = keyof typeof optimizers
export const optimizerNames = Object.keys(optimizers) as OptimizerName[]

type OptimizerOptions = {
  [N in OptimizerName]: { readonly type: N } & Options<(typeof optimizers)[N]['options']>
}[OptimizerName]

/** An optimizer as a user gives it: its name, or its name with options. Plain JSON. */
export type Optimizer = OptimizerName | OptimizerOptions

/** A checked optimizer: its row with all options. */
export interface SettledOptimizer {
  readonly type: OptimizerName
  readonly row: AnyOptimizerRow
  readonly options: Settled<OptionTable>
}

export function settleOptimizer(given: Optimizer): SettledOptimizer {
  const { type, ...options } = typeof given === 'string' ? { type: given } : given
  if (!optimizerNames.includes(type)) {
    throw new FoveaError('E_OPTION', {
      what: 'unknown optimizer',
      expected: optimizerNames.join(', '),
      got: String(type),
    })
  }
  const row = optimizers[type] as unknown as AnyOptimizerRow
  return { type, row, options: settle(row.options, options, type) }
}
