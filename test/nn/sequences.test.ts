/** Layers of time steps, and layers that are functions: what is refused, weights, files, freezing, statistics and draws. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Layer, Model } from '../../src/index.ts'
import { defineLayer, fromArrays, input, layers, modelFrom, ops, sequential } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { ladder } from '../support/tensors.ts'

const { batchNormalization, dense, dropout, flatten, identity, lambda, masking, permute, repeatVector } = layers
const { timeDistributed } = layers

const videos = fromArrays({
  name: 'videos',
  inputs: { x: { shape: [3, 4, 4, 2], data: ladder(8 * 96, 2) } },
  targets: { y: { shape: [], data: Int32Array.of(0, 1, 0, 1, 1, 0, 1, 0) } },
})
const learn = { batchSize: 4, epochs: 2, learningRate: 0.05, seed: 3 } as const

suite('what is refused', () => {
  const wrong: readonly [string, () => unknown, string, ...string[]][] = [
    ['an axis twice', () => permute({ dims: [1, 1] }), 'E_OPTION', "'dims' names an axis twice", '[1, 1]'],
    ['the batch', () => permute({ dims: [0, 1] }), 'E_OPTION', "'dims' is wrong"],
    ['no axes', () => permute({ dims: [] }), 'E_OPTION', "'dims' is wrong"],
    ['an axis too far', () => permute({ dims: [3, 1] })(input([2, 3])), 'E_SHAPE', "'dims'", '1 to 2', '3'],
    ['an axis left out', () => permute({ dims: [2, 1] })(input([2, 3, 4])), 'E_SHAPE', 'permutation'],
    ['no copies', () => repeatVector({ n: 0 }), 'E_OPTION', "'n' is wrong"],
    ['more than a vector', () => repeatVector({ n: 2 })(input([2, 3])), 'E_SHAPE', '[features]', 'flatten()'],
    ['no time', () => masking()(input([3])), 'E_SHAPE', '[time, features]'],
    ['no layer', () => timeDistributed({ layer: 'dense' as never }), 'E_OPTION', "'layer' is wrong", 'a layer'],
    ['a maker', () => timeDistributed({ layer: dense as never }), 'E_OPTION', "'layer' is wrong"],
    ['several tensors', () => timeDistributed({ layer: layers.add() }), 'E_OPTION', 'takes several tensors', 'add'],
    ['a frozen one', () => timeDistributed({ layer: dense({ units: 1, trainable: false }) }), 'E_OPTION', 'frozen', 'trainable: false'],
    ['a single number', () => timeDistributed({ layer: identity() })(input([])), 'E_SHAPE', '[time, ...]'],
    ['a step too small', () => timeDistributed({ layer: layers.conv1d({ filters: 1, kernelSize: 1 }) })(input([4, 2])), 'E_SHAPE', 'sequences'],
    ['no function', () => lambda({ function: 3 as never }), 'E_OPTION', "'function' is wrong", 'a function'],
    ['a function of samples', () => lambda({ function: (x) => ops.sum(x) })(input([2])), 'E_SHAPE', 'must not mix samples'],
    ['a function of nothing', () => lambda({ function: () => undefined as never })(input([2])), 'E_GRAPH', 'gives no node'],
  ] // biome-ignore format: rows
  for (const [what, make, code, ...says] of wrong)
    test(what, () => {
      assert.throws(make, failure(code as 'E_OPTION', ...says))
    })
})

test('masking compares as float32, and leaves a step with one other feature', async () => {
  const net = sequential({ inputShape: [3, 2] }, [masking({ maskValue: 0.1 })])
  const { data } = await net.predict(Float32Array.of(0.1, 0.1, 0.1, 5, 5, 5))
  assert.deepEqual([...data], [0, 0, Math.fround(0.1), 5, 5, 5])
})

const frames = (engine: 'reference' | 'wasm' | 'native'): Model =>
  sequential({ inputShape: [3, 4, 4, 2], seed: 2, engine, threads: 2 }, [
    timeDistributed({
      layer: layers.conv2d({ filters: 4, kernelSize: 3, useBias: false, kernelRegularizer: 'l2' }),
      name: 'eye',
    }),
    timeDistributed({ layer: batchNormalization({ momentum: 0 }) }),
    layers.relu({ maxValue: 2 }),
    timeDistributed({ layer: dropout({ rate: 0.25 }) }),
    timeDistributed({ layer: timeDistributed({ layer: layers.globalMaxPooling1d() }) }),
    timeDistributed({ layer: flatten() }),
    flatten(),
    dense({ units: 2 }),
  ])

for (const engine of fastEngines)
  test(`timeDistributed learns as on the reference, ${engine}; files have the layers within`, async () => {
    const [net, truth] = [frames(engine), frames('reference')]
    const { 'eye/kernel': kernel } = await net.weights()
    assert.deepEqual(Object.keys(await net.weights()).slice(0, 2), ['eye/kernel', 'time_distributed/gamma'])
    const got = await net.fit(videos, learn)
    const wanted = await truth.fit(videos, learn)
    got.epochs.forEach(({ loss }, i) => {
      assert.ok(Math.abs(loss - wanted.epochs[i].loss) < 1e-4, `${loss}, not ${wanted.epochs[i].loss}`)
    })
    const now = await net.weights()
    assert.notDeepEqual(now['eye/kernel'], kernel)
    for (const [name, values] of Object.entries(await truth.weights()))
      values.forEach((value, i) => {
        assert.ok(Math.abs(now[name][i] - value) < 1e-3, `${name}: ${now[name][i]}, not ${value}`)
      })
    const again = modelFrom(await net.toBytes(), 'again', { engine })
    assert.deepEqual(await again.weights(), now)
    assert.deepEqual((await again.predict(videos)).data, (await net.predict(videos)).data)
    assert.match(again.summary(), /eye \(TimeDistributed\) +│ \(None, 3, 2, 2, 4\) +│ +72/)
    await Promise.all([net.close(), truth.close(), again.close()])
  })

test('timeDistributed: moments over samples and time steps, kept where it is frozen', async () => {
  const net = sequential({ inputShape: [2, 1], seed: 1 }, [
    timeDistributed({ layer: batchNormalization({ momentum: 0 }), name: 'norm' }),
    flatten(),
    dense({ units: 1 }),
  ])
  const data = fromArrays({
    name: 'steps',
    inputs: { x: { shape: [2, 1], data: Float32Array.of(1, 2, 3, 6) } },
    targets: { y: { shape: [1], data: Float32Array.of(0, 1) } },
  })
  await net.fit(data, { batchSize: 2, learningRate: 0 })
  const { 'norm/movingMean': mean, 'norm/movingVariance': variance } = await net.weights()
  assert.deepEqual([...mean, ...variance], [3, 3.5])
  net.freeze('norm')
  await net.fit(data, { batchSize: 1, learningRate: 0.1 })
  assert.deepEqual(
    [(await net.weights())['norm/movingMean'], (await net.weights())['norm/gamma']],
    [mean, new Float32Array([1])],
  )
  const again = modelFrom(await net.toBytes())
  assert.equal(again.layers['norm'].trainable, false)
})

test('timeDistributed: what is drawn for a sample does not depend on its batch; each step has its own', async () => {
  const noisy = defineLayer('noisy', {
    className: 'Noisy',
    says: 'Uniform numbers, in prediction too.',
    options: {},
    forward: ([x], _, __, { draw }) => ops.add(x, draw({ shape: x.shape })),
  })
  const net = sequential({ inputShape: [3, 2] }, [timeDistributed({ layer: noisy() })])
  const zeros = new Float32Array(6 * 10)
  const whole = (await net.predict(zeros)).data
  assert.equal(new Set(whole).size, 60)
  assert.deepEqual((await net.predict(zeros, { batchSize: 4 })).data, whole)
  const bytes = await net.toBytes()
  assert.throws(() => modelFrom(bytes), failure('E_FILE', 'an unknown kind of layer', 'time_distributed: layer'))
  assert.deepEqual((await modelFrom(bytes, 'mine', { customLayers: [noisy] }).predict(zeros)).data, whole)
})

test('timeDistributed of what takes bytes as they are: pixels are not divided first', async () => {
  const rescaled = (layer: Layer) => sequential({ inputShape: [2, 1] }, [layer]).predict(Uint8Array.of(10, 20))
  const scale = layers.rescaling({ scale: 2 })
  assert.deepEqual((await rescaled(timeDistributed({ layer: scale }))).data, (await rescaled(scale)).data)
})

test('timeDistributed: what the layer adds to the loss counts, summed over the steps of a sample', async () => {
  const inner = dense({ units: 2, kernelInitializer: 'ones', activityRegularizer: { type: 'l2', l2: 0.5 } })
  const data = fromArrays({
    name: 'steps',
    inputs: { x: { shape: [3, 4], data: ladder(5 * 12, 1) } },
    targets: { y: { shape: [3, 2], data: new Float32Array(5 * 6) } },
  })
  const lossOf = async (layer: Layer) => (await sequential({ inputShape: [3, 4] }, [layer]).evaluate(data)).loss
  const [whole, stepwise] = [await lossOf(inner), await lossOf(timeDistributed({ layer: inner }))]
  const free = await lossOf(dense({ units: 2, kernelInitializer: 'ones' }))
  assert.ok(whole > free + 1)
  assert.ok(Math.abs(whole - stepwise) < 1e-5 * whole, `${whole} and ${stepwise}`)
})

test('slice: a box beyond the sample, or of another rank', () => {
  const cut = (begin: number[], size: number[]) => () => layers.slice({ begin, size })(input([4, 6]))
  for (const [wrong, got] of [
    [cut([0, 4], [-1, 3]), 'begin [0, 4], size [-1, 3]'],
    [cut([4, 0], [-1, -1]), 'begin [4, 0]'],
    [cut([0], [2]), 'begin [0]'],
    [cut([0, 0, 0], [1, 1, 1]), 'size [1, 1, 1]'],
  ] as const)
    assert.throws(wrong, failure('E_SHAPE', 'slice', 'no box', '[4, 6]', got))
  assert.throws(cut([0, 0], [0, 1]), failure('E_SHAPE', 'no box'))
})

test('lambda trains; saving names the layer and the way out', async () => {
  const net = sequential({ inputShape: [3, 4, 4, 2] }, [
    flatten(),
    lambda({ function: (x) => ops.mul(x, 0.5), name: 'half' }),
    identity(),
    dense({ units: 2 }),
  ])
  const before = (await net.weights())['dense/kernel']
  await net.fit(videos, learn)
  assert.notDeepEqual((await net.weights())['dense/kernel'], before)
  await assert.rejects(async () => net.toBytes(), failure('E_OPTION', 'half: function', 'holds no code', 'defineLayer'))
  const nested = sequential({ inputShape: [2, 2] }, [timeDistributed({ layer: lambda({ function: (x) => x }) })])
  await assert.rejects(async () => nested.toBytes(), failure('E_OPTION', 'time_distributed: layer: function'))
})

for (const engine of ['reference', ...fastEngines] as const)
  test(`lambda is its function, ${engine}`, async () => {
    const net = sequential({ inputShape: [4], engine }, [lambda({ function: (x) => ops.square(x) })])
    assert.deepEqual([...(await net.predict(Float32Array.of(1, -2, 3, 4))).data], [1, 4, 9, 16])
    await net.close()
  })
