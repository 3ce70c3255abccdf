/** Models made and dropped by the hundred. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { layers, type Model, sequential, take } from '../../src/index.ts'
import { available } from '../support/require.ts'
import { train } from '../support/small-model.ts'

const { flatten, dense } = layers

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const few = take(train, 32)

type EngineName = 'wasm' | 'native'
const engines = [
  { engine: 'wasm', models: 200, skip: false },
  { engine: 'native', models: 120, skip: available('native').skip },
] as const

/** 2.4 MB with its optimizer: 70 of them that stayed would be seen. */
const made = (engine: EngineName, seed: number): Model =>
  sequential({ inputShape: [28, 28, 1], seed, engine, threads: 2 }, [
    flatten(),
    dense({ units: 256, kernelInitializer: 'zeros' }),
    dense({ units: 10 }),
  ])

/** What the engine takes: the end of its memory, or where it has none of its own, what the process takes. */
async function engineBytes(net: Model): Promise<number> {
  const probe = (await net.engine()).create({ shape: [2 ** 23], dtype: 'float32' }) // beyond all gaps
  const { address } = probe as unknown as { address?: number }
  probe.close()
  return address ?? process.memoryUsage().rss
}

/** What is taken once all that can be forgotten is. */
async function taken(net: Model): Promise<{ heap: number; engine: number }> {
  for (let turn = 0; turn < 5; turn++) {
    collect()
    await setTimeout(10) // registries hear of it in a task of their own
  }
  return { heap: process.memoryUsage().heapUsed, engine: await engineBytes(net) }
}

const ends = [
  ['closed', (net: Model) => net.close()],
  ['dropped', () => Promise.resolve()],
] as const
for (const { engine, models, skip } of engines) {
  for (const [how, end] of ends) {
    test(`${engine}: ${models} models made, trained, asked and ${how} take no more memory than 50`, {
      skip,
    }, async () => {
      const use = async (seed: number): Promise<void> => {
        const net = made(engine, seed)
        await net.fit(few, { batchSize: 16 })
        await net.predict(new Uint8Array(784))
        await end(net)
      }
      const witness = made(engine, 0)
      let before = { heap: 0, engine: 0 }
      for (let i = 0; i < models; i++) {
        await use(i)
        if (i % 10 === 9) collect()
        if (i === 49) before = await taken(witness)
      }
      const grown = async (): Promise<[heap: number, engine: number]> => {
        const after = await taken(witness)
        return [(after.heap - before.heap) / 1e6, (after.engine - before.engine) / 1e6]
      }
      let [heap, own] = await grown()
      // what is dropped is given back when the host finds the time
      for (let tries = 0; tries < 50 && !(heap < 20 && own < 40); tries++) [heap, own] = await grown()
      assert.ok(heap < 20 && own < 40, `grown by ${heap.toFixed(1)} MB of heap, ${own.toFixed(1)} MB of the engine`)
    })
  }
}
