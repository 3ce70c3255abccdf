/** Normalisation of every sample by its own numbers: over axes, in groups of channels, to length 1, by neighbouring channels. */
import { FoveaError } from '../../base/errors.ts'
import { flag, integer, number } from '../../base/options.ts'
import { axisOf } from '../../graph/shape.ts'
import { overAxis } from '../../ops/movement.ts'
import { groupNorm, layerNorm, unitNorm } from '../../ops/normalization.ts'
import { localResponseNorm, localResponseOptions } from '../../ops/window-sum.ts'
import { axesOf, axesOption } from '../axes.ts'
import { defineLayer } from '../layer.ts'
import { weightOptions, weightSpec } from './weights.ts'

const axes = axesOption('axes that are normalised together')

const affine = (shape: string) => ({
  epsilon: number({ says: 'added to the variance', min: 0, default: 1e-3 }),
  center: flag({ says: 'add beta', default: true }),
  scale: flag({ says: 'multiply by gamma', default: true }),
  ...weightOptions('beta', `beta ${shape}`, 'zeros'),
  ...weightOptions('gamma', `gamma ${shape}`, 'ones'),
})

/**
 * Ba et al. 2016: mean 0 and variance 1 over the axes (the channels of a place, unless more is said), then times gamma plus
 * beta, which have the sizes of these axes. The same in training and prediction. PyTorch's epsilon is 1e-5.
 */
export const layerNormalization = defineLayer('layerNormalization', {
  className: 'LayerNormalization',
  says: 'Mean 0 and variance 1 over the axes of every sample, then scaled and shifted.',
  options: { axis: axes, ...affine('[sizes of the axes]') },
  weights: ({ axis, center, scale, ...options }, sample) => {
    const shape = axesOf(axis, sample.length + 1).map((one) => sample[one - 1])
    return {
      ...(scale && { gamma: weightSpec('gamma', shape, options) }),
      ...(center && { beta: weightSpec('beta', shape, options) }),
    }
  },
  forward: ([x], { gamma, beta }, { axis, epsilon }) =>
    layerNorm(x, { axes: axesOf(axis, x.shape.length), gamma, beta, epsilon }),
})

/** As many channels as go into the groups. */
function groupsOf(groups: number, channels: number): number {
  const count = groups === -1 ? channels : groups
  if (count > 0 && channels % count === 0) return count
  const expected = `a number that divides ${channels} channels, or -1 for a group each`
  throw new FoveaError('E_OPTION', { what: "'groups' is wrong", expected, got: `${groups}` })
}

/**
 * Wu and He 2018: mean 0 and variance 1 over all places and the channels of a group, then every channel times gamma plus beta.
 * `groups: -1` gives each channel a group of its own: instance normalisation (Ulyanov et al. 2016). The same in training and
 * prediction. PyTorch's epsilon is 1e-5.
 */
export const groupNormalization = defineLayer('groupNormalization', {
  className: 'GroupNormalization',
  says: 'Mean 0 and variance 1 over the places and channels of each group, then scaled and shifted.',
  options: {
    groups: integer({ says: 'groups of channels; -1 for a group each', min: -1, default: 32 }),
    axis: integer({ says: 'axis of the channels, the batch being 0', default: -1 }),
    ...affine('[channels]'),
  },
  weights: ({ groups, axis, center, scale, ...options }, sample) => {
    const [at] = axesOf(axis, sample.length + 1)
    const shape = [sample[at - 1]]
    groupsOf(groups, shape[0])
    return {
      ...(scale && { gamma: weightSpec('gamma', shape, options) }),
      ...(center && { beta: weightSpec('beta', shape, options) }),
    }
  },
  forward: ([x], { gamma, beta }, { groups, axis, epsilon }) => {
    const count = groupsOf(groups, x.shape[axisOf(axis, x.shape.length)])
    return overAxis(axis, x, (y) => groupNorm(y, { groups: count, gamma, beta, epsilon }))
  },
})

/** Every sample divided by its length over the axes: the root of the sum of squares, at least 1e-12. */
export const unitNormalization = defineLayer('unitNormalization', {
  className: 'UnitNormalization',
  countsUnbuilt: true,
  says: 'Length 1 over the axes: values by the root of the sum of their squares.',
  options: { axis: axes },
  forward: ([x], _, { axis }) => unitNorm(x, { axes: axesOf(axis, x.shape.length) }),
})

/**
 * Krizhevsky et al. 2012: every value by a power of 1 plus what its neighbours in other channels have, as PyTorch defines it:
 * alpha is divided by `size`. AlexNet has `{ size: 5, alpha: 5e-4, beta: 0.75, k: 2 }` in these terms.
 */
export const localResponseNormalization = defineLayer('localResponseNormalization', {
  className: 'LocalResponseNormalization',
  countsUnbuilt: true,
  says: 'Every value by a power of k + alpha times the mean square of neighbouring channels.',
  options: localResponseOptions,
  forward: ([x], _, options) => localResponseNorm(x, options),
})
