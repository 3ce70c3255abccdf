/** Training on the native engine: as on wasm from equal seeds, the same bytes again, and in bfloat16 as near as it can be. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { FitOptions, Model } from '../../../src/index.ts'
import { layers, sequential, zoo } from '../../../src/index.ts'
import { available } from '../../support/require.ts'
import { train } from '../../support/small-model.ts'
import { descriptions, skipFor } from './descriptions.ts'

const { skip } = available('native')
const { batchNormalization, conv2d, dense, dropout, flatten, maxPooling2d } = layers

/** All that draws masks, counts and keeps statistics. */
const withMasks = (): Model =>
  sequential({ inputShape: [28, 28, 1], seed: 3 }, [
    conv2d({ filters: 8, kernelSize: 5, strides: 2, useBias: false }),
    batchNormalization(),
    maxPooling2d(),
    dropout({ rate: 0.25 }),
    flatten(),
    dense({ units: 24, activation: 'relu' }),
    dropout({ rate: 0.5 }),
    dense({ units: 10 }),
  ])
const nets: Readonly<Record<string, () => Model>> = {
  'a net with dropout and batch normalisation': withMasks,
  lenet: () => zoo.lenet({ seed: 3 }),
}

/** The loss of each of the first 20 steps, and the model then. */
async function twenty(net: Model, options: FitOptions): Promise<{ losses: number[]; bytes: Uint8Array }> {
  const losses: number[] = []
  const callbacks = [{ onBatchEnd: ({ batchLogs }: { batchLogs: Readonly<Record<string, number>> }) => void losses.push(batchLogs['loss']) }] // biome-ignore format: a row
  await net.fit(train, { steps: 20, batchSize: 16, seed: 11, optimizer: { type: 'sgd', learningRate: 0.05 }, threads: 2, callbacks, ...options }) // biome-ignore format: a row
  assert.equal(losses.length, 20)
  return { losses, bytes: await net.toBytes() }
}

suite('native: training', { skip }, () => {
  for (const [name, make] of Object.entries(nets)) {
    test(`${name}: each of 20 losses is that of wasm to 1e-4`, async (t) => {
      const [native, wasm] = [await twenty(make(), { engine: 'native' }), await twenty(make(), { engine: 'wasm' })]
      const off = native.losses.map((loss, i) => Math.abs(loss - wasm.losses[i]))
      t.diagnostic(`at most ${Math.max(...off).toExponential(2)} off; the last loss is ${native.losses[19]}`)
      assert.ok(Math.max(...off) < 1e-4, `${native.losses} and ${wasm.losses}`)
    })

    test(`${name}: in bfloat16 20 losses stay near those in float32`, {
      skip: skipFor(descriptions['convolution in bfloat16']),
    }, async (t) => {
      // biome-ignore format: a row
      const precision = 'mixed_bfloat16'
      const [low, full] = [await twenty(make(), { engine: 'native', precision }), await twenty(make(), { engine: 'native' })] // biome-ignore format: a row
      const off = low.losses.map((loss, i) => Math.abs(loss - full.losses[i]) / full.losses[i])
      t.diagnostic(`${off.map((x) => x.toExponential(1)).join(' ')}`)
      assert.notDeepEqual(low.losses, full.losses)
      assert.ok(off[0] < 2 ** -8, `the first is off by ${off[0]}: ${low.losses[0]}, not ${full.losses[0]}`)
      assert.ok(Math.max(...off) < 0.05, `${low.losses} and ${full.losses}`)
    })

    for (const precision of ['float32', 'mixed_bfloat16'] as const) {
      for (const threads of [1, 2]) {
        test(`${name}: the same seed and threads give the same bytes, ${precision}, ${threads}`, async () => {
          const options = { engine: 'native', precision, threads } as const
          const [first, second] = [await twenty(make(), options), await twenty(make(), options)]
          assert.deepEqual(second, first)
          assert.notDeepEqual((await twenty(make(), { ...options, seed: 12 })).bytes, first.bytes)
        })
      }
    }
  }

  test('auto takes it', async () => {
    assert.equal((await withMasks().engine()).name, 'native')
  })
})
