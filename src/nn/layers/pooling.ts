import type { Sizes } from '../../base/options.ts'
import { choice, flag, sizes } from '../../base/options.ts'
import type { Node, Op } from '../../graph/node.ts'
import { nhwc } from '../../graph/shape.ts'
import type { PoolAttrs } from '../../ops/pooling.ts'
import { averagePool, maxPool } from '../../ops/pooling.ts'
import { max, mean } from '../../ops/reduction.ts'
import { defineLayer } from '../layer.ts'
import { perAxis } from './convolution.ts'

const windowOptions = {
  strides: sizes({ says: 'steps of the window; the window itself when absent', min: 1, optional: true }),
  padding: choice(['valid', 'same'], {
    says: 'border: none, or so that output = ceil(input / stride)',
    default: 'valid',
  }),
}

interface PoolOptions {
  poolSize: Sizes
  strides: Sizes | undefined
  padding: 'valid' | 'same'
}

function pool(op: Op<1, PoolAttrs>, x: Node, { poolSize, strides = poolSize, padding }: PoolOptions): Node {
  nhwc(x.shape)
  return op(x, { window: perAxis(poolSize, 2, 'poolSize'), strides: perAxis(strides, 2, 'strides'), padding })
}

/** The largest value of every window, channel by channel. */
export const maxPooling2d = defineLayer('maxPooling2d', {
  className: 'MaxPooling2D',
  countsUnbuilt: true,
  says: 'Largest value of every window.',
  options: { poolSize: sizes({ says: 'height and width of the window', min: 1, default: 2 }), ...windowOptions },
  forward: ([x], _, options) => pool(maxPool, x, options),
})

/** The mean of every window, channel by channel; a border never counts. */
export const averagePooling2d = defineLayer('averagePooling2d', {
  className: 'AveragePooling2D',
  countsUnbuilt: true,
  says: 'Mean of every window; a border never counts.',
  options: { poolSize: sizes({ says: 'height and width of the window', min: 1, default: 2 }), ...windowOptions },
  forward: ([x], _, options) => pool(averagePool, x, options),
})

const keepDims = flag({ says: 'keep height and width with size 1', default: false })

/** The mean of every channel over the whole image. */
export const globalAveragePooling2d = defineLayer('globalAveragePooling2d', {
  className: 'GlobalAveragePooling2D',
  countsUnbuilt: true,
  says: 'Mean of every channel over the whole image.',
  options: { keepDims },
  forward: ([x], _, options) => {
    nhwc(x.shape)
    return mean(x, { axes: [1, 2], ...options })
  },
})

/** The largest value of every channel in the whole image. */
export const globalMaxPooling2d = defineLayer('globalMaxPooling2d', {
  className: 'GlobalMaxPooling2D',
  countsUnbuilt: true,
  says: 'Largest value of every channel in the whole image.',
  options: { keepDims },
  forward: ([x], _, options) => {
    nhwc(x.shape)
    return max(x, { axes: [1, 2], ...options })
  },
})
