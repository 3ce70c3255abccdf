import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { FoveaError } from '../../src/base/errors.ts'
import { readSafetensors, writeSafetensors } from '../../src/files/safetensors.ts'
import { type Checkpoint, checkpointFromBytes, checkpointToBytes } from '../../src/saved/checkpoint.ts'
import { exactJsonFromText, exactJsonToText, type JsonObject } from '../../src/saved/exact-json.ts'
import { failure } from '../support/failure.ts'

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** Every dtype, odd shapes, odd names, and numbers that are lost easily. */
const rich: Checkpoint = {
  tensors: {
    'dense/kernel': { shape: [2, 3], data: Float32Array.of(1, -0, NaN, Infinity, 1e-45, Math.fround(0.1)) },
    'a view': { shape: [2], data: new Float32Array([9, 1, 2, 9]).subarray(1, 3) },
    step: { shape: [], data: Int32Array.of(-(2 ** 31)) },
    pixels: { shape: [1, 3], data: Uint8Array.of(0, 128, 255) },
    exact: { shape: [2, 3], data: Float64Array.of(0.1, -0, 5e-324, -Infinity, NaN, 2 ** 53 - 1) },
    scalar: { shape: [], data: Float64Array.of(Math.PI) },
    'exact view': { shape: [1], data: new Float64Array([9, 1 / 3]).subarray(1) },
    none: { shape: [0, 5], data: new Float32Array() },
    sha256: { shape: [1], data: Uint8Array.of(1) },
    '\uffff': { shape: [1], data: Uint8Array.of(2) },
    '"\\ \ud800': { shape: [1], data: Uint8Array.of(3) },
    '': { shape: [1], data: Uint8Array.of(4) },
  },
  facts: { step: 7, sums: [0.1 + 0.2, 1e308], text: '"sha256":"\\', nested: { none: null, yes: true, list: [[], {}] } },
}

test('checkpoint: everything comes back to the bit', async () => {
  const back = await checkpointFromBytes(await checkpointToBytes(rich), 'f')
  assert.deepEqual(back.facts, rich.facts)
  assert.deepEqual(Object.keys(back.tensors).sort(), Object.keys(rich.tensors).sort())
  for (const [name, { shape, data }] of Object.entries(rich.tensors)) {
    const got = back.tensors[name]
    assert.deepEqual(got.shape, shape, name)
    assert.equal(got.data.constructor, data.constructor, name)
    assert.deepEqual(bytesOf(got.data), bytesOf(data), name)
  }
})

test('checkpoint: the same content gives the same bytes, whatever the order', async () => {
  const tensors = Object.fromEntries(Object.entries(rich.tensors).reverse())
  assert.deepEqual(await checkpointToBytes({ ...rich, tensors }), await checkpointToBytes(rich))
})

const small = await checkpointToBytes({
  tensors: { w: { shape: [2], data: Float32Array.of(1, 2) }, x: { shape: [1], data: Float64Array.of(1) } },
  facts: { step: 1, loss: 0.5 },
})

test('checkpoint: a safetensors file, whose last 64 bytes are a digest that other tools can make', () => {
  const { tensors } = readSafetensors(small, 'f')
  assert.deepEqual(Object.keys(tensors).sort(), ['float64/x', 'numbers/w', 'sha256'])
  const hex = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')
  assert.equal(hex(hex(small.subarray(0, -64))), Buffer.from(small.subarray(-64)).toString())
})

/** Nothing but E_FILE with the file's name will do. */
async function isDamaged(bytes: Uint8Array, what: string): Promise<void> {
  const error = await checkpointFromBytes(bytes, 'some.file').then(
    () => undefined,
    (error) => error,
  )
  assert.ok(error instanceof FoveaError && error.code === 'E_FILE', `${what}: ${error}`)
  assert.ok(error.message.startsWith('some.file'), error.message)
}

test('checkpoint: every flipped bit of every byte is noticed', async () => {
  for (let at = 0; at < small.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = small.slice()
      damaged[at] ^= 1 << bit
      await isDamaged(damaged, `bit ${bit} of byte ${at}`)
    }
  }
})

test('checkpoint: every length but its own, zeros from anywhere on, and two blocks exchanged are noticed', async () => {
  for (let at = 0; at < small.length; at++) {
    await isDamaged(small.subarray(0, at), `cut at ${at}`)
    await isDamaged(small.slice().fill(0, at), `zeros from ${at}`)
  }
  await isDamaged(Uint8Array.of(...small, 0), 'a byte more')
  const exchanged = small.slice()
  exchanged.set(small.subarray(-72, -68), small.length - 68)
  exchanged.set(small.subarray(-68, -64), small.length - 72)
  await isDamaged(exchanged, 'exchanged')
})

