/** A network of 1,000 trained tensors trains on every engine: none of its limits is met. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromArrays, layers, sequential } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'

const data = fromArrays({
  name: 'pairs',
  inputs: { x: { shape: [2], data: Float32Array.of(0.5, 0.1, 0.2, 0.7) } },
  targets: { y: { shape: [], data: Int32Array.of(0, 1) } },
})

for (const engine of ['reference', ...fastEngines] as const) {
  test(`1,000 trained tensors: ${engine}`, async () => {
    const dense = Array.from({ length: 500 }, (_, i) =>
      layers.dense({ units: 2, kernelInitializer: 'orthogonal', name: `dense${i}` }),
    )
    const net = sequential({ inputShape: [2], seed: 1, threads: 1, engine }, dense)
    const before = await net.weights()
    assert.equal(Object.keys(before).length, 1000)
    const { history } = await net.fit(data, { epochs: 2, batchSize: 2, optimizer: { type: 'sgd', learningRate: 0.01 } })
    assert.ok(history['loss'].every(Number.isFinite))
    const after = await net.weights()
    const moved = Object.keys(before).filter((name) => after[name].some((w, i) => w !== before[name][i]))
    assert.ok(moved.length > 900, `${moved.length} have moved`)
    await net.close()
  })
}
