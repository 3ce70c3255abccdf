/** Activations with options: what is refused, what stays the plain function, what files keep; as layers and as options of layers. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { input as inputNode } from '../../src/graph/node.ts'
import type { Activation } from '../../src/index.ts'
import { layers, modelFrom, sequential } from '../../src/index.ts'
import { activate, activations } from '../../src/nn/activations.ts'
import type { Layer } from '../../src/nn/layer.ts'
import { networkToJson } from '../../src/saved/model-file.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { ladder } from '../support/tensors.ts'

const { activation, conv2d, dense, flatten, globalAveragePooling2d } = layers
const x = inputNode('x', [2, 3])

test('options that mean the plain function give its graph: nothing is computed that was not before', () => {
  const same: readonly [Activation, Activation][] = [
    [{ type: 'relu' }, 'relu'],
    [{ type: 'relu', negativeSlope: 0, threshold: 0 }, 'relu'],
    [{ type: 'relu', maxValue: 6 }, 'relu6'],
    [{ type: 'leakyRelu', negativeSlope: 0.2 }, 'leakyRelu'],
    [{ type: 'elu', alpha: 1 }, 'elu'],
    [{ type: 'hardSigmoid', slope: 1 / 6, offset: 0.5 }, 'hardSigmoid'],
    [{ type: 'softmax', axis: 1 }, 'softmax'],
  ]
  for (const [given, plain] of same) {
    const [a, b] = [activate(x, given), activate(x, plain)]
    assert.equal(a.op, b.op)
    assert.deepEqual(a.attrs, b.attrs)
    assert.equal(a.inputs[0], x)
  }
})

test('slopes by the result alone let the compiler forget x: all that rise', () => {
  const rising: readonly Activation[] = [
    { type: 'leakyRelu', negativeSlope: 0.01 },
    { type: 'relu', maxValue: 3, negativeSlope: 0.1 },
    { type: 'elu', alpha: 2 },
    { type: 'celu', alpha: 2 },
    'hardTanh',
    { type: 'hardTanh', minValue: 0, maxValue: 6 },
  ]
  for (const one of rising) {
    const { df } = activate(x, one).attrs as { df: readonly object[] }
    assert.doesNotMatch(JSON.stringify(df), /"index":0/, JSON.stringify(one))
  }
})

suite('options of activations that are refused', () => {
  const wrong: readonly [given: object, ...says: string[]][] = [
    [{ type: 'relu', maxValue: -1 }, "'maxValue' is wrong", 'a number >= 0', '-1'],
    [{ type: 'relu', maxValue: 1, threshold: 2 }, "'maxValue' is below 'threshold'", '1 and 2'],
    [{ type: 'relu', negativeSlope: -0.1 }, "'negativeSlope' is wrong"],
    [{ type: 'relu', maxvalue: 1 }, "unknown option 'maxvalue'", "'maxValue'"],
    [{ type: 'elu', alpha: 0 }, "'alpha' is wrong", '> 0'],
    [{ type: 'celu', alpha: -1 }, "'alpha' is wrong"],
    [{ type: 'leakyRelu', negativeSlope: Infinity }, "'negativeSlope' is wrong"],
    [{ type: 'hardSigmoid', slope: -1 }, "'slope' is wrong"],
    [{ type: 'softmax', axis: 0.5 }, "'axis' is wrong", 'an integer'],
    [{ type: 'hardTanh', minValue: 1 }, "'minValue' is not below 'maxValue'", '1 and 1'],
    [{ type: 'tanh', alpha: 1 }, "unknown option 'alpha'", 'tanh'],
  ]
  for (const [given, ...says] of wrong)
    test(JSON.stringify(given), () => {
      assert.throws(() => activation({ activation: given as Activation }), failure('E_OPTION', ...says))
      assert.throws(() => dense({ units: 1, activation: given as Activation }), failure('E_OPTION', 'dense', ...says))
      const { type, ...options } = given as { type: keyof typeof layers }
      const make = layers[type] as unknown as ((o: object) => Layer) | undefined
      if (make) assert.throws(() => make({ ...options, name: 'mine' }), failure('E_OPTION', ...says))
    })

  test('an axis that samples do not have', () => {
    const wrap = () => sequential({ inputShape: [4] }, [layers.softmax({ axis: 2 })])
    assert.throws(wrap, failure('E_SHAPE', 'softmax', 'axis'))
    for (const axis of [0, -2])
      for (const type of ['softmax', 'logSoftmax'] as const)
        assert.throws(() => activate(x, { type, axis }), failure('E_OPTION', 'is the batch'))
    const shared = () => sequential({ inputShape: [4] }, [layers.prelu({ sharedAxes: [2] })])
    assert.throws(shared, failure('E_SHAPE', 'prelu', "'sharedAxes'", '1 to 1', '[4]'))
  })
})

test('every layer of an activation has its options and words', () => {
  for (const name of ['relu', 'leakyRelu', 'elu', 'celu', 'selu', 'softmax', 'softsign', 'hardTanh'] as const) {
    assert.deepEqual(Object.keys(layers[name].row.options), Object.keys(activations[name].options))
    assert.equal(layers[name].row.says, activations[name].says)
  }
  const net = sequential({ inputShape: [4] }, [layers.relu(), layers.leakyRelu(), layers.prelu(), layers.elu()])
  const names = ['re_lu (ReLU)', 'leaky_re_lu (LeakyReLU)', 'p_re_lu (PReLU)', 'elu (ELU)'] // Keras's
  for (const name of names) assert.ok(net.summary().includes(name), name)
})

/** Activations with options in all places where a layer takes one. */
const whole = (engine: 'reference' | 'wasm' | 'native', options: { precision?: 'mixed_bfloat16' } = {}) =>
  sequential({ inputShape: [8, 8, 2], seed: 4, engine, threads: 1, ...options }, [
    conv2d({ filters: 8, kernelSize: 3, activation: { type: 'relu', maxValue: 0.5, negativeSlope: 0.125 } }),
    layers.prelu({ sharedAxes: [1, 2], alphaInitializer: { type: 'constant', value: 0.25 } }),
    conv2d({ filters: 8, kernelSize: 3, activation: { type: 'celu', alpha: 0.5 } }),
    layers.softmax({ axis: 1 }),
    flatten(),
    dense({ units: 8, activation: { type: 'hardSigmoid', slope: 0.2 } }),
    activation({ activation: { type: 'elu', alpha: 2 } }),
    layers.leakyRelu({ negativeSlope: 0.01 }),
    dense({ units: 3 }),
  ])
