/**
 * Residual networks for pictures of 32 x 32: those of He et al. 2016, section 4.2 (three stages of n blocks, 6n + 2 layers), and Wide
 * ResNets (Zagoruyko and Komodakis 2016), whose blocks normalise first and are `width` times as wide.
 */
import { choice, integer, number } from '../base/options.ts'
import type { Tensor } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { convBn, dropoutOption, dropping, normalised, plainConv, pooledClasses, through } from './blocks.ts'
import type { ZooNetwork } from './define.ts'
import { defineNetwork, imageOptions, topOptions } from './define.ts'

const { activation, add, maxPooling2d, reshape, zeroPadding2d } = layers

/** The paper's option A: every second place of every second row, and zeros for the channels that are new. */
function padded(x: Tensor, filters: number, strides: number): Tensor {
  const taken = through(x, maxPooling2d({ poolSize: 1, strides }))
  const [height, width, channels] = taken.shape
  const before = (filters - channels) >> 1
  return through(
    taken,
    reshape({ targetShape: [height * width, channels, 1] }), // channels are an axis that can be padded
    zeroPadding2d({ padding: [0, [before, filters - channels - before]] }),
    reshape({ targetShape: [height, width, filters] }),
  )
}

/** Option B: a convolution of 1 x 1. */
const projected = (x: Tensor, filters: number, strides: number): Tensor =>
  through(x, ...convBn({ filters, kernelSize: 1, strides, activation: 'linear' }))

const cifarOptions = {
  ...imageOptions([32, 32, 3], 10),
  ...topOptions,
  shortcut: choice(['pad', 'projection'], {
    says: "where the shape changes: zeros for new channels (the paper's option A), or a convolution of 1 x 1 (option B)",
    default: 'pad',
  }),
}

const cifar = (n: number, count: string): ZooNetwork<typeof cifarOptions> =>
  defineNetwork(`resnet${6 * n + 2}`, {
    says: `ResNet-${6 * n + 2} for CIFAR-10 (He et al. 2016), ${count} parameters.`,
    options: cifarOptions,
    build: ({ classes, includeTop, shortcut }, x) => {
      let y = through(x, ...convBn({ filters: 16, kernelSize: 3 }))
      for (const [stage, filters] of [16, 32, 64].entries())
        for (let i = 0; i < n; i++) {
          const strides = stage > 0 && i === 0 ? 2 : 1
          const branch = through(
            y,
            ...convBn({ filters, kernelSize: 3, strides }),
            ...convBn({ filters, kernelSize: 3, activation: 'linear' }),
          )
          const short = strides === 1 ? y : (shortcut === 'pad' ? padded : projected)(y, filters, strides)
          y = through(add()(branch, short), activation({ activation: 'relu', name: `conv${stage + 2}_${i + 1}` }))
        }
      return includeTop ? through(y, ...pooledClasses(classes)) : y
    },
  })

export const resnet20 = cifar(3, '269,722 (272,474 with projections)')
export const resnet56 = cifar(9, '853,018 (855,770 with projections)')

/** Normalise, relu, convolve, twice; where the channels change, the normalised x goes through 1 x 1. */
function wide(x: Tensor, { filters, strides, rate }: { filters: number; strides: number; rate: number }): Tensor {
  const first = through(x, ...normalised())
  const y = through(first, plainConv(filters, 3, strides), ...normalised(), ...dropping(rate), plainConv(filters, 3))
  return add()(y, x.shape[2] === filters && strides === 1 ? x : plainConv(filters, 1, strides)(first))
}

export const wideResnet = defineNetwork('wideResnet', {
  says: 'Wide ResNet (Zagoruyko and Komodakis 2016), 36,479,194 parameters as WRN-28-10.',
  options: {
    ...imageOptions([32, 32, 3], 10),
    ...topOptions,
    depth: integer({ says: 'layers with weights: 6n + 4', min: 10, default: 28 }),
    width: number({ says: 'factor of the filters', min: 0, ends: 'open', default: 10 }),
    dropout: dropoutOption('the values between the convolutions of a block', 0),
  },
  conflict: ({ depth }) => {
    if ((depth - 4) % 6 === 0) return undefined
    const less = depth - ((depth - 4) % 6)
    return { what: "'depth' is wrong", expected: `6n + 4, such as ${less} or ${less + 6}`, got: `${depth}` }
  },
  build: ({ classes, includeTop, depth, width, dropout: rate }, x) => {
    const n = (depth - 4) / 6
    let y = through(x, plainConv(16, 3))
    for (const [stage, filters] of [16, 32, 64].entries())
      for (let i = 0; i < n; i++)
        y = wide(y, { filters: Math.round(filters * width), strides: stage > 0 && i === 0 ? 2 : 1, rate })
    y = through(y, ...normalised())
    return includeTop ? through(y, ...pooledClasses(classes)) : y
  },
})
