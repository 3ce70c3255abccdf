/** EfficientNet-B0 (Tan and Le 2019), table 1: inverted residuals with squeeze-and-excite and silu. */
import { number } from '../base/options.ts'
import { convBn, divisible, dropoutOption, inverted, pooledClasses, through } from './blocks.ts'
import { defineNetwork, imageOptions, topOptions } from './define.ts'

/** Expansion, kernel, filters, repeats, stride of the first. */
const stages = [
  [1, 3, 16, 1, 1],
  [6, 3, 24, 2, 2],
  [6, 5, 40, 2, 2],
  [6, 3, 80, 3, 2],
  [6, 5, 112, 3, 1],
  [6, 5, 192, 4, 2],
  [6, 3, 320, 1, 1],
] as const

/** Without stochastic depth, which changes no prediction. */
export const efficientnetB0 = defineNetwork('efficientnetB0', {
  says: 'EfficientNet-B0 (Tan and Le 2019), 5,288,548 parameters.',
  options: {
    ...imageOptions([224, 224, 3], 1000),
    ...topOptions,
    width: number({ says: 'factor of the filters', min: 0, ends: 'open', default: 1 }),
    dropout: dropoutOption('the values before the last layer', 0.2),
  },
  build: ({ classes, includeTop, width, dropout: rate }, x) => {
    const activation = 'silu'
    let y = through(x, ...convBn({ filters: divisible(32 * width), kernelSize: 3, strides: 2, activation }))
    for (const [expansion, kernelSize, filters, repeats, first] of stages)
      for (let i = 0; i < repeats; i++) {
        const channels = y.shape[2]
        const squeezed = { units: Math.max(1, channels >> 2), gate: 'sigmoid', activation } as const
        const block = { expanded: channels * expansion, filters: divisible(filters * width), kernelSize }
        y = inverted(y, { ...block, strides: i === 0 ? first : 1, activation, squeezed })
      }
    y = through(y, ...convBn({ filters: divisible(1280 * width), kernelSize: 1, activation }))
    return includeTop ? through(y, ...pooledClasses(classes, rate)) : y
  },
})
