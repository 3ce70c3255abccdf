import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Draw } from '../../src/base/random.ts'
import {
  bitsAt,
  normals,
  permutation,
  philox,
  split64,
  stream,
  uniformFromBits,
  uniforms,
} from '../../src/base/random.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import { input } from '../../src/graph/node.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { randomNormal, randomUniform } from '../../src/ops/sampling.ts'
import { openFast } from '../support/engines.ts'
import { evaluate } from '../support/tensors.ts'

type Words = [number, number, number, number]
const hex = (words: readonly number[]): string => words.map((w) => w.toString(16).padStart(8, '0')).join(' ')
const words = (text: string): number[] => text.split(' ').map((word) => Number.parseInt(word, 16))

/** Random123's kat_vectors, philox4x32 with ten rounds: counter, key, result. */
const known: readonly [counter: string, key: string, result: string][] = [
  ['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
  ['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
  ['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
]
for (const [counter, key, result] of known) {
  test(`Philox 4x32-10: ${counter}`, () => {
    assert.equal(hex(philox(words(counter) as Words, words(key) as [number, number])), result)
  })
}

test('the map: key = seed, counter = (element div 4 low, high, step, stream), word = element mod 4', () => {
  const rows: readonly [draw: Draw, element: number, counter: Words, key: [number, number], word: number][] = [
    [{ seed: 0, stream: 0 }, 0, [0, 0, 0, 0], [0, 0], 0],
    [{ seed: 1, stream: 2, step: 3 }, 7, [1, 0, 3, 2], [1, 0], 3],
    [{ seed: 2 ** 40 + 5, stream: 9 }, 2 ** 34 + 6, [1, 1, 0, 9], [5, 256], 2],
    [{ seed: -1, stream: 2 ** 31, step: 2 ** 32 - 1 }, 1, [0, 0, 2 ** 32 - 1, 2 ** 31], [2 ** 32 - 1, 2 ** 32 - 1], 1],
  ]
  for (const [draw, element, counter, key, word] of rows) {
    assert.equal(bitsAt(draw, element), philox(counter, key)[word])
  }
})

test('64 bits in two words; a negative seed is its complement', () => {
  const rows: readonly [number, [number, number]][] = [
    [0, [0, 0]],
    [2 ** 32, [0, 1]],
    [Number.MAX_SAFE_INTEGER, [2 ** 32 - 1, 2 ** 21 - 1]],
    [-1, [2 ** 32 - 1, 2 ** 32 - 1]],
    [-(2 ** 32), [0, 2 ** 32 - 1]],
  ]
  for (const [value, halves] of rows) assert.deepEqual(split64(value), halves)
})

test('streams: a purpose in the high byte, its user below; the numbers are part of the format', () => {
  assert.deepEqual(
    [stream('initialize'), stream('shuffle', 1), stream('dropout', 2), stream('sample', 0xffffff)],
    [0, 0x01000001, 0x02000002, 0x05ffffff],
  )
})

const draw: Draw = { seed: 20240229, stream: stream('sample', 1) }
const count = 200_000

test('uniforms: on [0, 1), any prefix the same, moments within five standard errors', () => {
  const x = uniforms(draw, count)
  const mean = x.reduce((a, b) => a + b, 0) / count
  const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / count
  assert.ok(x.every((u) => u >= 0 && u < 1))
  assert.ok(Math.abs(mean - 1 / 2) < 5 * Math.sqrt(1 / 12 / count), `mean ${mean}`)
  assert.ok(Math.abs(variance - 1 / 12) < 5 * Math.sqrt(1 / 180 / count), `variance ${variance}`)
  assert.deepEqual(uniforms(draw, 13), x.slice(0, 13))
  assert.deepEqual([uniformFromBits(0), uniformFromBits(2 ** 32 - 1)], [0, 1 - 2 ** -24])
})

test('normals: moments of the first four orders within five standard errors; an odd count is a prefix', () => {
  const x = normals(draw, count)
  const moment = (order: number) => x.reduce((a, b) => a + b ** order, 0) / count
  const rows: readonly [order: number, wanted: number, variance: number][] = [
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
  ]
  for (const [order, wanted, variance] of rows) {
    assert.ok(Math.abs(moment(order) - wanted) < 5 * Math.sqrt(variance / count), `order ${order}: ${moment(order)}`)
  }
  assert.deepEqual(normals(draw, 7), x.slice(0, 7))
})

test('permutation: every number once; uniform; another one for another seed, step or stream', () => {
  for (const n of [0, 1, 2, 3, 10, 1001]) {
    const order = permutation(draw, n)
    assert.deepEqual(
      [...order].sort((a, b) => a - b),
      Array.from({ length: n }, (_, i) => i),
    )
  }
  const texts = [draw, { ...draw, seed: 1 }, { ...draw, step: 1 }, { ...draw, stream: 1 }].map((d) =>
    permutation(d, 20).join(),
  )
  assert.equal(new Set(texts).size, 4)
  const times = new Map<string, number>()
  for (let step = 0; step < 6000; step++) {
    const text = permutation({ ...draw, step }, 3).join()
    times.set(text, (times.get(text) ?? 0) + 1)
  }
  assert.equal(times.size, 6)
  for (const [text, n] of times) assert.ok(Math.abs(n - 1000) < 5 * Math.sqrt(1000 * (5 / 6)), `${text}: ${n}`)
})

suite('random ops equal base/random.ts element by element', async () => {
  const engines = [referenceEngine(), ...(await openFast())]
  after(() => Promise.all(engines.map((engine) => engine.close())))
  const rows: readonly { shape: number[]; seed: number; step: number; row: number; stream: number }[] = [
    { shape: [4, 8], seed: 1, step: 0, row: 0, stream: 0 },
    { shape: [3, 5], seed: 20240229, step: 7, row: 1, stream: stream('dropout', 3) },
    { shape: [3, 5], seed: 2 ** 40 + 3, step: 2 ** 31 - 1, row: 2, stream: 1 },
    { shape: [5, 3, 3], seed: 5, step: 1, row: 7, stream: stream('sample') },
    { shape: [1], seed: 9, step: 2, row: 3, stream: 5 },
    { shape: [7, 1], seed: 9, step: 2, row: 6, stream: 5 },
    { shape: [2, 301], seed: 9, step: 2, row: 1_000_000, stream: 5 },
    { shape: [1, 1001], seed: 9, step: 2, row: 17_179_869, stream: 5 }, // from element 2^34 on: the counter's high word
    { shape: [2, 8], seed: 9, step: 2, row: 2 ** 31 - 1, stream: 5 }, // the counter's low word wraps within a vector
    { shape: [300, 401], seed: -3, step: 2, row: 5, stream: 2 ** 31 + 5 },
    { shape: [], seed: 9, step: 2, row: 0, stream: 5 },
  ]
  for (const { shape, seed, step, row, stream } of rows) {
    test(`[${shape}] from row ${row}`, async () => {
      const key = input('key', [4], 'int32')
      const attrs = { shape, stream }
      const outputs = { u: randomUniform(key, attrs), n: randomNormal(key, attrs) }
      const values = { key: Int32Array.of(...split64(seed).map((word) => word | 0), step, row) }
      const [reference, ...fast] = await Promise.all(engines.map((engine) => evaluate(engine, { outputs }, values)))
      const total = sizeOf(shape)
      const first = row * (total / (shape[0] ?? 1))
      const draw = { seed, step, stream }
      for (let i = 0; i < total; i++) {
        const u = uniformFromBits(bitsAt(draw, first + i))
        assert.equal(reference.u[i], u, `uniform ${i}`)
        for (const own of fast) {
          assert.equal(own.u[i], u, `uniform ${i}`)
          assert.ok(Math.abs(own.n[i] - reference.n[i]) < 4e-6, `normal ${i}: ${own.n[i]}, not ${reference.n[i]}`)
        }
      }
      if (row > 0) return
      const wanted = normals(draw, total)
      for (let i = 0; i < total; i++) assert.equal(Math.fround(reference.n[i]), wanted[i], `normal ${i}`)
    })
  }

  test('a batch cut in two is the same batch', async () => {
    const key = input('key', [4], 'int32')
    for (const engine of engines) {
      for (const op of [randomUniform, randomNormal]) {
        const part = async (rows: number, row: number) => [
          ...(
            await evaluate(
              engine,
              { outputs: { y: op(key, { shape: [rows, 3, 5], stream: 4 }) } },
              { key: Int32Array.of(8, 0, 2, row) },
            )
          ).y,
        ]
        assert.deepEqual([...(await part(3, 0)), ...(await part(4, 3))], await part(7, 0))
      }
    }
  })
})
