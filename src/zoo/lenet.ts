/** LeNet as the lectures draw it (after LeCun et al. 1998): 1,256,080 parameters. */

import { settle } from '../base/options.ts'
import { sequential } from '../model/build.ts'
import type { Model, ModelOptions } from '../model/model.ts'
import { modelTable } from '../model/model.ts'
import { layers } from '../nn/layers/index.ts'

const { conv2d, maxPooling2d, flatten, dense } = layers

export const lenet = (options: ModelOptions = {}): Model => {
  const { name = 'lenet', ...rest } = settle(modelTable, options, 'lenet')
  return sequential({ name, ...rest, inputShape: [28, 28, 1] }, [
    conv2d({ filters: 20, kernelSize: 5, padding: 'same', activation: 'relu' }),
    maxPooling2d(),
    conv2d({ filters: 50, kernelSize: 5, padding: 'same', activation: 'relu' }),
    maxPooling2d(),
    flatten(),
    dense({ units: 500, activation: 'relu' }),
    dense({ units: 10 }),
  ])
}
