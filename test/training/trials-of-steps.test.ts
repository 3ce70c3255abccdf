/** What is measured of a step on a copy of the model: its stages, and its speed by batch size. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { failure } from '../support/failure.ts'
import { available } from '../support/require.ts'
import { points, tiny } from '../support/tiny-model.ts'

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

test('findBatchSize: nothing to try', async () => {
  await using model = tiny()
  const refused = failure('E_OPTION', 'no batch size', '20 samples', "smaller 'from'")
  await assert.rejects(model.findBatchSize(points(20), { from: 32 }), refused)
  await assert.rejects(model.findBatchSize(points(20), { from: 32, to: 8 }), failure('E_OPTION', "'to'", '32 to 8'))
})
