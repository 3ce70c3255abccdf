/**
 * MobileNets: v1 (Howard et al. 2017) of depthwise convolutions, v2 (Sandler et al. 2018) of inverted residuals, v3 (Howard et al. 2019)
 * with squeeze-and-excite and hardSwish. `width` multiplies the filters.
 */
import { number } from '../base/options.ts'
import type { Layer } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { convBn, depthwiseBn, divisible, dropoutOption, dropping, inverted, pooledClasses, through } from './blocks.ts'
import type { ZooNetwork } from './define.ts'
import { defineNetwork, imageOptions, topOptions } from './define.ts'

const { dense, globalAveragePooling2d } = layers

const mobileOptions = (rate: number) => ({
  ...imageOptions([224, 224, 3], 1000),
  ...topOptions,
  width: number({ says: 'factor of the filters', min: 0, ends: 'open', default: 1 }),
  dropout: dropoutOption('the values before the last layer', rate),
})

/** Table 1: filters, and the stride of the depthwise convolution. */
const v1: readonly (readonly [filters: number, strides: number])[] = [
  ...([
    [64, 1],
    [128, 2],
    [128, 1],
    [256, 2],
    [256, 1],
    [512, 2],
  ] as const),
  ...([
    [512, 1],
    [512, 1],
    [512, 1],
    [512, 1],
    [512, 1],
    [1024, 2],
    [1024, 1],
  ] as const),
]

export const mobilenetV1 = defineNetwork('mobilenetV1', {
  says: 'MobileNet (Howard et al. 2017), 4,231,976 parameters; Keras counts 21,888 running statistics more.',
  options: mobileOptions(0.001),
  build: ({ classes, includeTop, width, dropout: rate }, x) => {
    const y = through(
      x,
      ...convBn({ filters: Math.round(32 * width), kernelSize: 3, strides: 2 }),
      ...v1.flatMap(([filters, strides]) => [
        ...depthwiseBn({ kernelSize: 3, strides }),
        ...convBn({ filters: Math.round(filters * width), kernelSize: 1 }),
      ]),
    )
    return includeTop ? through(y, ...pooledClasses(classes, rate)) : y
  },
})

/** Table 2: expansion, filters, repeats, stride of the first. */
const v2 = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const

export const mobilenetV2 = defineNetwork('mobilenetV2', {
  says: 'MobileNetV2 (Sandler et al. 2018), 3,504,872 parameters.',
  options: mobileOptions(0.2),
  build: ({ classes, includeTop, width, dropout: rate }, x) => {
    const activation = 'relu6'
    let y = through(x, ...convBn({ filters: divisible(32 * width), kernelSize: 3, strides: 2, activation }))
    for (const [expansion, filters, repeats, first] of v2)
      for (let i = 0; i < repeats; i++) {
        const [expanded, out] = [y.shape[2] * expansion, divisible(filters * width)]
        y = inverted(y, { expanded, filters: out, kernelSize: 3, strides: i === 0 ? first : 1, activation })
      }
    y = through(y, ...convBn({ filters: divisible(1280 * Math.max(1, width)), kernelSize: 1, activation }))
    return includeTop ? through(y, ...pooledClasses(classes, rate)) : y
  },
})

type Row = readonly [
  kernel: number,
  expanded: number,
  filters: number,
  squeeze: 0 | 1,
  f: 'relu' | 'hardSwish',
  strides: number,
]

/** Tables 1 and 2: kernel, expanded channels, filters, squeeze-and-excite, activation, stride. */
const large: readonly Row[] = [
  [3, 16, 16, 0, 'relu', 1],
  [3, 64, 24, 0, 'relu', 2],
  [3, 72, 24, 0, 'relu', 1],
  [5, 72, 40, 1, 'relu', 2],
  [5, 120, 40, 1, 'relu', 1],
  [5, 120, 40, 1, 'relu', 1],
  [3, 240, 80, 0, 'hardSwish', 2],
  [3, 200, 80, 0, 'hardSwish', 1],
  [3, 184, 80, 0, 'hardSwish', 1],
  [3, 184, 80, 0, 'hardSwish', 1],
  [3, 480, 112, 1, 'hardSwish', 1],
  [3, 672, 112, 1, 'hardSwish', 1],
  [5, 672, 160, 1, 'hardSwish', 2],
  [5, 960, 160, 1, 'hardSwish', 1],
  [5, 960, 160, 1, 'hardSwish', 1],
]
const small: readonly Row[] = [
  [3, 16, 16, 1, 'relu', 2],
  [3, 72, 24, 0, 'relu', 2],
  [3, 88, 24, 0, 'relu', 1],
  [5, 96, 40, 1, 'hardSwish', 2],
  [5, 240, 40, 1, 'hardSwish', 1],
  [5, 240, 40, 1, 'hardSwish', 1],
  [5, 120, 48, 1, 'hardSwish', 1],
  [5, 144, 48, 1, 'hardSwish', 1],
  [5, 288, 96, 1, 'hardSwish', 2],
  [5, 576, 96, 1, 'hardSwish', 1],
  [5, 576, 96, 1, 'hardSwish', 1],
]

const v3Options = mobileOptions(0.2)
const v3 = (name: string, rows: readonly Row[], units: number, says: string): ZooNetwork<typeof v3Options> =>
  defineNetwork(name, {
    says,
    options: v3Options,
    build: ({ classes, includeTop, width, dropout: rate }, x) => {
      const norm = { epsilon: 1e-3, momentum: 0.99 }
      let y = through(
        x,
        ...convBn({ filters: divisible(16 * width), kernelSize: 3, strides: 2, activation: 'hardSwish', ...norm }),
      )
      for (const [kernelSize, wanted, filters, squeeze, activation, strides] of rows) {
        const expanded = divisible(wanted * width)
        const squeezed = squeeze
          ? ({ units: divisible(expanded / 4), gate: 'hardSigmoid', activation: 'relu' } as const)
          : undefined
        y = inverted(y, {
          expanded,
          filters: divisible(filters * width),
          kernelSize,
          strides,
          activation,
          squeezed,
          ...norm,
        })
      }
      y = through(y, ...convBn({ filters: 6 * y.shape[2], kernelSize: 1, activation: 'hardSwish', ...norm }))
      if (!includeTop) return y
      const head: Layer[] = [
        globalAveragePooling2d(),
        dense({ units: divisible(units * Math.max(1, width)), activation: 'hardSwish' }),
        ...dropping(rate),
        dense({ units: classes, name: 'predictions' }),
      ]
      return through(y, ...head)
    },
  })

export const mobilenetV3Small = v3(
  'mobilenetV3Small',
  small,
  1024,
  'MobileNetV3 small (Howard et al. 2019), 2,542,856 parameters.',
)
export const mobilenetV3Large = v3(
  'mobilenetV3Large',
  large,
  1280,
  'MobileNetV3 large (Howard et al. 2019), 5,483,032 parameters.',
)
