/** Noise and dropout: in training only, by numbers that follow from the seed. */
import { number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import type { Shape } from '../../graph/shape.ts'
import { add, expression, mul, SELU } from '../../ops/elementwise.ts'
import { dropped } from '../../ops/sampling.ts'
import { argument, s, scalar } from '../../ops/scalar.ts'
import type { ForwardContext } from '../layer.ts'
import { defineLayer } from '../layer.ts'
import type { Rank } from './per-axis.ts'
import { channelsOf, samplesOf } from './per-axis.ts'

const rateOf = (says: string) => number({ says, min: 0, max: 1, ends: 'right-open' })

/** Dropout by numbers of this shape, which broadcast over x. */
const masked = (x: Node, shape: Shape, rate: number, { mode, draw }: ForwardContext): Node =>
  mode === 'infer' || rate === 0 ? x : dropped(x, draw({ shape }), rate)

/** Srivastava et al. 2014: zeroes values with probability `rate` in training and scales the others by 1 / (1 - rate). */
export const dropout = defineLayer('dropout', {
  className: 'Dropout',
  countsUnbuilt: true,
  says: 'Zeroes values at random in training, scales the others up; does nothing otherwise.',
  options: { rate: rateOf('probability that a value is zeroed') },
  forward: ([x], _, { rate }, context) => masked(x, x.shape, rate, context),
})

const spatialDropoutOf = (rank: Rank) =>
  defineLayer(`spatialDropout${rank}d`, {
    className: `SpatialDropout${rank}D`,
    countsUnbuilt: true,
    says: `Zeroes whole channels of ${samplesOf(rank)} at random in training, scales the others up.`,
    options: { rate: rateOf('probability that a channel is zeroed') },
    forward: ([x], _, { rate }, context) => {
      const channels = channelsOf(x.shape.slice(1), rank)
      return masked(x, [x.shape[0], ...Array<number>(rank).fill(1), channels], rate, context)
    },
  })

/** Tompson et al. 2015: dropout of whole channels of [length, channels], for neighbours that say the same. */
export const spatialDropout1d = spatialDropoutOf(1)
/** Dropout of whole channels of [height, width, channels]. */
export const spatialDropout2d = spatialDropoutOf(2)
/** Dropout of whole channels of [depth, height, width, channels]. */
export const spatialDropout3d = spatialDropoutOf(3)

const [value, drawn] = [argument(0), argument(1)]
/** What selu tends to far below 0. */
const LOWEST = -SELU.scale * SELU.alpha

/**
 * Klambauer et al. 2017, for selu: values become the lowest of selu with probability `rate` in training, then all are scaled and
 * shifted, so that mean 0 and variance 1 stay.
 */
export const alphaDropout = defineLayer('alphaDropout', {
  className: 'AlphaDropout',
  countsUnbuilt: true,
  says: 'Dropout for selu: values become its lowest, mean 0 and variance 1 stay.',
  options: { rate: rateOf('probability that a value is dropped') },
  forward: ([x], _, { rate }, { mode, draw }) => {
    if (mode === 'infer' || rate === 0) return x
    const scale = ((1 - rate) * (1 + rate * LOWEST ** 2)) ** -0.5
    const shift = -scale * LOWEST * rate
    const isKept = s.lessEqual(rate, drawn)
    const f = s.select(isKept, s.add(s.mul(scale, value), shift), scale * LOWEST + shift)
    return expression('alphaDropout', [x, draw({ shape: x.shape })], f, [s.select(isKept, scale, 0), scalar(0)])
  },
})

const normalOf = (x: Node, { draw }: ForwardContext): Node => draw({ shape: x.shape, distribution: 'normal' })

/** x + stddev z in training, z standard normal. */
export const gaussianNoise = defineLayer('gaussianNoise', {
  className: 'GaussianNoise',
  countsUnbuilt: true,
  says: 'Adds normal numbers in training; does nothing otherwise.',
  options: { stddev: number({ says: 'standard deviation of what is added', min: 0 }) },
  forward: ([x], _, { stddev }, context) =>
    context.mode === 'infer' || stddev === 0 ? x : add(x, mul(normalOf(x, context), stddev)),
})

/** Srivastava et al. 2014, section 10: x (1 + sqrt(rate / (1 - rate)) z) in training, z standard normal. */
export const gaussianDropout = defineLayer('gaussianDropout', {
  className: 'GaussianDropout',
  countsUnbuilt: true,
  says: 'Multiplies by normal numbers of mean 1 in training, as spread as dropout; does nothing otherwise.',
  options: { rate: rateOf('rate of the dropout of the same variance, rate / (1 - rate)') },
  forward: ([x], _, { rate }, context) => {
    if (context.mode === 'infer' || rate === 0) return x
    return mul(x, add(mul(normalOf(x, context), Math.sqrt(rate / (1 - rate))), 1))
  },
})
