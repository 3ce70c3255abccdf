import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSafetensors, writeSafetensors } from '../src/files/safetensors.ts'
import { failure } from './failure.ts'

/** A file made by hand: a header as text or as an object, then bytes. */
function file(
  header: unknown,
  data: Uint8Array | number[] = [],
  { length = undefined as bigint | undefined } = {},
): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = Buffer.concat([Buffer.alloc(8), json, Buffer.from(data)])
  bytes.writeBigUInt64LE(length ?? BigInt(json.length))
  return bytes
}
const tensor = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets })
const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
const float32 = (shape: number[], ...values: number[]) =>
  ({ shape, dtype: 'float32', data: Float32Array.from(values) }) as const

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

const ok = tensor('U8', [2], [0, 2])
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

const twice = (inner: string) => `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]${inner}}`
const refused: [rule: string, Uint8Array, ...words: string[]][] = [
  ['no header length', Uint8Array.of(1, 2, 3), 'at byte 0', 'ends within'],
  ['header beyond the file', file('{}', [], { length: 3n }), 'at byte 8', 'ends within'],
  ['header over 100 MB', file('{}', [], { length: 100_000_001n }), 'at byte 0', '100000000'],
  ['header over 2^53', file('{}', [], { length: 2n ** 64n - 1n }), 'at byte 0'],
  ['empty header', file(''), 'at byte 8', "'{'"],
  ['header starts with a space', file(' {}'), 'at byte 8', "'{'"],
  ['header is a list', file('[]'), "'{'"],
  ['padded with zeros', file('{}\0\0'), 'spaces'],
  ['padded with line ends', file('{}\n'), 'spaces'],
  ['not UTF-8', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 123, 255, 125), 'at byte 8', 'UTF-8'],
  ['not JSON', file('{"a":}'), 'at byte 13', 'JSON'],
  ['two objects', file('{}{}'), 'JSON'],
  ['equal names', file(`${twice('')},"a":${JSON.stringify(ok)}}`, [1, 2]), "'a' twice", 'at byte 61'],
  ['equal names, one escaped', file(`${twice('')},"\\u0061":${JSON.stringify(ok)}}`, [1, 2]), "'a' twice"],
  ['equal fields', file(`${twice(',"dtype" :"I8"')}}`, [1, 2]), "'dtype' twice"],
  ['equal names after other letters', file('{"__metadata__":{"ä":"ö","x":"","x":""}}'), "'x' twice", 'at byte 42'],
  ['metadata is a text', file({ __metadata__: 'pt' }), '__metadata__', 'at byte 8'],
  ['metadata is null', file({ __metadata__: null }), '__metadata__'],
  ['metadata holds a number', file({ __metadata__: { epoch: 3 } }), '__metadata__'],
  ['a tensor is a list', file({ t: [] }), "tensor 't'", 'fields'],
  ['a tensor is null', file({ t: null }), "tensor 't'", 'fields'],
  ['a field too few', file({ t: { dtype: 'U8', shape: [] } }), "tensor 't'", 'fields'],
  ['a field too many', file({ t: { ...ok, more: 1 } }, [1, 2]), "tensor 't'", 'fields'],
  ['unknown dtype', file({ t: tensor('F31', [2], [0, 2]) }, [1, 2]), "tensor 't'", "'F31'"],
  ['dtype of the prototype', file({ t: tensor('toString', [2], [0, 2]) }, [1, 2]), 'unknown dtype'],
  ['dtype not a text', file({ t: tensor(7 as never, [2], [0, 2]) }, [1, 2]), 'unknown dtype'],
  ['negative size', file({ t: tensor('U8', [-1, -2], [0, 2]) }, [1, 2]), 'wrong shape'],
  ['broken size', file({ t: tensor('U8', [0.5, 4], [0, 2]) }, [1, 2]), 'wrong shape'],
  ['size as text', file({ t: tensor('U8', ['2'], [0, 2]) }, [1, 2]), 'wrong shape'],
  ['size beyond 2^53', file({ t: tensor('U8', [2 ** 53], [0, 2]) }, [1, 2]), 'wrong shape'],
  ['product beyond 2^53', file({ t: tensor('U8', [2 ** 40, 2 ** 24], [0, 0]) }), '2^53'],
  ['product wraps 2^64 to 0', file({ t: tensor('U8', [2 ** 32, 2 ** 32], [0, 0]) }), '2^53'],
  ['half a byte', file({ t: tensor('F4', [3], [0, 1]) }, [1]), 'whole number of bytes'],
  ['one offset', file({ t: tensor('U8', [2], [2]) }, [1, 2]), 'data_offsets'],
  ['negative offset', file({ t: tensor('U8', [2], [-1, 1]) }, [1, 2]), 'data_offsets'],
  ['offsets swapped', file({ t: tensor('U8', [2], [2, 0]) }, [1, 2]), 'data_offsets'],
  ['offsets too wide for the shape', file({ t: tensor('U8', [1], [0, 2]) }, [1, 2]), '1 bytes'],
  ['offsets too narrow for the dtype', file({ t: tensor('F32', [1], [0, 2]) }, [1, 2]), '4 bytes'],
  ['data ends early', file({ t: ok }, [1]), "tensor 't'", 'ends within', 'at byte 61'],
  ['bytes left over', file({ t: ok }, [1, 2, 3]), 'left over', 'at byte 63'],
  ['a hole at the start', file({ t: tensor('U8', [2], [1, 3]) }, [1, 2, 3]), 'hole', 'at byte 62'],
  ['a hole between', file({ a: ok, b: tensor('U8', [1], [3, 4]) }, [1, 2, 3, 4]), "tensor 'b'", 'hole'],
  ['an overlap', file({ a: ok, b: tensor('U8', [2], [1, 3]) }, [1, 2, 3]), "tensor 'b'", 'overlaps'],
  ['the same bytes twice', file({ a: ok, b: ok }, [1, 2]), 'overlaps'],
  ['float8', file({ t: tensor('F8_E4M3', [2], [0, 2]) }, [1, 2]), "tensor 't'", 'F8_E4M3', 'F32'],
  ['complex', file({ t: tensor('C64', [1], [0, 8]) }, bytesOf(new Float64Array(1))), 'C64'],
  [
    'uint32 beyond int32',
    file({ t: tensor('U32', [1], [0, 4]) }, bytesOf(Uint32Array.of(2 ** 31))),
    "tensor 't'",
    '2147483648',
  ],
  [
    'int64 beyond int32',
    file({ t: tensor('I64', [1], [0, 8]) }, bytesOf(BigInt64Array.of(-(2n ** 31n) - 1n))),
    '-2147483649',
  ],
]
for (const [rule, bytes, ...words] of refused) {
  test(`safetensors: refuses ${rule}`, () => {
    assert.throws(() => readSafetensors(bytes, 'some.safetensors'), failure('E_FILE', 'some.safetensors', ...words))
  })
}

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

const unwritable: [string, Parameters<typeof writeSafetensors>[0]['tensors']][] = [
  ['a shape that does not fit', { t: float32([3], 1, 2) }],
  ['a negative shape', { t: float32([-1, -2], 1, 2) }],
  ['the name of the metadata', { __metadata__: float32([1], 1) }],
]
for (const [name, tensors] of unwritable) {
  test(`safetensors: does not write ${name}`, () =>
    assert.throws(() => writeSafetensors({ tensors }), failure('E_SHAPE', 'tensor')))
}
