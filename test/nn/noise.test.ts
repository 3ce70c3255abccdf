/** Noise and dropout: element by element what they are defined as, by the numbers that were drawn; off in prediction; moments. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { normals, stream, uniforms } from '../../src/base/random.ts'
import { defineLayer, fromArrays, input, layers, model, ops } from '../../src/index.ts'
import type { Layer } from '../../src/nn/layer.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { ladder } from '../support/tensors.ts'

const { alphaDropout, dense, flatten, gaussianDropout, gaussianNoise } = layers
const { spatialDropout1d, spatialDropout2d, spatialDropout3d } = layers

/** Keeps what it saw last. */
const watch = defineLayer('watch', {
  className: 'Watch',
  says: 'Keeps what it saw last.',
  options: {},
  weights: (_, shape) => ({ seen: { shape, initializer: 'zeros', trainable: false } }),
  forward: ([x], { seen }) => ({ output: x, updates: { seen: ops.add(ops.mul(seen, 0), ops.sum(x, { axes: [0] })) } }),
})

const SEED = 11
interface How {
  readonly engine: 'reference' | 'wasm' | 'native'
  readonly steps?: number
  readonly seed?: number
}

/** What a layer makes of one sample in the last of some training steps, and in prediction. */
async function seen(
  layer: Layer,
  shape: readonly number[],
  values: Float32Array,
  { engine, steps = 1, seed = SEED }: How,
) {
  const x = input(shape, { name: 'x' })
  const noisy = layer(x)
  const net = model(x, dense({ units: 1 })(flatten()(watch({ name: 'watch' })(noisy))), { engine, threads: 2 })
  const data = fromArrays({
    name: 'one',
    inputs: { x: { shape, data: values } },
    targets: { y: { shape: [1], data: Float32Array.of(0) } },
  })
  await net.fit(data, { epochs: steps, batchSize: 1, learningRate: 0, seed, loss: 'meanSquaredError' })
  const trained = (await net.weights())['watch/seen'] as Float32Array
  const predicted = (await net.features('watch').predict(values)).data
  await net.close()
  return { trained, predicted }
}

const by = (step = 0) => ({ seed: SEED, stream: stream('dropout', 0), step })
const count = 4 * 6 * 32
const channels = 32

/** alpha' of Klambauer et al., as the paper prints it. */
const LOWEST = -1.7580993408473766
function alphaDropped(rate: number) {
  const a = (1 - rate + LOWEST ** 2 * rate * (1 - rate)) ** -0.5 // the paper: (q + alpha'^2 q (1 - q))^(-1/2)
  const b = -a * rate * LOWEST
  return (x: number, u: number): number => a * (u < rate ? LOWEST : x) + b
}

/** layer, shape of a sample, the value of element i by its definition and what was drawn. */
const rows: readonly [
  name: string,
  layer: () => Layer,
  shape: readonly number[],
  wanted: (x: number, i: number, drawn: { u: Float32Array; z: Float32Array }) => number,
][] = [
  ['spatialDropout1d', () => spatialDropout1d({ rate: 0.25 }), [24, channels], (x, i, { u }) => (u[i % channels] < 0.25 ? 0 : x / 0.75)],
  ['spatialDropout2d', () => spatialDropout2d({ rate: 0.5 }), [4, 6, channels], (x, i, { u }) => (u[i % channels] < 0.5 ? 0 : x / 0.5)],
  ['spatialDropout3d', () => spatialDropout3d({ rate: 0.8 }), [2, 2, 6, channels], (x, i, { u }) => (u[i % channels] < 0.8 ? 0 : x / 0.2)],
  ['alphaDropout', () => alphaDropout({ rate: 0.3 }), [count], (x, i, { u }) => alphaDropped(0.3)(x, u[i])],
  ['gaussianNoise', () => gaussianNoise({ stddev: 0.5 }), [24, channels], (x, i, { z }) => x + 0.5 * z[i]],
  ['gaussianDropout', () => gaussianDropout({ rate: 0.2 }), [count], (x, i, { z }) => x * (1 + 0.5 * z[i])],
] // biome-ignore format: rows

for (const engine of ['reference', ...fastEngines] as const)
  suite(`noise, ${engine}`, () => {
    for (const [name, make, shape, wanted] of rows)
      test(`${name}: by its definition and the map of random numbers; x itself in prediction`, async () => {
        const x = ladder(count, 5)
        const { trained, predicted } = await seen(make(), shape, x, { engine })
        assert.deepEqual(predicted, x)
        const at = (step: number) => ({ u: uniforms(by(step), count), z: normals(by(step), count) })
        const drawn = [at(0), at(1)]
        const check = (values: Float32Array, step: number) =>
          values.forEach((value, i) => {
            const truth = wanted(x[i], i, drawn[step])
            assert.ok(Math.abs(value - truth) < 1e-5 * (1 + Math.abs(truth)), `element ${i}: ${value}, not ${truth}`)
          })
        check(trained, 0)
        check((await seen(make(), shape, x, { engine, steps: 2 })).trained, 1)
        const { trained: other } = await seen(make(), shape, x, { engine, seed: SEED + 1 })
        assert.notDeepEqual(other, trained)
      })
  })

