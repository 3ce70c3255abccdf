/** How many programs a session keeps: as many as a share of the engine's memory holds. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Engine } from '../../src/compile/engine.ts'
import type { Program } from '../../src/compile/program.ts'
import { openEngine } from '../../src/engines/index.ts'
import { input, variable } from '../../src/graph/node.ts'
import { layers, sequential } from '../../src/index.ts'
import { Session } from '../../src/network/session.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { fastEngines } from '../support/engines.ts'

const { network } = sequential({ inputShape: [8] }, [layers.dense({ units: 4 })])

for (const name of ['reference', ...fastEngines] as const)
  suite(`programs on ${name}`, () => {
    /** A session on the engine, as if it had only so many bytes. */
    async function opened(memoryLimit?: number): Promise<{ get: (size: number) => Promise<Program>; engine: Engine }> {
      const engine = await openEngine({ engine: name, threads: 1 })
      const limited = Object.create(engine, memoryLimit === undefined ? {} : { memoryLimit: { value: memoryLimit } })
      const session = await Session.open(network, limited, 0)
      const product = (size: number) => matmul(input('x', [size, 8]), variable('dense/kernel', [8, 4]))
      return { engine, get: (size) => session.program(`${size}`, () => ({ outputs: { y: product(size) } })) }
    }

    test('thirty small batch sizes in turn are compiled once each', async () => {
      const { get, engine } = await opened()
      const sizes = Array.from({ length: 30 }, (_, i) => i + 1)
      const programs = await Promise.all(sizes.map(get))
      for (const round of [1, 2]) {
        for (const [i, size] of sizes.entries()) assert.ok((await get(size)) === programs[i], `${size}, round ${round}`)
      }
      await engine.close()
    })

    test('large ones are bounded: those unused for longest leave first, the last ones used stay', async () => {
      const sizes = Array.from({ length: 12 }, (_, i) => 2000 + i)
      const { get, engine } = await opened(400_000) // of which a quarter is not enough for the arena and four plans
      const programs = await Promise.all(sizes.map(get))
      const isKept = async (i: number): Promise<boolean> => (await get(sizes[i])) === programs[i]
      assert.deepEqual([await isKept(11), await isKept(8)], [true, true]) // two of four that stay
      assert.deepEqual([await isKept(0), await isKept(7), await isKept(8)], [false, false, true])
      await engine.close()
    })
  })
