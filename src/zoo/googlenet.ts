/**
 * GoogLeNet, or Inception v1 (Szegedy et al. 2015), table 1. The paper's has biases, local response normalisation and branches of 5 x 5;
 * torchvision's has batch normalisation, no local one, and 3 x 3 in their place.
 */
import { flag } from '../base/options.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { ceilPool, conv, convBn, dropoutOption, dropping, pooledClasses, through, variantOption } from './blocks.ts'
import { defineNetwork, imageOptions, noHeads, topOptions } from './define.ts'

const {
  adaptiveAveragePooling2d,
  averagePooling2d,
  concatenate,
  dense,
  flatten,
  localResponseNormalization,
  maxPooling2d,
} = layers

/** Filters of 1 x 1, of 3 x 3 and of 5 x 5 after their reductions, and of 1 x 1 after pooling. */
type Row = readonly [one: number, reduce3: number, three: number, reduce5: number, five: number, pooled: number]
const modules: Readonly<Record<string, Row>> = {
  '3a': [64, 96, 128, 16, 32, 32],
  '3b': [128, 128, 192, 32, 96, 64],
  '4a': [192, 96, 208, 16, 48, 64],
  '4b': [160, 112, 224, 24, 64, 64],
  '4c': [128, 128, 256, 24, 64, 64],
  '4d': [112, 144, 288, 32, 64, 64],
  '4e': [256, 160, 320, 32, 128, 128],
  '5a': [256, 160, 320, 32, 128, 128],
  '5b': [384, 192, 384, 48, 128, 128],
}

export const googlenet = defineNetwork('googlenet', {
  says: 'GoogLeNet, Inception v1 (Szegedy et al. 2015): 6,998,552 parameters, 13,378,280 with auxiliary heads; in torchvision 6,624,904 and 13,004,888.',
  options: {
    ...imageOptions([224, 224, 3], 1000),
    ...topOptions,
    ...variantOption,
    auxiliary: flag({
      says: 'two more outputs, aux1 and aux2, after modules 4a and 4d, whose losses count 0.3 in the paper',
      default: false,
    }),
    dropout: dropoutOption('the values before the last layer', 0.4),
  },
  conflict: noHeads,
  build: ({ classes, includeTop, variant, auxiliary, dropout: rate }, x) => {
    const isPaper = variant === 'paper'
    const unit = (filters: number, kernelSize: number, strides = 1): Layer[] =>
      isPaper ? [conv(filters, kernelSize, { strides })] : convBn({ filters, kernelSize, strides, epsilon: 1e-3 })
    const local = (): Layer[] =>
      isPaper ? [localResponseNormalization({ size: 5, alpha: 1e-4, beta: 0.75, k: 1 })] : []
    const inception = (y: Tensor, name: string): Tensor => {
      const [one, reduce3, three, reduce5, five, pooled] = modules[name]
      return concatenate({ name: `inception${name}` })(
        through(y, ...unit(one, 1)),
        through(y, ...unit(reduce3, 1), ...unit(three, 3)),
        through(y, ...unit(reduce5, 1), ...unit(five, isPaper ? 5 : 3)),
        through(y, maxPooling2d({ poolSize: 3, strides: 1, padding: 1 }), ...unit(pooled, 1)),
      )
    }
    const head = (y: Tensor): Tensor =>
      through(
        y,
        isPaper ? averagePooling2d({ poolSize: 5, strides: 3 }) : adaptiveAveragePooling2d({ outputSize: 4 }),
        ...unit(128, 1),
        flatten(),
        dense({ units: 1024, activation: 'relu' }),
        ...dropping(rate > 0 ? 0.7 : 0),
        dense({ units: classes }),
      )
    let y = through(
      x,
      ...unit(64, 7, 2),
      ceilPool(),
      ...local(),
      ...unit(64, 1),
      ...unit(192, 3),
      ...local(),
      ceilPool(),
    )
    const outputs: Record<string, Tensor> = {}
    for (const name of Object.keys(modules)) {
      if (name === '4a') y = ceilPool()(y)
      if (name === '5a') y = (isPaper ? ceilPool() : ceilPool(2))(y)
      y = inception(y, name)
      if (auxiliary && includeTop && (name === '4a' || name === '4d'))
        outputs[name === '4a' ? 'aux1' : 'aux2'] = head(y)
    }
    if (!includeTop) return y
    const answer = through(y, ...pooledClasses(classes, rate))
    return auxiliary ? { output: answer, ...outputs } : answer
  },
})
