/** LeNet, as the lectures draw it and as it was. */
import type { Layer } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { defineNetwork, imageOptions } from './define.ts'

const { averagePooling2d, conv2d, dense, flatten, maxPooling2d } = layers
const options = imageOptions([28, 28, 1], 10)

/** LeNet as the lectures draw it (after LeCun et al. 1998): 1,256,080 parameters. */
export const lenet = defineNetwork('lenet', {
  says: 'LeNet as the lectures draw it, with wide layers, relu and max pooling: 1,256,080 parameters.',
  options,
  build: ({ classes }): Layer[] => [
    conv2d({ filters: 20, kernelSize: 5, padding: 'same', activation: 'relu' }),
    maxPooling2d(),
    conv2d({ filters: 50, kernelSize: 5, padding: 'same', activation: 'relu' }),
    maxPooling2d(),
    flatten(),
    dense({ units: 500, activation: 'relu' }),
    dense({ units: classes }),
  ],
})

/**
 * LeNet-5 (LeCun et al. 1998) with all connections in C3: 61,706 parameters. A picture of 28 x 28 is padded to 32 x 32 as in
 * the paper. S2 and S4 are plain means, and the last layer gives logits rather than distances from pictures of digits.
 */
export const lenet5 = defineNetwork('lenet5', {
  says: 'LeNet-5 (LeCun et al. 1998): tanh and mean pooling, 61,706 parameters.',
  options,
  build: ({ classes }): Layer[] => [
    conv2d({ filters: 6, kernelSize: 5, padding: 2, activation: 'tanh', name: 'c1' }),
    averagePooling2d({ name: 's2' }),
    conv2d({ filters: 16, kernelSize: 5, activation: 'tanh', name: 'c3' }),
    averagePooling2d({ name: 's4' }),
    flatten(),
    dense({ units: 120, activation: 'tanh', name: 'c5' }),
    dense({ units: 84, activation: 'tanh', name: 'f6' }),
    dense({ units: classes, name: 'predictions' }),
  ],
})
