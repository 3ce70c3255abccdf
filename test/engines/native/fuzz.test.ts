/** Descriptions changed by chance: FOVEA_FUZZ says how often, of each kind. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { errorCodes } from '../../../src/base/errors.ts'
import { available } from '../../support/require.ts'
import { uniform } from '../../support/tensors.ts'
import { descriptions, runAlone, skipFor, theAddon } from './descriptions.ts'
import type { Wrong } from './refused.ts'

const { skip } = available('native')

/** Changes of any kind in a description, by chance; the same ones at every run. */
function mutated(right: Wrong, draw: () => number): Wrong {
  const one = <T>(choices: readonly T[]): T => choices[Math.floor(draw() * choices.length)]
  const strange = [undefined, null, true, '', {}, [], NaN, Infinity, -1, 0, 0.5, 2 ** 31, 2 ** 46, 1e300]
  const words = ['float32', 'bfloat16', 'int32', 'uint8', 'forward', 'input', 'kernel', 'whole', 'column', 'scalar', 'general', 'maxPool', 'averagePoolGradient'] // biome-ignore format: a row
  const changed = structuredClone(right)
  for (let times = 1 + Math.floor(draw() * 2); times > 0; times--) {
    let at = changed
    let key = one(Object.keys(at))
    while (typeof at[key] === 'object' && at[key] !== null && Object.keys(at[key]).length > 0 && draw() < 0.85) {
      at = at[key]
      key = one(Object.keys(at))
    }
    const old = at[key]
    if (draw() < 0.12) at[key] = one(strange)
    else if (typeof old === 'number')
      at[key] = one([old - 1, old + 1, old * 2, Math.floor(old / 2), 0, 1, 2, 3, 17, 512])
    else if (typeof old === 'string' && key !== 'kind') at[key] = one(words)
    else if (typeof old === 'boolean') at[key] = !old
    else if (Array.isArray(old)) at[key] = one([[...old, ...old], old.slice(1), old.toReversed(), [...old, 1]])
    else delete at[key]
  }
  return changed
}

suite('native: descriptions changed by chance come to a result or an error', { skip }, () => {
  const machine = new (theAddon().Engine)(2)
  after(() => machine.close())
  const times = Number(process.env['FOVEA_FUZZ'] ?? 150)
  /** Multiplications and the like: a program that would take minutes says nothing. */
  const work = ({ kind, m, n, k, y, kernel, sizes, head, count = 1, depth = 1, rows = 1 }: Wrong): number => {
    const product = (list: unknown) => (Array.isArray(list) ? list.reduce((a, b) => a * b, 1) : 1)
    return kind === 'matmul'
      ? m * n * k
      : product(y) * product(kernel) * product(sizes ?? head?.sizes) * count * depth * rows
  }
  for (const [where, right] of Object.entries(descriptions)) {
    test(where, { skip: skipFor(right) }, async (t) => {
      const draw = uniform(where.length * 7919)
      const ends = { ran: 0, refused: 0 }
      for (let i = 0; i < times; i++) {
        const changed = mutated(right, draw)
        try {
          const operation = machine.operation(changed)
          const bytes = operation.operandBytes.reduce((a, b) => a + b, 0)
          if (bytes > 2 ** 24 || !(work(changed) < 1e8)) continue
          await runAlone(machine, operation, (size) => Uint8Array.from({ length: size }, () => draw() * 256))
          ends.ran++
        } catch (error) {
          const { code = '' } = error as { code?: string }
          assert.ok(Object.hasOwn(errorCodes, code), `${JSON.stringify(changed)}: ${error}`)
          ends.refused++
        }
      }
      t.diagnostic(`${ends.ran} ran, ${ends.refused} were refused`)
      await runAlone(machine, machine.operation(right))
    })
  }
})
