/** Multiply-adds by torchvision's table, receptive fields by Araujo et al. 2019, bytes by hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Layer, Model } from '../../src/index.ts'
import { input, layers, model, sequential, zoo } from '../../src/index.ts'
import type { LayerDetails } from '../../src/network/details.ts'
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

const eight: readonly (readonly [string, Layer, LayerDetails['receptiveField']])[] = [
  ['normalised along the channels', layers.layerNormalization(), [3, 3]],
  ['normalised by all places', layers.groupNormalization({ groups: 2 }), 'all'],
  ['lengths of channels', layers.unitNormalization(), [3, 3]],
  ['softmax of the channels', layers.softmax(), [3, 3]],
  ['softmax of rows', layers.softmax({ axis: 1 }), 'unknown'],
  ['a dense layer at every place', dense({ units: 36 }), [3, 3]],
  ['height and width change places, in a square', layers.permute({ dims: [2, 1, 3] }), 'unknown'],
  ['channels to the front', layers.permute({ dims: [3, 1, 2] }), 'unknown'],
  ['resized', layers.resizing({ height: 6, width: 6 }), 'unknown'],
  ['a border', layers.zeroPadding2d(), [3, 3]],
  ['repeated', layers.upSampling2d(), [3, 3]],
  ['what lies between neighbours', layers.upSampling2d({ interpolation: 'bilinear' }), [4, 4]],
  [
    'transposed, 4 x 4 by 2: two elements each',
    layers.conv2dTranspose({ filters: 2, kernelSize: 4, strides: 2 }),
    [4, 4],
  ],
  ['transposed, 3 x 3 by 1', layers.conv2dTranspose({ filters: 2, kernelSize: 3 }), [5, 5]],
  ['as a row of numbers', flatten(), 'all'],
]
for (const [name, layer, wanted] of eight)
  test(`receptive field behind 3 x 3: ${name}`, () => {
    const stack = [conv2d({ filters: 4, kernelSize: 3 }), layer]
    assert.deepEqual(detailsOf(sequential({ inputShape: [8, 8, 4] }, stack).network).layers[1].receptiveField, wanted)
  })

test('receptive fields: half steps behind a larger picture, zeros for new channels', () => {
  const conv = () => conv2d({ filters: 4, kernelSize: 3, padding: 'same' })
  const { layers: found } = detailsOf(
    sequential({ inputShape: [8, 8, 1] }, [conv(), layers.upSampling2d(), conv(), conv()]).network,
  )
  assert.deepEqual(
    found.map(({ receptiveField }) => receptiveField),
    [
      [3, 3],
      [3, 3],
      [4, 4],
      [5, 5],
    ],
  )
  const last = detailsOf(zoo.resnet20({ includeTop: false }).network).layers.at(-1)
  assert.deepEqual(last?.receptiveField, [81, 81])
})

test('multiply-adds of a transposed convolution: every element of its input times the kernel', () => {
  const { multiplyAdds } = detailsOf(
    sequential({ inputShape: [5, 7, 3] }, [layers.conv2dTranspose({ filters: 4, kernelSize: 2, strides: 2 })]).network,
  )
  assert.equal(multiplyAdds, 5 * 7 * 3 * 4 * 4)
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
