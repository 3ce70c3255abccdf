/** VGG (Simonyan and Zisserman 2015): convolutions of 3 x 3 only, in five blocks that each end in pooling. */
import { flag } from '../base/options.ts'
import type { Layer } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { conv, dropoutOption, dropping, normalised } from './blocks.ts'
import type { ZooNetwork } from './define.ts'
import { defineNetwork, imageOptions, topOptions } from './define.ts'

const { conv2d, dense, flatten, maxPooling2d } = layers

const vggOptions = {
  ...imageOptions([224, 224, 3], 1000),
  ...topOptions,
  batchNorm: flag({ says: 'batch normalisation after every convolution', default: false }),
  dropout: dropoutOption('the dense units', 0.5),
}

/** Filters of the blocks; table 1 of the paper says how many convolutions each has. */
const filters = [64, 128, 256, 512, 512]

const vgg = (name: string, convolutions: readonly number[], count: string): ZooNetwork<typeof vggOptions> =>
  defineNetwork(name, {
    says: `VGG-${3 + convolutions.reduce((a, b) => a + b, 0)} (Simonyan and Zisserman 2015), ${count} parameters.`,
    options: vggOptions,
    build: ({ classes, includeTop, batchNorm, dropout: rate }): Layer[] => {
      const one = (size: number): Layer[] =>
        batchNorm
          ? [conv2d({ filters: size, kernelSize: 3, padding: 1, kernelInitializer: 'heNormal' }), ...normalised()]
          : [conv(size, 3)]
      const full = (): Layer[] => [
        dense({ units: 4096, activation: 'relu', kernelInitializer: 'heNormal' }),
        ...dropping(rate),
      ]
      return [
        ...convolutions.flatMap((many, block) => [
          ...Array.from({ length: many }, () => one(filters[block])).flat(),
          maxPooling2d({ name: `pool${block + 1}` }),
        ]),
        ...(includeTop ? [flatten(), ...full(), ...full(), dense({ units: classes, name: 'predictions' })] : []),
      ]
    },
  })

export const vgg11 = vgg('vgg11', [1, 1, 2, 2, 2], '132,863,336')
export const vgg16 = vgg('vgg16', [2, 2, 3, 3, 3], '138,357,544')
export const vgg19 = vgg('vgg19', [2, 2, 4, 4, 4], '143,667,240')
