/** Multiply-adds by torchvision's table, receptive fields by Araujo et al. 2019, bytes by hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Layer, Model } from '../../src/index.ts'
import { layers, sequential, zoo } from '../../src/index.ts'
import { detailsCells, detailsOf } from '../../src/network/details.ts'

const { conv2d, dense, flatten, maxPooling2d } = layers
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

test('bytes of activations: all in training, the most alive at once in inference', () => {
  const small = sequential({ inputShape: [8] }, [dense({ units: 4 }), dense({ units: 2 }), dense({ units: 6 })])
  const { layers, trainingBytes, inferenceBytes, multiplyAdds } = detailsOf(small.network)
  assert.deepEqual(
    layers.map(({ outputBytes }) => outputBytes),
    [16, 8, 24],
  )
  assert.deepEqual(
    layers.map(({ aliveBytes }) => aliveBytes),
    [48, 24, 32],
  )
  assert.deepEqual([trainingBytes, inferenceBytes, multiplyAdds], [48, 48, 8 * 4 + 4 * 2 + 2 * 6])
})

test('the table has a row per layer, and sums', () => {
  const cells = detailsCells(zoo.lenet().network)
  assert.equal(cells.length, 9)
  assert.deepEqual(cells.at(-1)?.slice(0, 2), ['in all', '1,256,080'])
  assert.deepEqual(cells[1].slice(0, 3), ['conv2d (Conv2D)', '520', '392,000'])
})
