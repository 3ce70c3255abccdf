import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteReader } from '../../src/base/bytes.ts'
import { failure } from '../support/failure.ts'

const reader = (...bytes: number[]) => new ByteReader(Uint8Array.from(bytes), 'a.idx')

test('numbers and views are read in order', () => {
  const r = reader(7, 0x12, 0x34, 0x56, 0x78, 1, 0, 0, 0, 1, 0, 0, 0, 0xc3, 0xa9, 9)
  assert.equal(r.u8('a'), 7)
  assert.equal(r.u32be('b'), 0x12345678)
  assert.equal(r.u64le('c'), 2 ** 32 + 1)
  assert.equal(r.text(2, 'd'), 'é')
  const rest = r.take(1, 'e')
  assert.deepEqual([rest[0], r.remaining, r.offset], [9, 0, 16])
  assert.equal(rest.buffer, r.bytes.buffer)
  r.end()
  assert.equal(reader(0xff, 0xff, 0xff, 0xff).u32be('unsigned'), 2 ** 32 - 1)
})

test('a view into a larger buffer is read from its own start', () => {
  const whole = Uint8Array.of(9, 9, 0, 0, 0, 5, 9)
  const r = new ByteReader(whole.subarray(2, 6), 'a.idx')
  assert.equal(r.u32be('x'), 5)
  r.end()
})

test('every complaint names the file and the byte; nothing is read past the end', () => {
  const rows: readonly [action: () => unknown, ...words: string[]][] = [
    [() => reader().u8('the magic'), 'a.idx at byte 0', 'ends within the magic', 'expected 1 bytes', 'got 0'],
    [() => reader(1, 2, 3).u32be('the count'), 'a.idx at byte 0', 'the count', '4 bytes', 'got 3'],
    [() => reader(1, 2, 3, 4, 5, 6, 7).u64le('the length'), 'the length', '8 bytes'],
    [() => reader(0, 0, 0, 0, 0, 0, 0x20, 0).u64le('the length'), 'at byte 0', 'beyond any file', '9007199254740992'],
    [() => reader(1, 2).take(3, 'pixels'), 'ends within pixels', '3 bytes', 'got 2'],
    [() => reader(1, 2).take(2 ** 60, 'pixels'), 'ends within pixels'],
    [() => reader(1, 2).take(-1, 'pixels'), 'ends within pixels'],
    [() => reader(1, 2).take(Number.NaN, 'pixels'), 'ends within pixels'],
    [() => reader(65, 0xff).text(2, 'the header'), 'a.idx at byte 0', 'the header is not UTF-8'],
    [() => reader(65).text(2, 'the header'), 'ends within the header'],
    [() => reader(65).end(), 'bytes are left over', 'got 1 more'],
    [
      () => {
        const r = reader(1, 2, 3)
        r.u8('a')
        r.u32be('b')
      },
      'a.idx at byte 1',
    ],
  ]
  for (const [action, ...words] of rows) assert.throws(action, failure('E_FILE', ...words))
  const r = reader(1, 2, 3)
  assert.throws(() => r.u32be('x'), failure('E_FILE'))
  assert.equal(r.offset, 0, 'a failed read moves nothing')
})

test('the largest length that is a safe integer passes', () => {
  assert.equal(reader(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0).u64le('x'), Number.MAX_SAFE_INTEGER)
})
