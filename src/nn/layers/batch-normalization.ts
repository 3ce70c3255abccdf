import { flag, number } from '../../base/options.ts'
import { add, mul } from '../../ops/elementwise.ts'
import { batchNorm, moments } from '../../ops/normalization.ts'
import { initializerOption } from '../initializers.ts'
import { defineLayer } from '../layer.ts'
import { weightOptions, weightSpec } from './weights.ts'

/**
 * Ioffe and Szegedy 2015: every channel (the last axis) with mean 0 and variance 1 over the batch, then scaled and shifted.
 * Training uses the batch's own (biased) variance and moves the running statistics, which inference uses, and a frozen
 * layer too. PyTorch's momentum is 1 - ours, its epsilon 1e-5, its running variance unbiased.
 */
export const batchNormalization = defineLayer('batchNormalization', {
  className: 'BatchNormalization',
  says: 'Every channel with mean 0 and variance 1 over the batch, then scaled and shifted.',
  options: {
    momentum: number({ says: 'share of the running statistics that a step keeps', min: 0, max: 1, default: 0.99 }),
    epsilon: number({ says: 'added to the variance', min: 0, default: 1e-3 }),
    center: flag({ says: 'add beta', default: true }),
    scale: flag({ says: 'multiply by gamma', default: true }),
    ...weightOptions('beta', 'beta [channels]', 'zeros'),
    ...weightOptions('gamma', 'gamma [channels]', 'ones'),
    movingMeanInitializer: initializerOption('first values of the running mean [channels]', 'zeros'),
    movingVarianceInitializer: initializerOption('first values of the running variance [channels]', 'ones'),
  },
  weights: (options, sample) => {
    const shape = [sample[sample.length - 1] ?? 1]
    return {
      ...(options.scale && { gamma: weightSpec('gamma', shape, options) }),
      ...(options.center && { beta: weightSpec('beta', shape, options) }),
      movingMean: { shape, initializer: options.movingMeanInitializer, trainable: false },
      movingVariance: { shape, initializer: options.movingVarianceInitializer, trainable: false },
    }
  },
  forward: ([x], { gamma, beta, movingMean, movingVariance }, { momentum, epsilon }, { mode, isTrainable }) => {
    if (mode === 'infer' || !isTrainable)
      return batchNorm(x, { mean: movingMean, variance: movingVariance, gamma, beta, epsilon })
    const { mean, variance } = moments(x, { axes: x.shape.slice(1).map((_, axis) => axis) })
    const moved = (old: typeof x, now: typeof x) => add(mul(old, momentum), mul(now, 1 - momentum))
    return {
      output: batchNorm(x, { mean, variance, gamma, beta, epsilon }),
      updates: { movingMean: moved(movingMean, mean), movingVariance: moved(movingVariance, variance) },
    }
  },
})
