import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { dataHash } from '../../src/data/data-hash.ts'
import { type ArraysOfSamples, fromArrays } from '../../src/data/in-memory.ts'
import { subset } from '../../src/data/subset.ts'

const pixels = (count: number): Uint8Array => Uint8Array.from({ length: count * 4 }, (_, i) => i * 7)
const labels = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i % 3)
const made = (count: number, change: Partial<ArraysOfSamples> = {}): ArraysOfSamples => ({
  name: 'some',
  inputs: { image: { shape: [2, 2], data: pixels(count) } },
  targets: { label: { shape: [], data: labels(count) } },
  classNames: ['a', 'b', 'c'],
  ...change,
})
const hashOf = (count: number, change: Partial<ArraysOfSamples> = {}): Promise<string> =>
  dataHash(fromArrays(made(count, change)))

test('data hash: as documented, by hand', async () => {
  const hex = (of: Uint8Array | string) => createHash('sha256').update(of).digest('hex')
  const about = '["some",40,[["image",[2,2],"uint8"]],[["label",[],"int32"]],["a","b","c"]]'
  const little = (values: Int32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const parts = [0, 32].flatMap((from) => [
    hex(pixels(40).subarray(from * 4, (from + 32) * 4)),
    hex(little(labels(40).subarray(from, from + 32))),
  ])
  assert.equal(await hashOf(40), hex([hex(about), ...parts].join('')))
})

test('data hash: 256 samples from the first to the last', async () => {
  const seen = new Set<number>()
  const data = fromArrays(made(1000))
  await dataHash({
    ...data,
    async read(indices, into) {
      for (const index of Array.from(indices)) seen.add(index)
      await data.read(indices, into)
    },
  })
  const gaps = [...seen].map((index, i, all) => index - (all[i - 1] ?? -1))
  assert.equal(seen.size, 256)
  assert.ok(seen.has(0) && seen.has(999) && gaps.every((gap) => gap >= 1 && gap <= 4), gaps.join())
})

const changes: [name: string, change: Partial<ArraysOfSamples>][] = [
  ['the name', { name: 'other' }],
  ['a class name', { classNames: ['a', 'b', 'd'] }],
  ['no class names', { classNames: undefined as never }],
  ['a shape', { inputs: { image: { shape: [4], data: pixels(300) } } }],
  ['a dtype', { inputs: { image: { shape: [2, 2], data: Int32Array.from(pixels(300)) } } }],
  ["a field's name", { inputs: { picture: { shape: [2, 2], data: pixels(300) } } }],
  ['the last label', { targets: { label: { shape: [], data: labels(300).with(299, 0) } } }],
  ['the first pixel', { inputs: { image: { shape: [2, 2], data: pixels(300).with(0, 1) } } }],
]
for (const [name, change] of changes) {
  test(`data hash: sees ${name}`, async () => assert.notEqual(await hashOf(300, change), await hashOf(300)))
}

test('data hash: sees the number of samples; not the order of fields; works on one sample', async () => {
  assert.notEqual(await hashOf(299), await hashOf(300))
  const [a, b] = [1, 2].map((value) => ({ shape: [1], data: Uint8Array.of(value, value) }))
  assert.equal(await hashOf(2, { inputs: { a, b } }), await hashOf(2, { inputs: { b, a } }))
  assert.match(await hashOf(1), /^[0-9a-f]{64}$/)
  assert.equal(await dataHash(subset(fromArrays(made(9)), [0, 1])), await hashOf(2))
})
