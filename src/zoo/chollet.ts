/** The networks of Chollet, Deep Learning with Python (2017), chapter 5, with logits at the end. */
import { layers } from '../nn/layers/index.ts'
import { defineNetwork, imageOptions } from './define.ts'

const { conv2d, maxPooling2d, flatten, dense } = layers

/** Section 5.1: 93,322 parameters. */
export const convnet = defineNetwork('convnet', {
  says: 'The small network for digits of Chollet 2017, section 5.1: 93,322 parameters.',
  options: imageOptions([28, 28, 1], 10),
  build: ({ classes }) => [
    conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
    maxPooling2d(),
    conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
    maxPooling2d(),
    conv2d({ filters: 64, kernelSize: 3, activation: 'relu' }),
    flatten(),
    dense({ units: 64, activation: 'relu' }),
    dense({ units: classes }),
  ],
})

/** Section 5.2: 3,453,121 parameters. One logit: above 0 is the second class, by the loss `binaryCrossentropy`. */
export const catsVsDogs = defineNetwork('catsVsDogs', {
  says: 'The network for cats and dogs of Chollet 2017, section 5.2, with one output: 3,453,121 parameters.',
  options: imageOptions([150, 150, 3], 1),
  build: ({ classes }) => [
    ...[32, 64, 128, 128].flatMap((filters) => [
      conv2d({ filters, kernelSize: 3, activation: 'relu' }),
      maxPooling2d(),
    ]),
    flatten(),
    dense({ units: 512, activation: 'relu' }),
    dense({ units: classes }),
  ],
})
