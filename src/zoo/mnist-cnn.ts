/** The network of TensorFlow's MNIST tutorial for experts, with its first weights: 3,274,634 parameters. */
import { layers } from '../nn/layers/index.ts'
import { dropoutOption, dropping } from './blocks.ts'
import { defineNetwork, imageOptions } from './define.ts'

const { conv2d, maxPooling2d, flatten, dense } = layers

const start = {
  kernelInitializer: { type: 'truncatedNormal', stddev: 0.1 },
  biasInitializer: { type: 'constant', value: 0.1 },
} as const

export const mnistCnn = defineNetwork('mnistCnn', {
  says: "The network of TensorFlow's MNIST tutorial for experts, with its first weights: 3,274,634 parameters.",
  options: { ...imageOptions([28, 28, 1], 10), dropout: dropoutOption('the dense units', 0.5) },
  build: ({ classes, dropout: rate }) => [
    conv2d({ filters: 32, kernelSize: 5, padding: 'same', activation: 'relu', ...start }),
    maxPooling2d({ padding: 'same' }),
    conv2d({ filters: 64, kernelSize: 5, padding: 'same', activation: 'relu', ...start }),
    maxPooling2d({ padding: 'same' }),
    flatten(),
    dense({ units: 1024, activation: 'relu', ...start }),
    ...dropping(rate),
    dense({ units: classes, ...start }),
  ],
})
