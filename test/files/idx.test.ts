import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { gunzip, isGzip } from '../../src/files/gzip.ts'
import { readIdx, writeIdx } from '../../src/files/idx.ts'
import { refused, unwritable } from '../hostile/idx-refused.ts'
import { failure } from '../support/failure.ts'

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

for (const [rule, bytes, ...words] of refused) {
  test(`idx: refuses ${rule}`, () => {
    assert.throws(() => readIdx(bytes, 'some.file'), failure('E_FILE', 'some.file', ...words))
  })
}

for (const [rule, content, ...words] of unwritable) {
  test(`idx: does not write ${rule}`, () => assert.throws(() => writeIdx(content), failure('E_SHAPE', ...words)))
}

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
