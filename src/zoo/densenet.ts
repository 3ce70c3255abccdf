/** DenseNet (Huang et al. 2017), table 1: each layer takes all that came before it in its block. */
import { integer } from '../base/options.ts'
import type { Tensor } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { convBn, normalised, plainConv, pooledClasses, through } from './blocks.ts'
import { defineNetwork, imageOptions, topOptions } from './define.ts'

const { averagePooling2d, concatenate, maxPooling2d } = layers

/** 1 x 1 to four times the growth, then 3 x 3, both after normalisation; what is new stands behind what was there. */
const layer = (x: Tensor, growth: number): Tensor =>
  concatenate()(x, through(x, ...normalised(), plainConv(4 * growth, 1), ...normalised(), plainConv(growth, 3)))

export const densenet121 = defineNetwork('densenet121', {
  says: 'DenseNet-121 (Huang et al. 2017), 7,978,856 parameters.',
  options: {
    ...imageOptions([224, 224, 3], 1000),
    ...topOptions,
    growth: integer({ says: 'channels that a layer adds', min: 1, default: 32 }),
  },
  build: ({ classes, includeTop, growth }, x) => {
    let y = through(
      x,
      ...convBn({ filters: 2 * growth, kernelSize: 7, strides: 2 }),
      maxPooling2d({ poolSize: 3, strides: 2, padding: 1 }),
    )
    for (const [block, many] of [6, 12, 24, 16].entries()) {
      if (block > 0)
        y = through(y, ...normalised(), plainConv(y.shape[2] >> 1, 1), averagePooling2d({ name: `pool${block + 1}` }))
      for (let i = 0; i < many; i++) y = layer(y, growth)
    }
    y = through(y, ...normalised())
    return includeTop ? through(y, ...pooledClasses(classes)) : y
  },
})