/** A file whose checksum is right. */
function sealed(metadata: Record<string, string>, tensors: Parameters<typeof writeSafetensors>[0]['tensors'] = {}) {
  const place = { shape: [64], dtype: 'uint8', data: new Uint8Array(64) } as const
  const bytes = writeSafetensors({ metadata, tensors: { ...tensors, sha256: place } })
  const hex = (of: Uint8Array | string) => createHash('sha256').update(of).digest('hex')
  bytes.set(Buffer.from(hex(hex(bytes.subarray(0, -64)))), bytes.length - 64)
  return bytes
}
const format = 'fovea-checkpoint'
const u8 = { shape: [4], dtype: 'uint8', data: new Uint8Array(4) } as const
const strangers: [name: string, bytes: Uint8Array, code: 'E_FILE' | 'E_VERSION', ...words: string[]][] = [
  [
    'a model',
    writeSafetensors({ metadata: { format: 'fovea' }, tensors: {} }),
    'E_FILE',
    'not a checkpoint',
    "'fovea'",
  ],
  ['any safetensors', writeSafetensors({ tensors: { w: u8 } }), 'E_FILE', 'not a checkpoint', 'undefined'],
  ['something else', Buffer.from('hello, this is a text'), 'E_FILE', 'at byte 0'],
  ['half a file', small.subarray(0, 100), 'E_FILE', 'at byte 8', 'ends within the header'],
  [
    'one changed weight',
    small.map((byte, i) => (i === small.length - 66 ? byte ^ 1 : byte)),
    'E_FILE',
    'checksum does not match',
  ],
  ['a newer version', sealed({ format, formatVersion: '2' }), 'E_VERSION', 'newer Fovea', 'got 2', 'update'],
  ['no version', sealed({ format }), 'E_FILE', 'formatVersion'],
  ['no facts', sealed({ format, formatVersion: '1' }), 'E_FILE', 'facts'],
  ['facts that are a list', sealed({ format, formatVersion: '1', facts: '[]' }), 'E_FILE', 'facts'],
  ['a tensor of no kind', sealed({ format, formatVersion: '1', facts: '{}' }, { odd: u8 }), 'E_FILE', 'odd'],
  [
    'float64 by four bytes',
    sealed({ format, formatVersion: '1', facts: '{}' }, { 'float64/a': u8 }),
    'E_FILE',
    'float64/a',
  ],
]
for (const [name, bytes, code, ...words] of strangers) {
  test(`checkpoint: refused: ${name}`, async () => {
    await assert.rejects(checkpointFromBytes(bytes, 'some.file'), failure(code, 'some.file', ...words))
  })
}

const unsavable: [name: string, checkpoint: unknown, code: 'E_SHAPE' | 'E_DTYPE', ...words: string[]][] = [
  [
    'a shape that does not fit',
    { tensors: { w: { shape: [3], data: new Float64Array(2) } }, facts: {} },
    'E_SHAPE',
    'w',
  ],
  [
    'another kind of array',
    { tensors: { w: { shape: [2], data: new Int16Array(2) } }, facts: {} },
    'E_DTYPE',
    'w',
    'Int16Array',
  ],
]
for (const [name, checkpoint, code, ...words] of unsavable) {
  test(`checkpoint: not written: ${name}`, async () => {
    await assert.rejects(checkpointToBytes(checkpoint as Checkpoint), failure(code, ...words))
  })
}

const hard = [-0, NaN, Infinity, -Infinity, 5e-324, 2 ** 53 + 2, 0.1, 1e21, Number.MAX_VALUE, 2 ** 31 + 0.1]
test('facts: numbers, texts and names come back as they were', () => {
  const inner: JsonObject = { '': [null, [], {}], constructor: 1, other: { $number: 'seven' } }
  const facts: JsonObject = { hard, inner, text: '\ud800 \u0000 "' }
  const back = exactJsonFromText(exactJsonToText({ ...facts, left: undefined }))
  assert.deepEqual(back, facts)
  const numbers = back['hard'] as number[]
  assert.ok(numbers.every((value, i) => Object.is(value, hard[i])))
  const own = JSON.parse('{"__proto__": {"x": 1}}')
  assert.deepEqual(Object.entries(exactJsonFromText(exactJsonToText(own))), [['__proto__', { x: 1 }]])
})

const noFacts: [name: string, facts: unknown, where: string][] = [
  ['undefined in a list', { a: [1, undefined] }, 'facts.a[1]'],
  ['a hole', { a: [undefined, 1] }, 'facts.a[0]'],
  ['a function', { a: { b: () => 1 } }, 'facts.a.b'],
  ['a bigint', { a: 1n }, 'facts.a'],
  ['a typed array', { sums: new Float64Array(2) }, 'facts.sums'],
  ['a date', { a: new Date(0) }, 'facts.a'],
  ['the name that stands for numbers', { a: { $number: 'NaN' } }, 'facts.a'],
  ['a list', [], 'facts'],
]
for (const [name, facts, where] of noFacts) {
  test(`facts: refused: ${name}`, () => {
    assert.throws(() => exactJsonToText(facts as JsonObject), failure('E_OPTION', `${where}: cannot be kept`))
  })
}
