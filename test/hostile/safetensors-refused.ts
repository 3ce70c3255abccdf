/** safetensors files that are refused, and words of the complaint. */
import type { writeSafetensors } from '../../src/files/safetensors.ts'
import type { Refused } from './kind.ts'

type Writable = Parameters<typeof writeSafetensors>[0]

/** A file made by hand: a header as text or as an object, then bytes. */
export function file(
  header: unknown,
  data: Uint8Array | number[] = [],
  { length = undefined as bigint | undefined } = {},
): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = Buffer.concat([Buffer.alloc(8), json, Buffer.from(data)])
  bytes.writeBigUInt64LE(length ?? BigInt(json.length))
  return bytes
}
export const tensor = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets })
export const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
export const float32 = (shape: number[], ...values: number[]) =>
  ({ shape, dtype: 'float32', data: Float32Array.from(values) }) as const
export const ok = tensor('U8', [2], [0, 2])

const twice = (inner: string) => `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]${inner}}`
export const refused: readonly Refused[] = [
  ['no header length', Uint8Array.of(1, 2, 3), 'at byte 0', 'ends within'],
  ['header beyond the file', file('{}', [], { length: 3n }), 'at byte 8', 'ends within'],
  ['header over 100 MB', file('{}', [], { length: 100_000_001n }), 'at byte 0', '100000000'],
  ['header over 2^53', file('{}', [], { length: 2n ** 64n - 1n }), 'at byte 0', 'beyond any file'],
  ['empty header', file(''), 'at byte 8', "'{'"],
  ['header starts with a space', file(' {}'), 'at byte 8', "'{'"],
  ['header is a list', file('[]'), "'{'"],
  ['padded with zeros', file('{}\0\0'), 'spaces'],
  ['padded with line ends', file('{}\n'), 'spaces'],
  ['not UTF-8', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 123, 255, 125), 'at byte 8', 'UTF-8'],
  ['lists in lists', file({ t: [[[[]]]] }), 'nested too deeply', 'at byte 16'],
  ['not JSON', file('{"a":}'), 'at byte 13', 'JSON'],
  ['two objects', file('{}{}'), 'JSON'],
  ['equal names', file(`${twice('')},"a":${JSON.stringify(ok)}}`, [1, 2]), "'a' twice", 'at byte 61'],
  ['equal names, one escaped', file(`${twice('')},"\\u0061":${JSON.stringify(ok)}}`, [1, 2]), "'a' twice"],
  ['equal fields', file(`${twice(',"dtype" :"I8"')}}`, [1, 2]), "'dtype' twice"],
  ['equal names after other letters', file('{"__metadata__":{"ä":"ö","x":"","x":""}}'), "'x' twice", 'at byte 42'],
  ['metadata is a text', file({ __metadata__: 'pt' }), '__metadata__', 'at byte 8'],
  ['metadata is a list', file({ __metadata__: ['pt'] }), '__metadata__', 'texts by name'],
  ['metadata is null', file({ __metadata__: null }), '__metadata__'],
  ['metadata holds a number', file({ __metadata__: { epoch: 3 } }), '__metadata__'],
  ['a tensor is a list', file({ t: [] }), "tensor 't'", 'fields'],
  ['a tensor is null', file({ t: null }), "tensor 't'", 'fields'],
  ['a field too few', file({ t: { dtype: 'U8', shape: [] } }), "tensor 't'", 'fields'],
  ['a field too many', file({ t: { ...ok, more: 1 } }, [1, 2]), "tensor 't'", 'fields'],
  ['unknown dtype', file({ t: tensor('F31', [2], [0, 2]) }, [1, 2]), "tensor 't'", "'F31'"],
  ['dtype of the prototype', file({ t: tensor('toString', [2], [0, 2]) }, [1, 2]), 'unknown dtype'],
  ['dtype not a text', file({ t: tensor(7 as never, [2], [0, 2]) }, [1, 2]), 'unknown dtype'],
  ['dtype in a list', file({ t: tensor(['U8'] as never, [2], [0, 2]) }, [1, 2]), 'unknown dtype'],
  ['no shape', file({ t: tensor('U8', null, [0, 2]) }, [1, 2]), 'wrong shape', 'got null'],
  ['a size for a shape', file({ t: tensor('U8', 2, [0, 2]) }, [1, 2]), 'wrong shape', 'got 2'],
  ['negative size', file({ t: tensor('U8', [-1, -2], [0, 2]) }, [1, 2]), 'wrong shape'],
  ['broken size', file({ t: tensor('U8', [0.5, 4], [0, 2]) }, [1, 2]), 'wrong shape'],
  ['size as text', file({ t: tensor('U8', ['2'], [0, 2]) }, [1, 2]), 'wrong shape'],
  ['size beyond 2^53', file({ t: tensor('U8', [2 ** 53], [0, 2]) }, [1, 2]), 'wrong shape'],
  ['product beyond 2^53', file({ t: tensor('U8', [2 ** 40, 2 ** 24], [0, 0]) }), '2^53'],
  ['product wraps 2^64 to 0', file({ t: tensor('U8', [2 ** 32, 2 ** 32], [0, 0]) }), '2^53'],
  ['half a byte', file({ t: tensor('F4', [3], [0, 1]) }, [1]), 'whole number of bytes'],
  ['one offset', file({ t: tensor('U8', [2], [2]) }, [1, 2]), 'data_offsets'],
  ['three offsets', file({ t: tensor('U8', [2], [0, 2, 2]) }, [1, 2]), 'wrong data_offsets', 'two integers'],
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
  [
    'float64 beyond float32',
    file({ t: tensor('F64', [1], [0, 8]) }, bytesOf(Float64Array.of(-1e39))),
    "tensor 't'",
    '-1e+39',
  ],
]

/** What is not written. */
export const unwritable: readonly (readonly [rule: string, content: Writable, ...words: string[]])[] = [
  ['a shape that does not fit', { tensors: { t: float32([3], 1, 2) } }, "tensor 't'", 'shape [3] does not fit'],
  ['a negative shape', { tensors: { t: float32([-1, -2], 1, 2) } }, 'shape [-1, -2] does not fit'],
  ['the name of the metadata', { tensors: { __metadata__: float32([1], 1) } }, 'this name is taken by the format'],
]
