/** The two networks for CIFAR-10 of Gulli and Pal, Deep Learning with Keras (2017), chapter 3. */
import type { Layer } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { dropoutOption, dropping } from './blocks.ts'
import { defineNetwork, imageOptions } from './define.ts'

const { conv2d, maxPooling2d, flatten, dense } = layers
const options = {
  ...imageOptions([32, 32, 3], 10),
  dropout: dropoutOption('the dense units, and half as much after pooling,', 0.5),
}

const conv = (filters: number, padding: 'same' | 'valid' = 'same'): Layer =>
  conv2d({ filters, kernelSize: 3, padding, activation: 'relu' })
const pooled = (rate: number): Layer[] => [maxPooling2d(), ...dropping(rate / 2)]
const classified = (classes: number, rate: number): Layer[] => [
  flatten(),
  dense({ units: 512, activation: 'relu' }),
  ...dropping(rate),
  dense({ units: classes }),
]

/** One convolution: 4,200,842 parameters. */
export const cifarSimple = defineNetwork('cifarSimple', {
  says: 'One convolution and a wide dense layer: 4,200,842 parameters.',
  options,
  build: ({ classes, dropout: rate }) => [conv(32), ...pooled(rate), ...classified(classes, rate)],
})

/** Four convolutions, the last without a border: 1,676,842 parameters. */
export const cifarDeep = defineNetwork('cifarDeep', {
  says: 'Two modules of two convolutions: 1,676,842 parameters.',
  options,
  build: ({ classes, dropout: rate }) => [
    ...[conv(32), conv(32), ...pooled(rate)],
    ...[conv(64), conv(64, 'valid'), ...pooled(rate)],
    ...classified(classes, rate),
  ],
})
