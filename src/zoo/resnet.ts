/**
 * Residual networks (He et al. 2016), table 1 of the paper: a stem, then four stages of blocks that add what they take. Where the
 * shape changes, what is added goes through a convolution of 1 x 1 (the paper's option B).
 */
import type { Tensor } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'
import { convBn, pooledClasses, through, variantOption } from './blocks.ts'
import type { ZooNetwork } from './define.ts'
import { defineNetwork, imageOptions, topOptions } from './define.ts'

const { activation, add, maxPooling2d } = layers

interface Block {
  readonly filters: number
  readonly strides: number
  /** Of a bottleneck, the convolution that has the stride: of 1 x 1 in the paper, of 3 x 3 in torchvision. */
  readonly variant: 'paper' | 'torchvision'
}

/** Two convolutions of 3 x 3. */
const basic = (x: Tensor, { filters, strides }: Block): Tensor =>
  through(
    x,
    ...convBn({ filters, kernelSize: 3, strides }),
    ...convBn({ filters, kernelSize: 3, activation: 'linear' }),
  )

/** 1 x 1 to fewer channels, 3 x 3, 1 x 1 to four times as many. */
const bottleneck = (x: Tensor, { filters, strides, variant }: Block): Tensor =>
  through(
    x,
    ...convBn({ filters, kernelSize: 1, strides: variant === 'paper' ? strides : 1 }),
    ...convBn({ filters, kernelSize: 3, strides: variant === 'paper' ? 1 : strides }),
    ...convBn({ filters: 4 * filters, kernelSize: 1, activation: 'linear' }),
  )

function residual(x: Tensor, block: Block, branch: typeof basic, name: string): Tensor {
  const y = branch(x, block)
  const filters = y.shape[2]
  const isSame = x.shape[2] === filters && block.strides === 1
  const shortcut = isSame
    ? x
    : through(x, ...convBn({ filters, kernelSize: 1, strides: block.strides, activation: 'linear' }))
  return through(add()(y, shortcut), activation({ activation: 'relu', name }))
}

const resnetOptions = { ...imageOptions([224, 224, 3], 1000), ...topOptions }
const wired = (x: Tensor, blocks: readonly number[], branch: typeof basic, variant: Block['variant']): Tensor => {
  let y = through(
    x,
    ...convBn({ filters: 64, kernelSize: 7, strides: 2 }),
    maxPooling2d({ poolSize: 3, strides: 2, padding: 1 }),
  )
  for (const [stage, many] of blocks.entries())
    for (let i = 0; i < many; i++) {
      const block = { filters: 64 * 2 ** stage, strides: stage > 0 && i === 0 ? 2 : 1, variant }
      y = residual(y, block, branch, `conv${stage + 2}_${i + 1}`)
    }
  return y
}

const shallow = (
  name: string,
  depth: number,
  blocks: readonly number[],
  count: string,
): ZooNetwork<typeof resnetOptions> =>
  defineNetwork(name, {
    says: `ResNet-${depth} (He et al. 2016) of basic blocks, ${count} parameters.`,
    options: resnetOptions,
    build: ({ classes, includeTop }, x) => {
      const y = wired(x, blocks, basic, 'paper')
      return includeTop ? through(y, ...pooledClasses(classes)) : y
    },
  })

export const resnet18 = shallow('resnet18', 18, [2, 2, 2, 2], '11,689,512')
export const resnet34 = shallow('resnet34', 34, [3, 4, 6, 3], '21,797,672')
export const resnet50 = defineNetwork('resnet50', {
  says: 'ResNet-50 (He et al. 2016) of bottlenecks, 25,557,032 parameters.',
  options: { ...resnetOptions, ...variantOption },
  build: ({ classes, includeTop, variant }, x) => {
    const y = wired(x, [3, 4, 6, 3], bottleneck, variant)
    return includeTop ? through(y, ...pooledClasses(classes)) : y
  },
})
