import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { gunzip, isGzip } from '../src/files/gzip.ts'
import { readIdx, writeIdx } from '../src/files/idx.ts'
import { failure } from './failure.ts'

const readable: [name: string, bytes: number[], shape: number[], dtype: string, values: number[]][] = [
  ['uint8', [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255], [2, 3], 'uint8', [1, 2, 3, 4, 5, 255]],
  ['int8', [0, 0, 9, 1, 0, 0, 0, 2, 0x80, 0x7f], [2], 'int32', [-128, 127]],
  ['int16', [0, 0, 0x0b, 1, 0, 0, 0, 2, 0xff, 0xfe, 1, 0], [2], 'int32', [-2, 256]],
  ['int32', [0, 0, 0x0c, 1, 0, 0, 0, 1, 0x80, 0, 0, 1], [1], 'int32', [-2147483647]],
  ['float32', [0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0], [1], 'float32', [1.5]],
  ['float64', [0, 0, 0x0e, 1, 0, 0, 0, 1, 0xc0, 4, 0, 0, 0, 0, 0, 0], [1], 'float32', [-2.5]],
  ['a scalar', [0, 0, 8, 0, 7], [], 'uint8', [7]],
  ['nothing at all', [0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 28], [0, 28], 'uint8', []],
]
for (const [name, bytes, shape, dtype, values] of readable) {
  test(`idx: reads ${name}`, () => {
    const { data, ...spec } = readIdx(Uint8Array.from(bytes), 'f')
    assert.deepEqual({ ...spec, values: Array.from(data) }, { shape, dtype, values })
    if (dtype === 'uint8') assert.deepEqual(writeIdx({ shape, data: data as Uint8Array }), Uint8Array.from(bytes))
  })
}

const refused: [rule: string, bytes: number[], ...words: string[]][] = [
  ['an empty file', [], 'at byte 0', 'ends within the magic number'],
  ['a first byte that is not 0', [1, 0, 8, 1], 'at byte 0', 'not an IDX file'],
  ['a second byte that is not 0', [0, 31, 8, 1], 'at byte 1', 'not an IDX file'],
  ['an unknown type', [0, 0, 0x0a, 1, 0, 0, 0, 1, 5], 'at byte 2', '0x0a', '0x08'],
  ['no rank', [0, 0, 8], 'at byte 3', 'ends within the rank'],
  ['too many axes', [0, 0, 8, 255], 'at byte 3', 'too many axes'],
  ['sizes cut short', [0, 0, 8, 2, 0, 0, 0, 1, 0, 0], 'at byte 8', 'size of axis 1'],
  ['data cut short', [0, 0, 8, 1, 0, 0, 0, 3, 1, 2], 'at byte 8', '3 bytes', 'got 2'],
  ['data left over', [0, 0, 8, 1, 0, 0, 0, 1, 1, 2], 'at byte 8', '1 bytes', 'got 2'],
  ['elements counted as bytes', [0, 0, 0x0c, 1, 0, 0, 0, 4, 0, 0, 0, 1], 'at byte 8', '16 bytes', 'got 4'],
  ['sizes beyond memory', [0, 0, 8, 2, 0, 1, 0, 0, 0, 0, 255, 255], 'at byte 12', '4294901760 bytes'],
  ['sizes beyond 2^53', [0, 0, 8, 3, ...Array(12).fill(255)], 'at byte 16', '2^53'],
]
for (const [rule, bytes, ...words] of refused) {
  test(`idx: refuses ${rule}`, () => {
    assert.throws(() => readIdx(Uint8Array.from(bytes), 'some.idx'), failure('E_FILE', 'some.idx', ...words))
  })
}

test('idx: does not write a shape that does not fit', () => {
  assert.throws(() => writeIdx({ shape: [2, 2], data: new Uint8Array(3) }), failure('E_SHAPE', '[2, 2]'))
})

const hello = new TextEncoder().encode('hello'.repeat(1000))
const packed = new Uint8Array(gzipSync(hello))

test('gzip: unpacks, and knows a packed file by its first bytes', async () => {
  assert.deepEqual([isGzip(packed), isGzip(hello), isGzip(new Uint8Array())], [true, false, false])
  assert.deepEqual(await gunzip(packed, 'f.gz', { limit: hello.length }), hello)
})

const damaged: [name: string, Uint8Array][] = [
  ['not gzip', hello],
  ['an empty file', new Uint8Array()],
  ['cut within the data', packed.subarray(0, 30)],
  ['cut within the checksum', packed.subarray(0, -3)],
  ['a wrong checksum', packed.with(packed.length - 8, ~packed[packed.length - 8])],
  ['bytes left over', Uint8Array.of(...packed, 1, 2, 3)],
]
for (const [name, bytes] of damaged) {
  test(`gzip: refuses ${name}`, () =>
    assert.rejects(gunzip(bytes, 'some.gz', { limit: 1e6 }), failure('E_FILE', 'some.gz')))
}

test('gzip: a bomb stops at the limit', async () => {
  const bomb = new Uint8Array(gzipSync(new Uint8Array(50e6), { level: 9 }))
  await assert.rejects(gunzip(bomb, 'bomb.gz', { limit: 1e6 }), failure('E_LIMIT', 'bomb.gz', '1000000'))
})
