/** The two networks for CIFAR-10 of Gulli and Pal, Deep Learning with Keras (2017), chapter 3. */
import type { Layer } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { defineNetwork, imageOptions } from './define.ts'

const { conv2d, maxPooling2d, flatten, dense, dropout } = layers
const options = imageOptions([32, 32, 3], 10)

const conv = (filters: number, padding: 'same' | 'valid' = 'same'): Layer =>
  conv2d({ filters, kernelSize: 3, padding, activation: 'relu' })
const pooled = (): Layer[] => [maxPooling2d(), dropout({ rate: 0.25 })]
const classified = (classes: number): Layer[] => [
  flatten(),
  dense({ units: 512, activation: 'relu' }),
  dropout({ rate: 0.5 }),
  dense({ units: classes }),
]

/** One convolution: 4,200,842 parameters. */
export const cifarSimple = defineNetwork('cifarSimple', {
  says: 'One convolution and a wide dense layer: 4,200,842 parameters.',
  options,
  build: ({ classes }) => [conv(32), ...pooled(), ...classified(classes)],
})

/** Four convolutions, the last without a border: 1,676,842 parameters. */
export const cifarDeep = defineNetwork('cifarDeep', {
  says: 'Two modules of two convolutions: 1,676,842 parameters.',
  options,
  build: ({ classes }) => [
    ...[conv(32), conv(32), ...pooled()],
    ...[conv(64), conv(64, 'valid'), ...pooled()],
    ...classified(classes),
  ],
})
