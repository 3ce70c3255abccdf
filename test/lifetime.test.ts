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

/** Bytes of the process after what can be forgotten is. */
async function footprint(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await setTimeout(5) // registries hear of it in a task of their own
  }
  return process.memoryUsage().rss
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
    let after50 = 0
    for (let i = 0; i < 200; i++) {
      await use(i)
      if (i % 10 === 9) collect()
      if (i === 49) after50 = await footprint()
    }
    const grown = (await footprint()) - after50
    assert.ok(grown < 64e6, `grown by ${(grown / 1e6).toFixed(1)} MB`)
  })
}
