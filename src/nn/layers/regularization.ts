import { number } from '../../base/options.ts'
import { dropped } from '../../ops/sampling.ts'
import { defineLayer } from '../layer.ts'

/** Srivastava et al. 2014: zeroes values with probability `rate` in training and scales the others by 1 / (1 - rate). */
export const dropout = defineLayer('dropout', {
  className: 'Dropout',
  countsUnbuilt: true,
  says: 'Zeroes values at random in training, scales the others up; does nothing otherwise.',
  options: { rate: number({ says: 'probability that a value is zeroed', min: 0, max: 1, ends: 'right-open' }) },
  forward: ([x], _, { rate }, { mode, draw }) => {
    if (mode === 'infer' || rate === 0) return x
    return dropped(x, draw({ shape: x.shape }), rate)
  },
})
