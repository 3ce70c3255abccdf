/** What is measured of a step on a copy of the model: its stages, and its speed by batch size. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { layers, sequential } from '../../src/index.ts'
import { nearlyFastest } from '../../src/training/find-batch-size.ts'
import { timed } from '../../src/training/profile.ts'
import { failure } from '../support/failure.ts'
import { available } from '../support/require.ts'
import { points, tiny } from '../support/tiny-model.ts'

const { dense, globalAveragePooling1d, repeatVector } = layers

for (const engine of ['reference', 'wasm', 'native'] as const) {
  suite(`measured on ${engine}`, { skip: engine === 'native' && available('native').skip }, () => {
    for (const mode of ['train', 'predict'] as const) {
      test(`profile of ${mode}: what each stage takes, in their order; the model stays as it is`, async () => {
        await using model = tiny()
        const before = await model.weights()
        const found = await model.profile(points(20), { mode, engine, batchSize: 8, steps: 3 })
        assert.deepEqual([found.mode, found.batchSize], [mode, 8])
        assert.ok(found.seconds > 0 && Math.abs(found.imagesPerSecond * found.seconds - 8) < 1e-6)
        assert.ok(found.stages.length > 1 && found.stages.every(({ seconds }) => seconds >= 0))
        const total = found.stages.reduce((sum, { share }) => sum + share, 0)
        assert.ok(Math.abs(total - 1) < 1e-9, `${total}`)
        const products = new Set(found.stages.flatMap(({ name }) => /^matmul[^a-z]*/.exec(name)?.[0] ?? []))
        assert.ok(
          mode === 'train' ? products.size >= 2 : products.size === 1,
          found.stages.map(({ name }) => name).join(),
        )
        assert.deepEqual(await model.weights(), before)
      })
    }
  })
}

test('findBatchSize: sizes that double, to the end of the data', async () => {
  await using model = tiny()
  const before = await model.weights()
  const { sizes, suggestion, ended } = await model.findBatchSize(points(20), { from: 4, to: 64, steps: 2 })
  assert.deepEqual(
    sizes.map(({ batchSize }) => batchSize),
    [4, 8, 16],
  )
  assert.equal(ended, 'the data have 20 samples')
  assert.ok(sizes.some(({ batchSize }) => batchSize === suggestion))
  const best = Math.max(...sizes.map(({ imagesPerSecond }) => imagesPerSecond))
  const taken = sizes.find(({ batchSize }) => batchSize === suggestion)
  assert.ok((taken?.imagesPerSecond ?? 0) >= 0.95 * best)
  assert.ok(sizes[0].arenaBytes < sizes[2].arenaBytes)
  assert.deepEqual(await model.weights(), before)
})

test('findBatchSize: a batch of all samples is tried, and the smallest size that is nearly as fast is taken', async () => {
  await using model = tiny()
  const { sizes, ended } = await model.findBatchSize(points(16), { from: 8, to: 32, steps: 1 })
  assert.deepEqual([sizes.at(-1)?.batchSize, ended], [16, 'the data have 16 samples'])
  const tried = (...speeds: number[]) =>
    speeds.map((imagesPerSecond, i) => ({ batchSize: 8 * 2 ** i, imagesPerSecond, arenaBytes: 0 }))
  assert.equal(nearlyFastest(tried(100, 180, 240, 250)), 32)
  assert.equal(nearlyFastest(tried(100, 180, 230, 250)), 64)
  assert.equal(nearlyFastest(tried(100, 90, 80)), 8)
})

test('findBatchSize: more memory than the engine has is no failure', async () => {
  const parts = [repeatVector({ n: 5e7 }), globalAveragePooling1d(), dense({ units: 2 })]
  await using model = sequential({ inputShape: [3], engine: 'wasm', threads: 1 }, parts)
  const refused = failure('E_OPTION', 'no batch size', 'a batch of 8 needs more memory than the engine has')
  await assert.rejects(model.findBatchSize(points(20), { from: 8, optimizer: { type: 'adam' } }), refused)
})

test('profile: data that are smaller than a batch', async () => {
  await using model = tiny()
  const { batchSize, seconds, imagesPerSecond } = await model.profile(points(5), { batchSize: 8, steps: 1 })
  assert.equal(batchSize, 5)
  assert.ok(Math.abs(imagesPerSecond * seconds - 5) < 1e-6)
})

test('a step is timed while the next one is under way, and only that one', async () => {
  let [begun, underWay, most] = [0, 0, 0]
  const run = async () => {
    begun++
    most = Math.max(most, ++underWay)
    await setTimeout(2)
    underWay--
  }
  const start = performance.now()
  const seconds = await timed(run, 10)
  const whole = (performance.now() - start) / 1000
  assert.deepEqual([begun, most, underWay], [10, 2, 0])
  assert.ok(seconds > 0 && 10 * seconds <= whole, `${seconds} of a step, ${whole} of ten`)
})

test('findBatchSize: nothing to try', async () => {
  await using model = tiny()
  const refused = failure('E_OPTION', 'no batch size', '20 samples', "smaller 'from'")
  await assert.rejects(model.findBatchSize(points(20), { from: 32 }), refused)
  await assert.rejects(model.findBatchSize(points(20), { from: 32, to: 8 }), failure('E_OPTION', "'to'", '32 to 8'))
})
