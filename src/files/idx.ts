/**
 * IDX, the format of MNIST: 0, 0, a type, the rank, one big-endian 32-bit size per axis, the elements
 * (big-endian) to the end of the file. Described at the foot of http://yann.lecun.com/exdb/mnist/.
 */
import { ByteReader } from '../base/bytes.ts'
import { FoveaError } from '../base/errors.ts'
import { countOf, type Tensor } from './tensor.ts'

type Get = 'getUint8' | 'getInt8' | 'getInt16' | 'getInt32' | 'getFloat32' | 'getFloat64'

/** The types of the format by their byte. Narrow integers become int32; doubles are rounded to float32. */
const types: Readonly<Record<number, { dtype: Tensor['dtype']; bytes: number; get: Get }>> = {
  8: { dtype: 'uint8', bytes: 1, get: 'getUint8' },
  9: { dtype: 'int32', bytes: 1, get: 'getInt8' },
  11: { dtype: 'int32', bytes: 2, get: 'getInt16' },
  12: { dtype: 'int32', bytes: 4, get: 'getInt32' },
  13: { dtype: 'float32', bytes: 4, get: 'getFloat32' },
  14: { dtype: 'float32', bytes: 8, get: 'getFloat64' },
}
const maxRank = 8

/** Reads an unpacked IDX file. uint8 elements stay where they are, a view of `bytes`. */
export function readIdx(bytes: Uint8Array, file: string): Tensor {
  const reader = new ByteReader(bytes, file)
  for (let i = 0; i < 2; i++) {
    const zero = reader.u8('the magic number')
    if (zero !== 0) throw reader.error('not an IDX file', { expected: '0', got: `${zero}` }, i)
  }
  const code = reader.u8('the type')
  const type = types[code]
  if (!type) {
    const known = Object.keys(types).map((n) => hex(Number(n)))
    throw reader.error('unknown IDX type', { expected: known.join(', '), got: hex(code) }, 2)
  }
  const rank = reader.u8('the rank')
  if (rank > maxRank) throw reader.error('too many axes', { expected: `at most ${maxRank}`, got: `${rank}` }, 3)
  const shape = Array.from({ length: rank }, (_, axis) => reader.u32be(`the size of axis ${axis}`))
  const length = countOf(shape) * type.bytes
  if (length !== reader.remaining) {
    throw reader.error(`elements of shape [${shape.join(', ')}] do not fill the file`, {
      expected: Number.isSafeInteger(length) ? `${length} bytes` : 'a size below 2^53',
      got: `${reader.remaining}`,
    })
  }
  return { shape, dtype: type.dtype, data: elements(reader.take(length, 'the elements'), type) }
}

function elements(bytes: Uint8Array, { dtype, bytes: step, get }: (typeof types)[number]): Tensor['data'] {
  if (dtype === 'uint8') return bytes
  const data = new (dtype === 'int32' ? Int32Array : Float32Array)(bytes.length / step)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0; i < data.length; i++) data[i] = view[get](i * step)
  return data
}

/** Writes bytes as an IDX file. */
export function writeIdx({ shape, data }: { shape: readonly number[]; data: Uint8Array }): Uint8Array {
  if (shape.length > maxRank || countOf(shape) !== data.length) {
    throw new FoveaError('E_SHAPE', {
      what: `shape [${shape.join(', ')}] does not fit`,
      where: 'writeIdx',
      got: `${data.length} bytes`,
    })
  }
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length)
  const view = new DataView(bytes.buffer)
  bytes.set([0, 0, 0x08, shape.length])
  shape.forEach((size, axis) => {
    view.setUint32(4 + 4 * axis, size)
  })
  bytes.set(data, 4 + 4 * shape.length)
  return bytes
}

const hex = (code: number): string => `0x${code.toString(16).padStart(2, '0')}`