const pictures = ladder(4 * 128, 1)

for (const engine of fastEngines)
  test(`a model file keeps the options, ${engine}: the same answers, and those of the reference`, async () => {
    const net = whole(engine)
    const again = modelFrom(await net.toBytes(), 'again', { engine, threads: 1 })
    assert.deepEqual(Object.values(again.layers).map(({ options }) => options), Object.values(net.layers).map(({ options }) => options)) // biome-ignore format: one line
    const { data } = await net.predict(pictures)
    assert.deepEqual((await again.predict(pictures)).data, data)
    const truth = (await whole('reference').predict(pictures)).data
    data.forEach((value, i) => {
      assert.ok(Math.abs(value - truth[i]) < 1e-5, `${value}, not ${truth[i]}`)
    })
    const mixed = (await whole(engine, { precision: 'mixed_bfloat16' }).predict(pictures)).data
    mixed.forEach((value, i) => {
      assert.ok(Math.abs(value - truth[i]) < 3e-2, `${value}, not ${truth[i]}`)
    })
    await Promise.all([net.close(), again.close()])
  })

test('options are written as they were given', () => {
  const json = networkToJson(whole('reference').network, 'sequential')
  assert.deepEqual(json.layers['conv2d'].options['activation'], {
    type: 'relu',
    maxValue: 0.5,
    negativeSlope: 0.125,
  })
  assert.equal(json.layers['dense_1'].options['activation'], 'linear')
})

test('prelu learns its alpha: one number per channel, He et al.', async () => {
  const net = sequential({ inputShape: [2, 2, 3] }, [layers.prelu({ sharedAxes: [1, 2] }), globalAveragePooling2d()])
  assert.equal(net.parameterCount, 3)
  const { 'p_re_lu/alpha': alpha } = await net.weights()
  assert.deepEqual([...alpha], [0, 0, 0]) // as in Keras
})
