/**
 * Three convolutions without pooling, as the first lecture prints them: 320, 18,496, 36,928, in all 55,744 parameters. To
 * train it, add what classifies: `[...Object.values(zoo.firstConvnet().layers), flatten(), dense({ units: 10 })]`.
 */
import { layers } from '../nn/layers/index.ts'
import { defineNetwork, imageOptions } from './define.ts'

const { conv2d } = layers
const { inputShape } = imageOptions([28, 28, 1], 10)

export const firstConvnet = defineNetwork('firstConvnet', {
  says: 'Three convolutions without pooling or layers that classify: 55,744 parameters.',
  options: { inputShape },
  isBeginning: true,
  build: () => [
    conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
    conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
    conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
  ],
})
