/** `trainOnBatch`: the steps of `fit`, one by one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TrainOnBatchOptions } from '../../src/index.ts'
import { fromArrays, layers, sequential } from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const x = Float32Array.from({ length: 12 * 4 }, (_, i) => Math.sin(i))
const y = Int32Array.from({ length: 12 }, (_, i) => i % 3)
const data = () =>
  fromArrays({ name: 'data', inputs: { x: { shape: [4], data: x } }, targets: { y: { shape: [], data: y } } })
const make = () =>
  sequential({ inputShape: [4], seed: 2, engine: 'reference' }, [
    layers.dense({ units: 8, activation: 'relu' }),
    layers.dropout({ rate: 0.25 }),
    layers.batchNormalization(),
    layers.dense({ units: 3 }),
  ])

for (const options of [
  {},
  { optimizer: { type: 'sgd', momentum: 0.9, gradientAccumulationSteps: 2 }, learningRate: 0.1 },
  { optimizer: 'adamax', metrics: ['accuracy'], seed: 4 },
] as const satisfies TrainOnBatchOptions[]) {
  test(`steps on batches are the steps of fit: ${JSON.stringify(options)}`, async () => {
    const [fitted, stepped] = [make(), make()]
    const logs: number[] = []
    await fitted.fit(data(), {
      ...options,
      epochs: 3,
      batchSize: 4,
      shuffle: false,
      callbacks: [{ onBatchEnd: ({ batchLogs }) => void logs.push(batchLogs['loss'], batchLogs['accuracy']) }],
    })
    const own: number[] = []
    for (let step = 0; step < 9; step++) {
      const at = step % 3
      const log = await stepped.trainOnBatch(x.subarray(at * 16, at * 16 + 16), y.subarray(at * 4, at * 4 + 4), options)
      assert.deepEqual(Object.keys(log).sort(), ['accuracy', 'loss'])
      own.push(log['loss'], log['accuracy'])
    }
    assert.deepEqual(own, logs)
    assert.deepEqual(await stepped.weights(), await fitted.weights())
    assert.equal((await stepped.predict(x.subarray(0, 4))).outputs['output'].data.length, 3)
  })
}

test('weights of samples, and a model that sees its first batch', async () => {
  const net = make()
  const sampleWeight = Float32Array.of(0, 0, 1, 0)
  const one = await net.trainOnBatch(x.subarray(0, 16), y.subarray(0, 4), { sampleWeight, learningRate: 0 })
  const all = await net.trainOnBatch(x.subarray(0, 16), y.subarray(0, 4), { learningRate: 0 })
  assert.ok(one['loss'] > 0 && one['loss'] < all['loss'])
  const nothing = { sampleWeight: new Float32Array(4), learningRate: 0 }
  assert.equal((await net.trainOnBatch(x.subarray(0, 16), y.subarray(0, 4), nothing))['loss'], 0)
})

for (const [what, options, says] of [
  ['a schedule', { learningRate: { type: 'cosineDecay', initialLearningRate: 1 } }, "'learningRate'"],
  [
    'a schedule of the optimizer',
    { optimizer: { type: 'sgd', learningRate: { type: 'cosineDecay', initialLearningRate: 1 } } },
    'a schedule needs',
  ],
  ['averages', { optimizer: { type: 'sgd', useEma: true } }, "'useEma'"],
  ['an option of fit alone', { epochs: 2 }, "'epochs'"],
] as const) {
  test(`refused: ${what}`, async () => {
    await assert.rejects(make().trainOnBatch(x, y, options as never), failure('E_OPTION', says))
  })
}

test('what does not fit is refused, and what is not finite changes nothing', async () => {
  const net = make()
  const before = await net.weights()
  await assert.rejects(net.trainOnBatch(x.subarray(0, 7), y.subarray(0, 2)), failure('E_SHAPE'))
  await assert.rejects(
    net.trainOnBatch(
      x.map(() => Number.NaN),
      y,
    ),
    failure('E_NONFINITE'),
  )
  assert.deepEqual(await net.weights(), before)
})
