import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSafetensors, writeSafetensors } from '../../src/files/safetensors.ts'
import { bytesOf, file, float32, ok, refused, tensor, unwritable } from '../hostile/safetensors-refused.ts'
import { failure } from '../support/failure.ts'

// The bytes that the reference implementation writes, from its own tests (safetensors/src/tensor.rs, test_serialization...).
const sixFloats = [0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64, 0, 0, 160, 64]
const byReference: [name: string, Parameters<typeof writeSafetensors>[0], Uint8Array][] = [
  [
    'one tensor',
    { tensors: { 'attn.0': float32([1, 2, 3], 0, 1, 2, 3, 4, 5) } },
    file('{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}', sixFloats, { length: 64n }),
  ],
  [
    'padding to eight bytes',
    { tensors: { attn0: float32([1, 1, 2, 3], 0, 1, 2, 3, 4, 5) } },
    file('{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       ', sixFloats, { length: 72n }),
  ],
  ['nothing', { tensors: {} }, file('{}      ')],
  [
    'metadata',
    { tensors: {}, metadata: { framework: 'pt' } },
    file('{"__metadata__":{"framework":"pt"}}     ', [], { length: 40n }),
  ],
]
for (const [name, content, bytes] of byReference) {
  test(`safetensors: the reference's bytes: ${name}`, () => {
    assert.deepEqual(writeSafetensors(content), new Uint8Array(bytes))
    assert.deepEqual(writeSafetensors(readSafetensors(bytes, 'f')), new Uint8Array(bytes))
  })
}

test('safetensors: wide elements first, then by name, whatever the order given', () => {
  const u8 = { shape: [3], dtype: 'uint8', data: Uint8Array.of(1, 2, 3) } as const
  const i32 = { shape: [], dtype: 'int32', data: Int32Array.of(-7) } as const
  const tensors = { u: u8, b: i32, '1': float32([1], 1), a: float32([0, 5]) }
  const bytes = writeSafetensors({ tensors, metadata: { z: '1', a: '"' } })
  const header = Buffer.from(bytes.subarray(8, 8 + bytes[0] + 256 * bytes[1])).toString()
  assert.deepEqual(
    [...header.matchAll(/"(\w+)":\{"d/g)].map((m) => m[1]),
    ['1', 'a', 'b', 'u'],
  )
  const reversed = Object.fromEntries(Object.entries(tensors).reverse())
  assert.deepEqual(writeSafetensors({ tensors: reversed, metadata: { a: '"', z: '1' } }), bytes)
  const back = readSafetensors(bytes, 'f')
  assert.deepEqual({ ...back.tensors }, tensors)
  assert.deepEqual({ ...back.metadata }, { a: '"', z: '1' })
})

test('safetensors: names are only names', () => {
  const tensors = Object.create(null)
  for (const name of ['__proto__', 'constructor', 'toString', '']) tensors[name] = float32([1], 5)
  const metadata = JSON.parse('{"__proto__":"m"}')
  const back = readSafetensors(writeSafetensors({ tensors, metadata }), 'f')
  assert.deepEqual(Object.keys(back.tensors).sort(), ['', '__proto__', 'constructor', 'toString'])
  assert.deepEqual(Object.entries(back.metadata), [['__proto__', 'm']])
  assert.equal(back.tensors['valueOf'], undefined)
})

const conversions: [dtype: string, ArrayBufferView, to: string, values: number[]][] = [
  ['BOOL', Uint8Array.of(0, 1), 'uint8', [0, 1]],
  ['U8', Uint8Array.of(0, 255), 'uint8', [0, 255]],
  ['I8', Int8Array.of(-128, 127), 'int32', [-128, 127]],
  ['I16', Int16Array.of(-32768, 5), 'int32', [-32768, 5]],
  ['U16', Uint16Array.of(65535), 'int32', [65535]],
  ['I32', Int32Array.of(-(2 ** 31)), 'int32', [-(2 ** 31)]],
  ['U32', Uint32Array.of(2 ** 31 - 1), 'int32', [2 ** 31 - 1]],
  ['I64', BigInt64Array.of(-1n, 60000n), 'int32', [-1, 60000]],
  ['U64', BigUint64Array.of(9n), 'int32', [9]],
  ['F32', Float32Array.of(1.5, NaN), 'float32', [1.5, NaN]],
  ['F64', Float64Array.of(0.1), 'float32', [Math.fround(0.1)]],
  [
    'F16',
    Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555, 0x8000, 0x7c00, 0xfc00, 0x7e00),
    'float32',
    [1, -2, 65504, 2 ** -24, 0.333251953125, -0, Infinity, -Infinity, NaN],
  ],
  ['BF16', Uint16Array.of(0x3f80, 0x4049, 0xff80), 'float32', [1, 3.140625, -Infinity]],
]
for (const [dtype, data, to, values] of conversions) {
  test(`safetensors: ${dtype} becomes ${to}`, () => {
    const bytes = file({ t: tensor(dtype, [values.length], [0, data.byteLength]) }, bytesOf(data))
    const { t } = readSafetensors(bytes, 'f').tensors
    assert.equal(t.dtype, to)
    assert.deepEqual(Array.from(t.data), values)
  })
}

const accepted: [name: string, Uint8Array][] = [
  ['a scalar', file({ t: tensor('F32', [], [0, 4]) }, [0, 0, 0, 0])],
  [
    'an empty tensor between two others',
    file({ a: ok, b: tensor('F32', [0], [2, 2]), c: tensor('U8', [1], [2, 3]) }, [1, 2, 3]),
  ],
  ['tensors in any order', file({ b: tensor('U8', [1], [2, 3]), a: ok }, [1, 2, 3])],
  ['unaligned float32', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ', [0, 0, 0, 0])],
  ['equal keys in different objects', file({ shape: ok, dtype: tensor('U8', [0], [2, 2]) }, [1, 2])],
  ['a text full of signs', file({ __metadata__: { 'a"{:': '"a":{"a":1}\\' }, a: ok }, [1, 2])],
]
for (const [name, bytes] of accepted) test(`safetensors: reads ${name}`, () => void readSafetensors(bytes, 'f'))

for (const [rule, bytes, ...words] of refused) {
  test(`safetensors: refuses ${rule}`, () => {
    assert.throws(() => readSafetensors(bytes, 'some.file'), failure('E_FILE', 'some.file', ...words))
  })
}

test('safetensors: a number beyond float32 is refused, not made infinite', () => {
  const bytes = file({ t: tensor('F64', [1], [0, 8]) }, bytesOf(Float64Array.of(1e300)))
  assert.throws(() => readSafetensors(bytes, 'some.file'), failure('E_FILE', 'some.file', 'beyond float32'))
})

test('safetensors: every cut of a good file is refused', () => {
  const bytes = writeSafetensors({ tensors: { a: float32([2], 1, 2), b: float32([1], 3) } })
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => readSafetensors(bytes.subarray(0, length), 'cut'), failure('E_FILE', 'cut at byte'))
  }
})

test('safetensors: a header of 20 MB in one text is read', () => {
  const metadata = { long: 'x'.repeat(1e7) + '\\"'.repeat(2e6) }
  assert.equal(readSafetensors(writeSafetensors({ tensors: {}, metadata }), 'f').metadata['long'], metadata.long)
})

for (const [name, content, ...words] of unwritable) {
  test(`safetensors: does not write ${name}`, () =>
    assert.throws(() => writeSafetensors(content), failure('E_SHAPE', ...words)))
}
