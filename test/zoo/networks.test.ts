/** The known networks: how many parameters they have, three of them against PyTorch, and their options. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { datasets, layers, sequential, zoo } from '../../src/index.ts'
import { countOf } from '../../src/nn/layer.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { assertHeld, file } from './golden.ts'

const { dense, flatten } = layers

/**
 * Published counts. `trained` is PyTorch's way of counting, without running statistics; `all` is Keras's, with them. Where the two are
 * equal one is given. Keras's own ResNet-50 has 26,560 biases more before its normalisation.
 */
const counts: readonly (readonly [keyof typeof zoo, object, { readonly trained: number; readonly all?: number }])[] = [
  ['mnistCnn', {}, { trained: 3_274_634 }],
  ['firstConvnet', {}, { trained: 55_744 }],
  ['convnet', {}, { trained: 93_322 }],
  ['catsVsDogs', {}, { trained: 3_453_121 }],
  ['lenet', {}, { trained: 1_256_080 }],
  ['cifarSimple', {}, { trained: 4_200_842 }],
  ['cifarDeep', {}, { trained: 1_676_842 }],
  ['articleNet', {}, { trained: 176_286 }],
  ['articleNet', { batchNorm: true }, { trained: 176_342, all: 176_398 }],
  ['lenet5', {}, { trained: 61_706 }],
  ['alexnet', {}, { trained: 60_965_224 }],
  ['alexnet', { variant: 'torchvision' }, { trained: 61_100_840 }],
  ['vgg11', {}, { trained: 132_863_336 }],
  ['vgg11', { batchNorm: true }, { trained: 132_868_840, all: 132_874_344 }],
  ['vgg16', {}, { trained: 138_357_544 }],
  ['vgg16', { batchNorm: true }, { trained: 138_365_992, all: 138_374_440 }],
  ['vgg16', { includeTop: false, inputShape: [150, 150, 3] }, { trained: 14_714_688 }],
  ['vgg19', {}, { trained: 143_667_240 }],
  ['vgg19', { batchNorm: true }, { trained: 143_678_248, all: 143_689_256 }],
  ['googlenet', {}, { trained: 6_998_552 }],
  ['googlenet', { auxiliary: true }, { trained: 13_378_280 }],
  ['googlenet', { variant: 'torchvision' }, { trained: 6_624_904, all: 6_639_464 }],
  ['googlenet', { variant: 'torchvision', auxiliary: true }, { trained: 13_004_888, all: 13_019_960 }],
  ['inceptionV3', {}, { trained: 23_834_568, all: 23_869_000 }],
  ['inceptionV3', { auxiliary: true }, { trained: 27_161_264, all: 27_197_488 }],
  ['resnet18', {}, { trained: 11_689_512, all: 11_699_112 }],
  ['resnet34', {}, { trained: 21_797_672, all: 21_814_696 }],
  ['resnet50', {}, { trained: 25_557_032, all: 25_610_152 }],
  ['resnet20', {}, { trained: 269_722, all: 271_098 }],
  ['resnet20', { shortcut: 'projection' }, { trained: 272_474, all: 274_042 }],
  ['resnet56', {}, { trained: 853_018, all: 857_082 }],
  ['wideResnet', {}, { trained: 36_479_194, all: 36_497_146 }],
  ['mobilenetV1', {}, { trained: 4_231_976, all: 4_253_864 }],
  ['mobilenetV2', {}, { trained: 3_504_872, all: 3_538_984 }],
  ['mobilenetV3Small', {}, { trained: 2_542_856, all: 2_554_968 }],
  ['mobilenetV3Large', {}, { trained: 5_483_032, all: 5_507_432 }],
  ['squeezenet', {}, { trained: 1_248_424 }],
  ['squeezenet', { version: '1.1' }, { trained: 1_235_496 }],
  ['densenet121', {}, { trained: 7_978_856, all: 8_062_504 }],
  ['efficientnetB0', {}, { trained: 5_288_548, all: 5_330_564 }],
]

for (const [name, options, { trained, all = trained }] of counts) {
  test(`${name} ${JSON.stringify(options)}: ${trained} parameters`, () => {
    const model = (zoo[name] as (options: object) => ReturnType<typeof zoo.lenet>)(options)
    const weights = model.network.layers.flatMap((layer) => Object.values(layer.weights))
    assert.equal(countOf(weights.filter(({ trainable }) => trainable !== false)), trained)
    assert.equal(model.parameterCount, all)
  })
}

test('every network has a row in the table of counts and a golden one', () => {
  const counted = new Set(counts.map(([name]) => name))
  const held = new Set(file.cases.map(({ network }) => network))
  for (const name of Object.keys(zoo) as (keyof typeof zoo)[]) {
    assert.ok(counted.has(name), `${name} has no count`)
    assert.ok(held.has(name), `${name} has no golden row`)
  }
})

for (const engine of ['reference', ...fastEngines] as const)
  for (const row of file.cases.filter(({ name }) => ['lenet5', 'resnet20', 'mobilenetV2-0.5'].includes(name)))
    test(`${engine}: ${row.name} against PyTorch`, () => assertHeld(row, engine))

test('options: width, includeTop, classes, inputShape', () => {
  const model = zoo.mobilenetV2({ width: 0.5, inputShape: [64, 96, 3], includeTop: false })
  const { network } = model
  assert.deepEqual(network.calls[network.outputs['output']].shape, [2, 3, 1280])
  assert.equal(zoo.resnet18({ classes: 7 }).parameterCount, 11_699_112 - 993 * 513)
  assert.throws(() => zoo.lenet({ width: 2 } as object), failure('E_OPTION', "unknown option 'width'"))
  assert.throws(() => zoo.resnet50({ variant: 'keras' } as object), failure('E_OPTION', "'variant' is wrong"))
})

test('summaries of the stack of layers are as they were', () => {
  const text = zoo.firstConvnet().summary()
  for (const count of ['320', '18,496', '36,928', '55,744']) assert.ok(text.includes(count))
})

test('firstConvnet is trained with layers that classify behind it', async () => {
  const { train } = await datasets.digits({ samples: 8, testSamples: 1 })
  const parts = [...Object.values(zoo.firstConvnet().layers), flatten(), dense({ units: 10 })]
  await using classifier = sequential({ inputShape: [28, 28, 1] }, parts)
  assert.equal((await classifier.fit(train, { steps: 1 })).steps, 1)
  await using bare = zoo.firstConvnet()
  await assert.rejects(bare.fit(train), failure('E_MISMATCH', '[22, 22, 64] outputs', 'end the model in flatten()'))
})
