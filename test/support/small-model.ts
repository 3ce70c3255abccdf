/** A small classifier and a few drawn digits, on which tests of models agree. */
import { datasets, layers, sequential } from '../../src/index.ts'

const { conv2d, maxPooling2d, flatten, dense, dropout } = layers

export const { train, test: judged } = await datasets.digits({ samples: 330, testSamples: 70 })
export const small = (options = {}) =>
  sequential({ inputShape: [28, 28, 1], seed: 1, threads: 2, ...options }, [
    conv2d({ filters: 8, kernelSize: 5, strides: 2, activation: 'relu' }),
    maxPooling2d(),
    flatten(),
    dropout({ rate: 0.25 }),
    dense({ units: 10, activation: 'softmax' }),
  ])
export const settings = { epochs: 2, batchSize: 64, seed: 5 } as const
