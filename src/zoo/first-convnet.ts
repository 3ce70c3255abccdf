/**
 * Three convolutions without pooling, as the first lecture prints them: 320, 18,496, 36,928, in all 55,744 parameters. To
 * train it, add what classifies: `[...Object.values(zoo.firstConvnet().layers), flatten(), dense({ units: 10 })]`.
 */

import { settle } from '../base/options.ts'
import { sequential } from '../model/build.ts'
import type { Model, ModelOptions } from '../model/model.ts'
import { modelTable } from '../model/model.ts'
import { layers } from '../nn/layers/index.ts'

const { conv2d } = layers

export const firstConvnet = (options: ModelOptions = {}): Model => {
  const { name = 'firstConvnet', ...rest } = settle(modelTable, options, 'firstConvnet')
  return sequential({ name, ...rest, inputShape: [28, 28, 1] }, [
    conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
    conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
    conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
  ])
}
