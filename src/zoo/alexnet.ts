import type { Layer } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { conv, dropoutOption, dropping, variantOption } from './blocks.ts'
import { defineNetwork, imageOptions, topOptions } from './define.ts'

const { dense, flatten, localResponseNormalization, maxPooling2d } = layers

const pool = (): Layer => maxPooling2d({ poolSize: 3, strides: 2 })
/** The paper's constants; its sum is not divided by the size. */
const normalise = (): Layer => localResponseNormalization({ size: 5, alpha: 5e-4, beta: 0.75, k: 2 })

const paper = (): Layer[] => [
  ...[conv(96, 11, { strides: 4, padding: 2 }), normalise(), pool()],
  ...[conv(256, 5, { groups: 2 }), normalise(), pool()],
  ...[conv(384, 3), conv(384, 3, { groups: 2 }), conv(256, 3, { groups: 2 }), pool()],
]

const torchvision = (): Layer[] => [
  ...[conv(64, 11, { strides: 4, padding: 2 }), pool()],
  ...[conv(192, 5), pool()],
  ...[conv(384, 3), conv(256, 3), conv(256, 3), pool()],
]

export const alexnet = defineNetwork('alexnet', {
  says: 'AlexNet: 60,965,224 parameters as in Krizhevsky et al. 2012, 61,100,840 as in torchvision.',
  options: {
    ...imageOptions([224, 224, 3], 1000),
    ...topOptions,
    ...variantOption,
    dropout: dropoutOption('the dense units', 0.5),
  },
  build: ({ classes, includeTop, variant, dropout: rate }): Layer[] => {
    const full = (): Layer[] => [
      ...dropping(rate),
      dense({ units: 4096, activation: 'relu', kernelInitializer: 'heNormal' }),
    ]
    return [
      ...(variant === 'paper' ? paper() : torchvision()),
      ...(includeTop ? [flatten(), ...full(), ...full(), dense({ units: classes, name: 'predictions' })] : []),
    ]
  },
})
