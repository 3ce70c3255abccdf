/** The known networks: how many parameters they have, three of them against PyTorch, and their options. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Layer, Model } from '../../src/index.ts'
import { datasets, layers, sequential, zoo } from '../../src/index.ts'
import { countOf } from '../../src/nn/layer.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { assertHeld, file } from './golden.ts'

const { dense, flatten } = layers

type Name = keyof typeof zoo
const made = (name: Name, options: object = {}): Model => (zoo[name] as (options: object) => Model)(options)

/**
 * Published counts; where `width` is another one, those of torchvision and of test/golden/zoo.py. `trained` is PyTorch's way of counting, without running statistics; `all` is Keras's, with them. Where the two are
 * equal one is given. Keras's own ResNet-50 has 26,560 biases more before its normalisation.
 */
const counts: readonly (readonly [Name, object, { readonly trained: number; readonly all?: number }])[] = [
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
  ['mobilenetV1', { width: 0.5 }, { trained: 1_331_592 }],
  ['mobilenetV2', { width: 0.1 }, { trained: 1_367_080 }],
  ['mobilenetV2', { width: 1.4 }, { trained: 6_108_776 }],
  ['mobilenetV3Small', { width: 1.25 }, { trained: 3_644_912 }],
  ['mobilenetV3Large', { width: 1.25 }, { trained: 8_164_744 }],
  ['efficientnetB0', { width: 0.5 }, { trained: 1_712_522 }],
  ['wideResnet', { depth: 16, width: 4 }, { trained: 2_748_890 }],
  ['wideResnet', { depth: 40, width: 4 }, { trained: 8_949_210 }],
  ['mobilenetV3Small', {}, { trained: 2_542_856, all: 2_554_968 }],
  ['mobilenetV3Large', {}, { trained: 5_483_032, all: 5_507_432 }],
  ['squeezenet', {}, { trained: 1_248_424 }],
  ['squeezenet', { version: '1.1' }, { trained: 1_235_496 }],
  ['densenet121', {}, { trained: 7_978_856, all: 8_062_504 }],
  ['efficientnetB0', {}, { trained: 5_288_548, all: 5_330_564 }],
]

for (const [name, options, { trained, all = trained }] of counts) {
  test(`${name} ${JSON.stringify(options)}: ${trained} parameters`, () => {
    const model = made(name, options)
    const weights = model.network.layers.flatMap((layer) => Object.values(layer.weights))
    assert.equal(countOf(weights.filter(({ trainable }) => trainable !== false)), trained)
    if (!('width' in options)) assert.equal(model.parameterCount, all)
  })
}

/** The last map of features, of pictures of the default size: the papers' tables. */
const features: readonly (readonly [Name, readonly [number, number, number], object?])[] = [
  ['alexnet', [6, 6, 256]],
  ['vgg11', [7, 7, 512]],
  ['vgg16', [7, 7, 512]],
  ['vgg19', [7, 7, 512]],
  ['googlenet', [7, 7, 1024]],
  ['googlenet', [7, 7, 1024], { variant: 'torchvision' }],
  ['inceptionV3', [8, 8, 2048]],
  ['resnet18', [7, 7, 512]],
  ['resnet34', [7, 7, 512]],
  ['resnet50', [7, 7, 2048]],
  ['resnet20', [8, 8, 64]],
  ['resnet56', [8, 8, 64]],
  ['wideResnet', [8, 8, 640]],
  ['mobilenetV1', [7, 7, 1024]],
  ['mobilenetV2', [7, 7, 1280]],
  ['mobilenetV3Small', [7, 7, 576]],
  ['mobilenetV3Large', [7, 7, 960]],
  ['squeezenet', [13, 13, 512]],
  ['squeezenet', [13, 13, 512], { version: '1.1' }],
  ['densenet121', [7, 7, 1024]],
  ['efficientnetB0', [7, 7, 1280]],
]
for (const [name, wanted, options = {}] of features)
  test(`${name} ${JSON.stringify(options)} without its top: ${wanted.join(' x ')}`, () => {
    const { outputs, calls } = made(name, { ...options, includeTop: false }).network
    assert.deepEqual(Object.keys(outputs), ['output'])
    assert.deepEqual(calls[outputs['output']].shape, wanted)
  })

test('every network with includeTop has a row in the table of features', () => {
  const held = new Set(features.map(([name]) => name))
  const wanted = Object.entries(zoo).flatMap(([name, { row }]) => ('includeTop' in row.options ? [name] : []))
  assert.deepEqual([...held].sort(), wanted.sort())
})

/** Epsilon and momentum of all batch normalisation: torchvision's, whose momentum is the rest to 1. */
const statistics: readonly (readonly [Name, number, number, object?])[] = [
  ['articleNet', 1e-3, 0.9, { batchNorm: true }],
  ['vgg16', 1e-5, 0.9, { batchNorm: true }],
  ['googlenet', 1e-3, 0.9, { variant: 'torchvision', auxiliary: true }],
  ['inceptionV3', 1e-3, 0.9, { auxiliary: true }],
  ['resnet18', 1e-5, 0.9],
  ['resnet50', 1e-5, 0.9],
  ['resnet20', 1e-5, 0.9],
  ['wideResnet', 1e-5, 0.9],
  ['mobilenetV1', 1e-5, 0.9],
  ['mobilenetV2', 1e-5, 0.9],
  ['mobilenetV3Small', 1e-3, 0.99],
  ['mobilenetV3Large', 1e-3, 0.99],
  ['densenet121', 1e-5, 0.9],
  ['efficientnetB0', 1e-5, 0.9],
]
for (const [name, epsilon, momentum, options = {}] of statistics)
  test(`${name}: batch normalisation by ${epsilon} and ${momentum}`, () => {
    const all = Object.values(made(name, options).layers).filter(({ type }) => type === 'batchNormalization')
    const said = all.map(({ options }) => `${options['epsilon']} ${options['momentum']}`)
    assert.deepEqual([...new Set(said)], [`${epsilon} ${momentum}`])
  })

