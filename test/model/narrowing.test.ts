/** Numbers beyond float32, which the reference engine holds, are not made infinite without a word. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constant, fromArrays, input, layers, modelFrom, ops, sequential, transform } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { held } from '../support/held.ts'
import { tiny } from '../support/tiny-model.ts'

const beyond = async () => {
  const net = tiny()
  await net.setWeights({ 'only/kernel': Float64Array.of(1e300, 0, 0, 0, 0, 0) })
  return net
}
const refused = failure('E_NONFINITE', 'only/kernel', 'beyond float32')

test('weights', async () => {
  await assert.rejects((await beyond()).weights(), refused)
})
test('the bytes of a model, which are saved', async () => {
  await assert.rejects((await beyond()).toBytes(), refused)
})
test('a move to an engine that computes in float32', async () => {
  const net = await beyond()
  await assert.rejects(net.predict(Float32Array.of(1, 2, 3), { engine: 'wasm' }), refused)
})
test('new weights of a model that computes in float32', async () => {
  const net = tiny({ engine: 'wasm' })
  await assert.rejects(net.setWeights({ 'only/kernel': Float64Array.of(1e300, 0, 0, 0, 0, 0) }), refused)
})
test('answers', async () => {
  const net = await beyond()
  await assert.rejects(net.predict(Float32Array.of(1, 2, 3)), failure('E_NONFINITE', 'beyond float32'))
})
test('what is infinite already stays so', async () => {
  const net = tiny()
  await net.setWeights({ 'only/kernel': Float64Array.of(Number.POSITIVE_INFINITY, 0, 0, 0, 0, 0) })
  assert.equal((await net.weights())['only/kernel'][0], Number.POSITIVE_INFINITY)
})

const x = input([2])
const node = constant(1)
const graphs: readonly (readonly [says: string, make: () => unknown, where: string])[] = [
  ['a constant', () => constant(1e300), 'constant'],
  ['an array of constants', () => constant(Float64Array.of(1, -1e300) as never, [2]), 'constant'],
  ['an operand', () => ops.add(node, 1e300), 'constant'],
  ['what is chosen', () => ops.select(node, 1, -1e300), 'constant'],
  ['an end of clip', () => ops.clip(node, -1e300, 1), 'clip'],
  ['what fills a border', () => ops.pad(constant(Float32Array.of(1)), { padding: [[1, 1]], value: 1e300 }), 'pad'],
  [
    'what is added to a variance',
    () => ops.batchNorm(node, { mean: node, variance: node, epsilon: 1e300 }),
    'constant',
  ],
  ['a layer', () => layers.rescaling({ scale: 1e300 })(x), 'rescaling: constant'],
  ['a layer with a name', () => layers.rescaling({ scale: 1, offset: -1e300, name: 'mine' })(x), 'mine: constant'],
  ['a transform', () => transform(numbers, [{ type: 'rescale', scale: [1, 1e300] }]), 'rescale'],
  ['an offset of one', () => transform(numbers, [{ type: 'rescale', scale: 1, offset: 1e300 }]), 'rescale'],
]
const numbers = fromArrays({ name: 'n', inputs: { x: { shape: [2], data: new Float32Array(4) } }, targets: {} })
for (const [says, make, where] of graphs)
  test(`${says} beyond float32`, () => {
    assert.throws(make, failure('E_NONFINITE', `${where}: beyond float32`, '1e+300'))
  })

test('constants that float32 has, rounded or infinite, are taken', () => {
  for (const value of [3.40282356e38, 1e-300, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
    constant(value)
    constant(Float64Array.of(value) as never, [1])
  }
})

const initializers = [
  { type: 'constant', value: 1e300 },
  { type: 'randomNormal', stddev: 1e300 },
  { type: 'randomUniform', minval: -1e300, maxval: 1e300 },
  { type: 'orthogonal', gain: 1e300 },
  { type: 'identity', gain: 1e300 },
] as const
for (const kernelInitializer of initializers)
  for (const engine of ['reference', 'wasm'] as const)
    test(`first weights: ${JSON.stringify(kernelInitializer)}, ${engine}`, async () => {
      const net = sequential({ inputShape: [2], engine }, [layers.dense({ units: 2, name: 'only', kernelInitializer })])
      const { type } = kernelInitializer
      await assert.rejects(net.weights(), failure('E_NONFINITE', 'only/kernel: beyond float32', `"type":"${type}"`))
    })

const circular: unknown[] = []
circular.push(circular)
const holding = (v: unknown) => sequential({ inputShape: [2], engine: 'reference' }, [held({ v, name: 'it' })])
const lost: readonly (readonly [says: string, v: unknown, code: 'E_OPTION' | 'E_LIMIT', got: string])[] = [
  ['NaN', Number.NaN, 'E_OPTION', 'NaN'],
  ['Infinity', Number.POSITIVE_INFINITY, 'E_OPTION', 'Infinity'],
  ['a number within', { deep: [1, Number.NaN] }, 'E_OPTION', 'NaN'],
  ['a typed array', Float32Array.of(1), 'E_OPTION', 'Float32Array'],
  ['a Map', new Map([[1, 2]]), 'E_OPTION', 'Map'],
  ['a Date', new Date(0), 'E_OPTION', 'Date'],
  ['a function', () => 1, 'E_OPTION', 'a function'],
  ['a bigint', 1n, 'E_OPTION', 'no JSON'],
  ['a hole', [undefined], 'E_OPTION', 'undefined'],
  ['a circle', circular, 'E_LIMIT', 'nested too deeply'],
]
for (const [says, v, code, got] of lost)
  test(`an option of a layer of one's own that a file cannot hold: ${says}`, async () => {
    await assert.rejects(holding(v).toBytes(), failure(code, 'it: v', got))
  })
test("options of a layer of one's own that a file holds come back", async () => {
  for (const v of [null, false, 0, 'text', [1, [2]], { a: { b: [] } }]) {
    const bytes = await holding(v).toBytes()
    assert.deepEqual(modelFrom(bytes, 'model', { customLayers: [held] }).layers['it'].options['v'], v)
  }
})
