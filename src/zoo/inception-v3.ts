/** Inception v3 (Szegedy et al. 2016), as torchvision and Keras have it: five kinds of modules, all with batch normalisation. */
import { flag } from '../base/options.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { convBn, dropoutOption, pooledClasses, through } from './blocks.ts'
import { defineNetwork, imageOptions, noHeads, topOptions } from './define.ts'

const { averagePooling2d, concatenate, dense, globalAveragePooling2d, maxPooling2d } = layers

const epsilon = 1e-3
type Size = number | readonly [number, number]
const unit = (filters: number, kernelSize: Size): Layer[] => convBn({ filters, kernelSize, epsilon })
/** Without a border. */
const bare = (filters: number, kernelSize: Size, strides = 1): Layer[] =>
  convBn({ filters, kernelSize, strides, padding: 0, epsilon })
/** The mean of 3 x 3, zeros of the border included. */
const mean = (): Layer => averagePooling2d({ poolSize: 3, strides: 1, padding: 1, countPadding: true })
const pool = (): Layer => maxPooling2d({ poolSize: 3, strides: 2 })
const wide: Size = [1, 7]
const high: Size = [7, 1]

/** Figure 5: 5 x 5 as two of 3 x 3. */
const a = (x: Tensor, pooled: number, name: string): Tensor =>
  concatenate({ name })(
    through(x, ...unit(64, 1)),
    through(x, ...unit(48, 1), ...unit(64, 5)),
    through(x, ...unit(64, 1), ...unit(96, 3), ...unit(96, 3)),
    through(x, mean(), ...unit(pooled, 1)),
  )

/** Figure 10: half the size, more channels. */
const b = (x: Tensor, name: string): Tensor =>
  concatenate({ name })(
    through(x, ...bare(384, 3, 2)),
    through(x, ...unit(64, 1), ...unit(96, 3), ...bare(96, 3, 2)),
    pool()(x),
  )

/** Figure 6: 7 x 7 as 1 x 7 and 7 x 1. */
const c = (x: Tensor, f: number, name: string): Tensor =>
  concatenate({ name })(
    through(x, ...unit(192, 1)),
    through(x, ...unit(f, 1), ...unit(f, wide), ...unit(192, high)),
    through(x, ...unit(f, 1), ...unit(f, high), ...unit(f, wide), ...unit(f, high), ...unit(192, wide)),
    through(x, mean(), ...unit(192, 1)),
  )

const d = (x: Tensor, name: string): Tensor =>
  concatenate({ name })(
    through(x, ...unit(192, 1), ...bare(320, 3, 2)),
    through(x, ...unit(192, 1), ...unit(192, wide), ...unit(192, high), ...bare(192, 3, 2)),
    pool()(x),
  )

/** 1 x 3 and 3 x 1 beside each other. */
const split = (x: Tensor): Tensor => concatenate()(through(x, ...unit(384, [1, 3])), through(x, ...unit(384, [3, 1])))

/** Figure 7. */
const e = (x: Tensor, name: string): Tensor =>
  concatenate({ name })(
    through(x, ...unit(320, 1)),
    split(through(x, ...unit(384, 1))),
    split(through(x, ...unit(448, 1), ...unit(384, 3))),
    through(x, mean(), ...unit(192, 1)),
  )

export const inceptionV3 = defineNetwork('inceptionV3', {
  says: 'Inception v3 (Szegedy et al. 2016): 23,834,568 parameters, 27,161,264 with the auxiliary head.',
  options: {
    ...imageOptions([299, 299, 3], 1000),
    ...topOptions,
    auxiliary: flag({ says: 'one more output, aux, before the last size', default: false }),
    dropout: dropoutOption('the values before the last layer', 0.5),
  },
  conflict: noHeads,
  build: ({ classes, includeTop, auxiliary, dropout: rate }, x) => {
    const stem = through(
      x,
      ...bare(32, 3, 2),
      ...bare(32, 3),
      ...unit(64, 3),
      pool(),
      ...bare(80, 1),
      ...bare(192, 3),
      pool(),
    )
    let y = [32, 64, 64].reduce((y, pooled, i) => a(y, pooled, `mixed${i}`), stem)
    y = [128, 160, 160, 192].reduce((y, f, i) => c(y, f, `mixed${4 + i}`), b(y, 'mixed3'))
    const middle = y
    y = ['mixed9', 'mixed10'].reduce(e, d(y, 'mixed8'))
    if (!includeTop) return y
    const answer = through(y, ...pooledClasses(classes, rate))
    if (!auxiliary) return answer
    const aux = through(
      middle,
      averagePooling2d({ poolSize: 5, strides: 3 }),
      ...bare(128, 1),
      ...bare(768, 5),
      globalAveragePooling2d(),
      dense({ units: classes }),
    )
    return { output: answer, aux }
  },
})