suite('moments', () => {
  const many = 20000
  const momentsOf = (x: Float32Array) => {
    const mean = x.reduce((a, b) => a + b, 0) / x.length
    return { mean, variance: x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length }
  }
  const within = (got: number, wanted: number, tolerance: number) =>
    assert.ok(Math.abs(got - wanted) < tolerance, `${got}, not ${wanted}`)

  test("alphaDropout keeps mean 0 and variance 1; of zeros at 0.5 it makes Keras's +-0.7792", async () => {
    const normal = normals({ seed: 1, stream: 9, step: 0 }, many)
    for (const rate of [0.1, 0.5, 0.9]) {
      const { trained } = await seen(alphaDropout({ rate }), [many], normal, { engine: 'wasm' })
      const { mean, variance } = momentsOf(trained)
      within(mean, 0, 5 / Math.sqrt(many))
      within(variance, 1, 0.06)
    }
    const { trained } = await seen(alphaDropout({ rate: 0.5 }), [many], new Float32Array(many), { engine: 'wasm' })
    for (const value of trained) within(Math.abs(value), 0.7792, 1e-4)
    within(trained.filter((value) => value < 0).length / many, 0.5, 5 * Math.sqrt(0.25 / many))
  })

  test('gaussian: mean x, the deviation that was asked for', async () => {
    const ones = new Float32Array(many).fill(1)
    const noise = momentsOf((await seen(gaussianNoise({ stddev: 2 }), [many], ones, { engine: 'wasm' })).trained)
    within(noise.mean, 1, 10 / Math.sqrt(many))
    within(noise.variance, 4, 5 * 4 * Math.sqrt(2 / many))
    const rate = 0.2
    const drop = momentsOf((await seen(gaussianDropout({ rate }), [many], ones, { engine: 'wasm' })).trained)
    within(drop.mean, 1, 2.5 / Math.sqrt(many))
    within(drop.variance, rate / (1 - rate), 5 * 0.25 * Math.sqrt(2 / many)) // that of a dropout
  })

  test('spatialDropout: a channel goes or stays whole, with its rate', async () => {
    const ones = new Float32Array(2 * 4000).fill(1)
    const { trained } = await seen(spatialDropout1d({ rate: 0.25 }), [2, 4000], ones, { engine: 'wasm' })
    const [first, second] = [trained.slice(0, 4000), trained.slice(4000)]
    assert.deepEqual(first, second)
    within(first.filter((value) => value === 0).length / 4000, 0.25, 5 * Math.sqrt(0.1875 / 4000))
  })
})

test('a rate of 0 and a deviation of 0 do nothing', async () => {
  const x = ladder(12, 1)
  const [spatial, others] = [
    [spatialDropout2d({ rate: 0 })],
    [alphaDropout({ rate: 0 }), gaussianNoise({ stddev: 0 }), gaussianDropout({ rate: 0 })],
  ]
  for (const layer of [...spatial, ...others])
    assert.deepEqual((await seen(layer, [2, 2, 3], x, { engine: 'wasm' })).trained, x)
})

test('the gradient of alphaDropout is its scale where a value was kept', async () => {
  const net = (layer: Layer) => {
    const x = input([64], { name: 'x' })
    return model(x, dense({ units: 1, useBias: false })(layer(dense({ units: 64, name: 'inner', useBias: false })(x))))
  }
  const kernels = async (layer: Layer) => {
    const one = net(layer)
    const start = (await one.weights())['inner/kernel'] as Float32Array
    const data = fromArrays({
      name: 'one',
      inputs: { x: { shape: [64], data: new Float32Array(64).fill(1) } },
      targets: { y: { shape: [1], data: Float32Array.of(3) } },
    })
    await one.fit(data, { batchSize: 1, learningRate: 1e-2, optimizer: 'sgd', loss: 'meanSquaredError', seed: SEED })
    const now = (await one.weights())['inner/kernel'] as Float32Array
    return start.map((value, i) => now[i] - value)
  }
  const moved = await kernels(alphaDropout({ rate: 0.5 }))
  const drawn = uniforms({ seed: SEED, stream: stream('dropout', 1), step: 0 }, 64) // the second of three layers
  for (let unit = 0; unit < 64; unit++) assert.equal(moved[unit] !== 0, drawn[unit] >= 0.5, `unit ${unit}`)
})

suite('what is refused', () => {
  const wrong: readonly [string, () => unknown, 'E_OPTION' | 'E_SHAPE', ...string[]][] = [
    ['a rate of 1', () => spatialDropout2d({ rate: 1 }), 'E_OPTION', "'rate' is wrong", '>= 0 and < 1'],
    ['a rate below 0', () => alphaDropout({ rate: -0.1 }), 'E_OPTION', "'rate' is wrong"],
    ['gaussianDropout by 1', () => gaussianDropout({ rate: 1 }), 'E_OPTION', "'rate' is wrong"],
    ['a deviation below 0', () => gaussianNoise({ stddev: -1 }), 'E_OPTION', "'stddev' is wrong", '>= 0'],
    ['samples of another rank', () => spatialDropout2d({ rate: 0.5 })(input([4, 3])), 'E_SHAPE', 'images'],
  ] // biome-ignore format: rows
  for (const [what, make, code, ...says] of wrong)
    test(what, () => {
      assert.throws(make, failure(code, ...says))
    })
})
