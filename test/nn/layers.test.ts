/** Layers against published numbers; what is frozen, shared, part of another, or a user's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Layer, Model } from '../../src/index.ts'
import { defineLayer, fromArrays, input, layers, model, modelFrom, ops, options, sequential } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { small, train } from '../support/small-model.ts'

const { batchNormalization, conv2d, dense, depthwiseConv2d, dropout, flatten, globalAveragePooling2d } = layers

const samples = (rows: readonly (readonly number[])[], targets = new Int32Array(rows.length)) =>
  fromArrays({
    name: 'samples',
    inputs: { x: { shape: [rows[0].length], data: Float32Array.from(rows.flat()) } },
    targets: { y: { shape: [], data: targets } },
  })
const close = (got: ArrayLike<number>, wanted: readonly number[], tolerance = 1e-6): void => {
  assert.equal(got.length, wanted.length)
  wanted.forEach((truth, i) => {
    assert.ok(Math.abs(got[i] - truth) <= tolerance, `${Array.from(got)}, not ${wanted}`)
  })
}

for (const engine of ['reference', ...fastEngines] as const) {
  test(`batchNormalization, ${engine}: the numbers of Keras`, async () => {
    const net = sequential({ inputShape: [1], engine }, [batchNormalization(), dense({ units: 2 })])
    assert.deepEqual(Object.keys(await net.weights()).slice(0, 4), [
      'batch_normalization/gamma',
      'batch_normalization/beta',
      'batch_normalization/movingMean',
      'batch_normalization/movingVariance',
    ])
    assert.match(net.summary(), /Non-trainable params: 2 /)
    const data = samples([[1], [2], [3], [6]])
    await net.fit(data, { batchSize: 4, learningRate: 0, shuffle: false })
    const weights = await net.weights()
    close(weights['batch_normalization/movingMean'], [0.03])
    close(weights['batch_normalization/movingVariance'], [1.025]) // the biased variance, 3.5
    const out = await net.features('batch_normalization').predict(Float32Array.of(1, 2))
    close(
      out.data,
      [0.97, 1.97].map((x) => x / Math.sqrt(1.025 + 1e-3)),
    )
  })
}

test('batchNormalization without gamma and beta; a momentum of 0 keeps the last batch', async () => {
  const net = sequential({ inputShape: [2] }, [
    batchNormalization({ momentum: 0, center: false, scale: false, epsilon: 0 }),
    dense({ units: 2 }),
  ])
  await net.fit(
    samples([
      [1, 5],
      [3, 9],
    ]),
    { batchSize: 2, learningRate: 0 },
  )
  const {
    'batch_normalization/movingMean': mean,
    'batch_normalization/movingVariance': variance,
    ...rest
  } = await net.weights()
  close(mean, [2, 7])
  close(variance, [1, 4])
  assert.deepEqual(Object.keys(rest), ['dense/kernel', 'dense/bias'])
  close((await net.features('batch_normalization').predict(Float32Array.of(1, 9))).data, [-1, 1])
})

test('a shared batchNormalization moves its statistics at each of its uses', async () => {
  const norm = batchNormalization({ momentum: 0.5 })
  const [a, b] = [input([1], { name: 'a' }), input([1], { name: 'b' })]
  const net = model({ a, b }, dense({ units: 2 })(layers.concatenate()(norm(a), norm(b))))
  const data = fromArrays({
    name: 'two',
    inputs: { a: { shape: [1], data: Float32Array.of(1, 3) }, b: { shape: [1], data: Float32Array.of(10, 10) } },
    targets: { y: { shape: [], data: Int32Array.of(0, 1) } },
  })
  await net.fit(data, { batchSize: 2, learningRate: 0 })
  close((await net.weights())['batch_normalization/movingMean'], [(0 + 2) / 4 + 10 / 2]) // first a's, then b's
})

test('depthwiseConv2d: every channel by itself, its outputs side by side, as Keras orders them', async () => {
  const net = sequential({ inputShape: [2, 2, 2] }, [depthwiseConv2d({ kernelSize: 1, depthMultiplier: 2 })])
  const { 'depthwise_conv2d/kernel': kernel } = await net.weights()
  assert.equal(net.parameterCount, 8)
  assert.equal(kernel.length, 4)
  await net.setWeights({ 'depthwise_conv2d/kernel': Float32Array.of(1, 10, 100, 1000) })
  const { shape, data } = await net.predict(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8))
  assert.deepEqual(shape, [1, 2, 2, 4])
  assert.deepEqual([...data], [1, 10, 200, 2000, 3, 30, 400, 4000, 5, 50, 600, 6000, 7, 70, 800, 8000])
})

const learn = { batchSize: 64, learningRate: 0.01 } as const
const changed = async (net: Model, action: () => Promise<unknown>): Promise<string[]> => {
  const before = await net.weights()
  await action()
  const now = await net.weights()
  return Object.keys(now).filter((name) => !now[name].every((x, i) => x === before[name][i]))
}

test('a pattern stands for the whole name of a layer, not for its end', () => {
  const net = sequential({ inputShape: [28, 28, 1], seed: 1 }, [conv2d({ filters: 2, kernelSize: 3 }), flatten()])
  assert.throws(() => net.freeze('onv2d*'), failure('E_MODEL', "has no layer 'onv2d*'"))
  assert.equal(net.freeze('*onv2d').layers['conv2d'].trainable, false)
})

test('frozen layers stay as they are, statistics too, and learn again when thawed', async () => {
  const net = sequential({ inputShape: [28, 28, 1], seed: 1 }, [
    conv2d({ filters: 4, kernelSize: 5, strides: 4 }),
    batchNormalization({ name: 'norm' }),
    conv2d({ filters: 4, kernelSize: 3 }),
    flatten(),
    dense({ units: 10 }),
  ])
  net.freeze('conv2d*', 'norm')
  assert.deepEqual(await changed(net, () => net.fit(train, learn)), ['dense/kernel', 'dense/bias'])
  const rows = net
    .summary({ showTrainable: true })
    .split('\n')
    .filter((line) => /│ +[YN] +│$/.test(line))
  assert.deepEqual(
    rows.map((line) => line.slice(-6, -2).trim()),
    ['N', 'N', 'N', 'Y'],
  )
  const copy = modelFrom(await net.toBytes())
  assert.deepEqual(await changed(copy, () => copy.fit(train, learn)), ['dense/kernel', 'dense/bias'])
  net.unfreeze('conv2d_1')
  assert.deepEqual(await changed(net, () => net.fit(train, learn)), [
    'conv2d_1/kernel',
    'conv2d_1/bias',
    'dense/kernel',
    'dense/bias',
  ])
  assert.equal((await changed(net.unfreeze(), () => net.fit(train, learn))).length, 10)
  assert.throws(() => net.freeze('conv_1'), failure('E_MODEL', "no layer 'conv_1'", "did you mean 'conv2d'?"))
  await assert.rejects(net.freeze().fit(train, learn), failure('E_MODEL', 'nothing to train', 'unfreeze'))
})

test('features: what any layers give, by the weights that the model has now', async () => {
  const net = small()
  const part = net.features('max_pooling2d', 'dense')
  const pixels = new Uint8Array(784).fill(100)
  const first = (await part.predict(pixels)).outputs
  assert.deepEqual(first['max_pooling2d'].shape, [1, 6, 6, 8])
  assert.deepEqual(Object.keys(first), ['max_pooling2d', 'dense'])
  assert.deepEqual(first['dense'].data, (await net.predict(pixels)).data)
  await net.fit(train, learn)
  const now = (await part.predict(pixels)).outputs
  assert.notDeepEqual(now['max_pooling2d'].data, first['max_pooling2d'].data)
  assert.throws(() => net.features('pool'), failure('E_MODEL', "no layer 'pool'", "did you mean 'max_pooling2d'?"))
  assert.throws(() => net.features('head'), failure('E_MODEL', "no layer 'head'", 'the layers are'))
})

test('a new head on a trained base: layers shared, weights taken over, the base frozen', async () => {
  const base = small()
  await base.fit(train, learn)
  const there = await base.weights()
  const x = base.tensor('flatten')
  const net = model(base.tensor('input_layer'), dense({ units: 10, name: 'head' })(x), { weightsFrom: base })
  net.freeze('conv2d')
  assert.deepEqual((await net.weights())['conv2d/kernel'], there['conv2d/kernel'])
  assert.deepEqual(await changed(net, () => net.fit(train, learn)), ['head/kernel', 'head/bias'])
  assert.deepEqual(await base.weights(), there)
  const stack = Object.values(base.layers).slice(0, -1) as Layer[]
  const other = sequential({ inputShape: [28, 28, 1], weightsFrom: base }, [...stack, dense({ units: 3 })])
  assert.deepEqual((await other.weights())['conv2d/kernel'], there['conv2d/kernel'])
})

const scale = defineLayer('scale', {
  className: 'Scale',
  says: 'Every channel times a number that is learnt.',
  options: { start: options.number({ says: 'the number at first', default: 1 }) },
  weights: ({ start }, shape) => ({
    factor: { shape: shape.slice(-1), initializer: { type: 'constant', value: start } },
    uses: { shape: [], initializer: 'zeros', trainable: false },
  }),
  forward: ([x], { factor, uses }, _, { mode }) => {
    const output = ops.mul(x, factor)
    return mode === 'train' ? { output, updates: { uses: ops.add(uses, 1) } } : output
  },
})

test("a layer of one's own trains, counts, is saved, and read when it is named", async () => {
  const net = sequential({ inputShape: [28, 28, 1] }, [
    conv2d({ filters: 4, kernelSize: 5, strides: 4 }),
    scale({ start: 2 }),
    globalAveragePooling2d(),
    dropout({ rate: 0.1 }),
    dense({ units: 10 }),
  ])
  assert.match(net.summary(), /scale \(Scale\)/)
  await net.fit(train, learn)
  const { 'scale/uses': uses, 'scale/factor': factor } = await net.weights()
  assert.deepEqual([...uses], [6])
  assert.ok(factor.every((x) => x !== 2 && Math.abs(x - 2) < 0.2))
  const bytes = await net.toBytes()
  assert.throws(() => modelFrom(bytes), failure('E_FILE', 'an unknown kind of layer', 'customLayers'))
  const taken = () => defineLayer('dense', { className: 'Dense', says: 'Mine.', options: {}, forward: ([x]) => x })
  assert.throws(taken, failure('E_OPTION', "'dense' already"))
  assert.deepEqual(await modelFrom(bytes, 'mine', { customLayers: [scale] }).weights(), await net.weights())
})
