/** The network of TensorFlow's MNIST tutorial for experts, with its first weights: 3,274,634 parameters. */

import { settle } from '../base/options.ts'
import { sequential } from '../model/build.ts'
import type { Model, ModelOptions } from '../model/model.ts'
import { modelTable } from '../model/model.ts'
import { layers } from '../nn/layers/index.ts'

const { conv2d, maxPooling2d, flatten, dense, dropout } = layers

const start = {
  kernelInitializer: { type: 'truncatedNormal', stddev: 0.1 },
  biasInitializer: { type: 'constant', value: 0.1 },
} as const

export const mnistCnn = (options: ModelOptions = {}): Model => {
  const { name = 'mnistCnn', ...rest } = settle(modelTable, options, 'mnistCnn')
  return sequential({ name, ...rest, inputShape: [28, 28, 1] }, [
    conv2d({ filters: 32, kernelSize: 5, padding: 'same', activation: 'relu', ...start }),
    maxPooling2d({ padding: 'same' }),
    conv2d({ filters: 64, kernelSize: 5, padding: 'same', activation: 'relu', ...start }),
    maxPooling2d({ padding: 'same' }),
    flatten(),
    dense({ units: 1024, activation: 'relu', ...start }),
    dropout({ rate: 0.5 }),
    dense({ units: 10, ...start }),
  ])
}
