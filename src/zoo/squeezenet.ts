/** SqueezeNet (Iandola et al. 2016): fire modules, few channels to 1 x 1 and 3 x 3 side by side. */
import { choice } from '../base/options.ts'
import type { Tensor } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { ceilPool, conv, dropoutOption, dropping, through } from './blocks.ts'
import { defineNetwork, imageOptions, topOptions } from './define.ts'

const { concatenate, conv2d, globalAveragePooling2d } = layers

/** Squeezed to so many channels, then both sizes of kernels give four times as many. */
const fire =
  (squeeze: number) =>
  (x: Tensor, name: string): Tensor => {
    const few = conv(squeeze, 1)(x)
    return concatenate({ name })(conv(4 * squeeze, 1)(few), conv(4 * squeeze, 3)(few))
  }

/** Table 1: fire modules from 2 to 9, and the places of pooling between them. */
const versions = {
  '1.0': ['pool', 16, 16, 32, 'pool', 32, 48, 48, 64, 'pool', 64],
  '1.1': ['pool', 16, 16, 'pool', 32, 32, 'pool', 48, 48, 64, 64],
} as const

export const squeezenet = defineNetwork('squeezenet', {
  says: 'SqueezeNet (Iandola et al. 2016): 1,248,424 parameters as 1.0, 1,235,496 as 1.1.',
  options: {
    ...imageOptions([224, 224, 3], 1000),
    ...topOptions,
    version: choice(['1.0', '1.1'], {
      says: "the paper's, or the authors' faster one with pooling earlier",
      default: '1.0',
    }),
    dropout: dropoutOption('the values before the last convolution', 0.5),
  },
  build: ({ classes, includeTop, version, dropout: rate }, x) => {
    const [filters, kernelSize] = version === '1.0' ? [96, 7] : [64, 3]
    let y = conv(filters, kernelSize, { strides: 2, padding: 0 })(x)
    let number = 2
    for (const part of versions[version]) y = part === 'pool' ? ceilPool()(y) : fire(part)(y, `fire${number++}`)
    if (!includeTop) return y
    return through(
      y,
      ...dropping(rate),
      conv2d({ filters: classes, kernelSize: 1, activation: 'relu', name: 'predictions' }),
      globalAveragePooling2d(),
    )
  },
})
