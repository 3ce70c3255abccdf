/** The network of TensorFlow's MNIST tutorial for experts, with its first weights: 3,274,634 parameters. */
import { layers } from '../nn/layers/index.ts'
import { defineNetwork, imageOptions } from './define.ts'

const { conv2d, maxPooling2d, flatten, dense, dropout } = layers

const start = {
  kernelInitializer: { type: 'truncatedNormal', stddev: 0.1 },
  biasInitializer: { type: 'constant', value: 0.1 },
} as const

export const mnistCnn = defineNetwork('mnistCnn', {
  says: "The network of TensorFlow's MNIST tutorial for experts, with its first weights: 3,274,634 parameters.",
  options: imageOptions([28, 28, 1], 10),
  build: ({ classes }) => [
    conv2d({ filters: 32, kernelSize: 5, padding: 'same', activation: 'relu', ...start }),
    maxPooling2d({ padding: 'same' }),
    conv2d({ filters: 64, kernelSize: 5, padding: 'same', activation: 'relu', ...start }),
    maxPooling2d({ padding: 'same' }),
    flatten(),
    dense({ units: 1024, activation: 'relu', ...start }),
    dropout({ rate: 0.5 }),
    dense({ units: classes, ...start }),
  ],
})