const wideDropouts = [32, 32, 64, 64, 128, 128].map((channels) => `activation ${channels}, 0.3, conv2d`)
/** What stands before dropout and its channels, the rate, what stands behind and its units: the papers and torchvision. */
const dropouts: readonly (readonly [Name, readonly string[], object?])[] = [
  ['mnistCnn', ['dense 1024, 0.5, dense 10']],
  ['cifarSimple', ['maxPooling2d 32, 0.25, flatten', 'dense 512, 0.5, dense 10']],
  ['cifarDeep', ['maxPooling2d 32, 0.25, conv2d', 'maxPooling2d 64, 0.25, flatten', 'dense 512, 0.5, dense 10']],
  ['articleNet', ['batchNormalization 12, 0.5, conv2d', 'batchNormalization 16, 0.5, flatten'], { batchNorm: true }],
  ['alexnet', ['flatten 9216, 0.5, dense 4096', 'dense 4096, 0.5, dense 4096']],
  ['vgg16', ['dense 4096, 0.5, dense 4096', 'dense 4096, 0.5, dense 1000']],
  [
    'googlenet',
    ['globalAveragePooling2d 1024, 0.4, dense 1000', 'dense 1024, 0.7, dense 1000', 'dense 1024, 0.7, dense 1000'],
    { auxiliary: true },
  ],
  ['inceptionV3', ['globalAveragePooling2d 2048, 0.5, dense 1000'], { auxiliary: true }],
  ['wideResnet', wideDropouts, { depth: 16, width: 2, dropout: 0.3 }],
  ['mobilenetV1', ['globalAveragePooling2d 1024, 0.001, dense 1000']],
  ['mobilenetV2', ['globalAveragePooling2d 1280, 0.2, dense 1000']],
  ['mobilenetV3Large', ['dense 1280, 0.2, dense 1000']],
  ['squeezenet', ['concatenate 512, 0.5, conv2d']],
  ['efficientnetB0', ['globalAveragePooling2d 1280, 0.2, dense 1000']],
]
for (const [name, wanted, options = {}] of dropouts)
  test(`${name}: where dropout stands`, () => {
    const { calls } = made(name, options).network
    const layerOf = (i: number): Layer => {
      const { of } = calls[i]
      return of.kind === 'input' ? assert.fail('dropout of an input') : of.layer.layer
    }
    const found = calls.flatMap(({ of, inputs: [from] }, i) => {
      if (of.kind === 'input' || of.layer.layer.type !== 'dropout') return []
      const next = calls.flatMap(({ inputs }, j) => (inputs.includes(i) ? [layerOf(j)] : []))
      const after = next.map(({ type, options }) => [type, options['units'] ?? []].flat().join(' '))
      return [
        [`${layerOf(from).type} ${calls[from].shape.at(-1)}`, of.layer.layer.options['rate'], ...after].join(', '),
      ]
    })
    assert.deepEqual(found.sort(), [...wanted].sort())
  })

test('mnistCnn: the first weights of the tutorial', async () => {
  await using model = zoo.mnistCnn({ inputShape: [8, 8, 1] })
  const values = Object.entries(await model.weights())
  for (const [name, numbers] of values)
    if (name.endsWith('bias')) assert.ok(numbers.every((x) => Math.abs(x - 0.1) < 1e-7))
    else
      assert.ok(
        numbers.every((x) => Math.abs(x) <= 0.2 + 1e-6),
        `${name}: two deviations at most`,
      )
  const [, kernel] = values.find(([name]) => name === 'dense/kernel') ?? assert.fail()
  const deviation = Math.sqrt(kernel.reduce((sum, x) => sum + x * x, 0) / kernel.length)
  assert.ok(Math.abs(deviation - 0.1 * 0.8796) < 1e-3, `cut at two deviations, so 0.88 of 0.1: ${deviation}`)
})

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

test('seed: other first weights', async () => {
  const firsts = [1, 1, 2].map(async (seed) => {
    await using model = zoo.lenet5({ seed })
    return (await model.weights())['c1/kernel']
  })
  const [a, b, c] = await Promise.all(firsts)
  assert.deepEqual(a, b)
  assert.notDeepEqual(a, c)
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

const refused: readonly (readonly [Name, object, readonly string[]])[] = [
  ['wideResnet', { depth: 17 }, ["'depth' is wrong", 'expected 6n + 4, such as 16 or 22', 'got 17']],
  ['googlenet', { auxiliary: true, includeTop: false }, ["'auxiliary'", 'includeTop: false']],
  ['inceptionV3', { auxiliary: true, includeTop: false }, ["'auxiliary'", 'includeTop: false']],
  ['articleNet', { dropout: 0.2 }, ["'dropout'", 'batchNorm: true']],
]
for (const [name, options, says] of refused)
  test(`${name} refuses ${JSON.stringify(options)}`, () => {
    assert.throws(() => made(name, options), failure('E_OPTION', name, ...says))
  })

test('articleNet: dropout of 0 has no layer of it', () => {
  const kinds = (dropout: number | undefined) =>
    made('articleNet', { batchNorm: true, dropout }).network.calls.filter(
      ({ of }) => of.kind === 'layer' && of.layer.layer.type === 'dropout',
    ).length
  assert.deepEqual([kinds(undefined), kinds(0.1), kinds(0)], [2, 2, 0])
})
