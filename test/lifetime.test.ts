/** Models made and dropped by the hundred. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { layers, type Model, sequential, take } from '../src/index.ts'
import { train } from './small-model.ts'

const { flatten, dense } = layers

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const few = take(train, 32)

/** 2.4 MB with its optimizer: 150 of them that stayed would be seen. */
const made = (seed: number): Model =>
  sequential({ inputShape: [28, 28, 1], seed, threads: 2 }, [
    flatten(),
    dense({ units: 256, kernelInitializer: 'zeros' }),
    dense({ units: 10 }),
  ])

/** What is taken once all that can be forgotten is: bytes of JavaScript's heap, and the end of the engine's memory. */
async function taken(net: Model): Promise<{ heap: number; engine: number }> {
  for (let turn = 0; turn < 5; turn++) {
    collect()
    await setTimeout(10) // registries hear of it in a task of their own
  }
  const probe = (await net.engine()).create({ shape: [2 ** 23], dtype: 'float32' }) // beyond all gaps
  const { address } = probe as unknown as { address: number }
  probe.close()
  return { heap: process.memoryUsage().heapUsed, engine: address }
}

for (const [how, end] of [
  ['closed', (net: Model) => net.close()],
  ['dropped', () => Promise.resolve()],
] as const) {
  test(`200 models made, trained, asked and ${how} take no more memory than 50`, async () => {
    const use = async (seed: number): Promise<void> => {
      const net = made(seed)
      await net.fit(few, { batchSize: 16 })
      await net.predict(new Uint8Array(784))
      await end(net)
    }
    const witness = made(0)
    let before = { heap: 0, engine: 0 }
    for (let i = 0; i < 200; i++) {
      await use(i)
      if (i % 10 === 9) collect()
      if (i === 49) before = await taken(witness)
    }
    const after = await taken(witness)
    const [heap, engine] = [(after.heap - before.heap) / 1e6, (after.engine - before.engine) / 1e6]
    assert.ok(heap < 20 && engine < 20, `grown by ${heap.toFixed(1)} MB of heap, ${engine.toFixed(1)} MB of the engine`)
  })
}
