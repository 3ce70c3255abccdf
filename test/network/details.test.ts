/** Multiply-adds by torchvision's table, receptive fields by Araujo et al. 2019, bytes by hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Layer, Model } from '../../src/index.ts'
import { input, layers, model, sequential, zoo } from '../../src/index.ts'
import { detailsCells, detailsOf } from '../../src/network/details.ts'

const { add, averagePooling2d, concatenate, conv2d, cropping2d, dense, depthwiseConv2d, flatten } = layers
const { globalAveragePooling2d, maxPooling2d } = layers
type Make = (options?: object) => Model

/** Thousand millions, rounded to two digits, as torchvision's documentation has them. */
const published: readonly (readonly [keyof typeof zoo, object, number])[] = [
  ['alexnet', { variant: 'torchvision' }, 0.71],
  ['vgg16', {}, 15.47],
  ['resnet18', {}, 1.81],
  ['resnet50', { variant: 'torchvision' }, 4.09],
  ['mobilenetV2', {}, 0.3],
  ['mobilenetV3Large', {}, 0.22],
  ['densenet121', {}, 2.83],
  ['squeezenet', {}, 0.82],
  ['efficientnetB0', {}, 0.39],
  ['inceptionV3', {}, 5.71],
]
for (const [name, options, wanted] of published)
  test(`${name}: ${wanted} thousand million multiply-adds`, () => {
    const { multiplyAdds } = detailsOf((zoo[name] as Make)(options).network)
    assert.equal(Number((multiplyAdds / 1e9).toFixed(2)), wanted)
  })

const fields: readonly (readonly [keyof typeof zoo, number])[] = [
  ['vgg16', 212],
  ['resnet50', 483],
  ['mobilenetV1', 315],
  ['alexnet', 195],
  ['inceptionV3', 1311],
]
for (const [name, wanted] of fields)
  test(`${name}: an element of the last map sees ${wanted} pixels`, () => {
    const { layers } = detailsOf((zoo[name] as Make)({ includeTop: false }).network)
    assert.deepEqual(layers.at(-1)?.receptiveField, [wanted, wanted])
  })

test('three convolutions see 7 x 7, and 18 x 18 with two poolings between', () => {
  const conv = () => conv2d({ filters: 4, kernelSize: 3 })
  const stack = (...parts: Layer[]) => detailsOf(sequential({ inputShape: [28, 28, 1] }, parts).network)
  assert.deepEqual(stack(conv(), conv(), conv()).layers[2].receptiveField, [7, 7])
  const pooled = stack(conv(), maxPooling2d(), conv(), maxPooling2d(), conv(), flatten(), dense({ units: 2 }))
  assert.deepEqual(pooled.layers[4].receptiveField, [18, 18])
  assert.equal(pooled.layers[6].receptiveField, 'all')
})

test('receptive fields: dilation, the wider of two branches, a mean of all', () => {
  const fieldOf = (...parts: Layer[]) =>
    detailsOf(sequential({ inputShape: [32, 32, 2] }, parts).network).layers.at(-1)?.receptiveField
  const conv = (dilationRate: number, strides = 1) => conv2d({ filters: 2, kernelSize: 3, dilationRate, strides })
  assert.deepEqual(fieldOf(conv(1), conv(2), conv(4)), [15, 15]) // Yu and Koltun 2016: 2 ** (i + 2) - 1
  assert.deepEqual(fieldOf(conv(1, 2), conv(2)), [11, 11])
  assert.deepEqual(fieldOf(averagePooling2d({ poolSize: [2, 3] })), [2, 3])
  assert.equal(fieldOf(conv(1), globalAveragePooling2d({ keepDims: true })), 'all')
  const part: [number, number] = [16, 15]
  assert.deepEqual(fieldOf(cropping2d({ cropping: [part, part] })), [1, 1])
  const x = input([16, 16, 2])
  const near = conv2d({ filters: 2, kernelSize: 1 })(x)
  const far = conv2d({ filters: 2, kernelSize: 5, padding: 'same' })(x)
  for (const pair of [
    [near, far],
    [far, near],
  ])
    assert.deepEqual(detailsOf(model(x, add()(...pair)).network).layers.at(-1)?.receptiveField, [5, 5])
})

test('multiply-adds of groups, of depthwise convolution, of rows, and of a layer that is used twice', () => {
  const of = (...parts: Layer[]) => detailsOf(sequential({ inputShape: [4, 4, 8] }, parts).network)
  assert.equal(of(conv2d({ filters: 8, kernelSize: 3, padding: 'same' })).multiplyAdds, 16 * 9 * 8 * 8)
  assert.equal(of(conv2d({ filters: 8, kernelSize: 3, padding: 'same', groups: 4 })).multiplyAdds, 16 * 9 * 8 * 2)
  assert.equal(of(depthwiseConv2d({ kernelSize: 3, padding: 'same' })).multiplyAdds, 16 * 9 * 8)
  assert.equal(of(dense({ units: 5 })).multiplyAdds, 16 * 8 * 5)
  const [x, twice] = [input([8]), dense({ units: 8 })]
  const { layers, multiplyAdds } = detailsOf(model(x, twice(twice(x))).network)
  assert.deepEqual([multiplyAdds, layers.map((layer) => layer.multiplyAdds)], [128, [64, 64]])
})

test('bytes of a branch: a result lives until its last reader', () => {
  const x = input([4])
  const first = dense({ units: 100 })(x)
  const short = dense({ units: 2 })(first)
  const { layers, trainingBytes, inferenceBytes } = detailsOf(model(x, concatenate()(short, first)).network)
  assert.deepEqual(
    layers.map(({ outputBytes, aliveBytes }) => [outputBytes, aliveBytes]),
    [
      [400, 416],
      [8, 408],
      [408, 816],
    ],
  )
  assert.deepEqual([trainingBytes, inferenceBytes], [816, 816])
})

test('bytes of activations: all in training, the most alive at once in inference', () => {
  const small = sequential(
    { inputShape: [8] },
    [4, 2, 6, 1].map((units) => dense({ units })),
  )
  const { layers, trainingBytes, inferenceBytes, multiplyAdds } = detailsOf(small.network)
  assert.deepEqual(
    layers.map(({ outputBytes }) => outputBytes),
    [16, 8, 24, 4],
  )
  assert.deepEqual(
    layers.map(({ aliveBytes }) => aliveBytes),
    [48, 24, 32, 28],
  )
  assert.deepEqual([trainingBytes, inferenceBytes, multiplyAdds], [52, 48, 8 * 4 + 4 * 2 + 2 * 6 + 6])
})

test('the table has a row per layer, and sums', () => {
  const cells = detailsCells(zoo.lenet().network)
  assert.equal(cells.length, 9)
  assert.deepEqual(cells.at(-1)?.slice(0, 2), ['in all', '1,256,080'])
  assert.deepEqual(cells[1].slice(0, 3), ['conv2d (Conv2D)', '520', '392,000'])
})
