/** safetensors files with any names, dtypes, shapes, orders, paddings and metadata. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Safetensors } from '../../src/files/safetensors.ts'
import { readSafetensors, writeSafetensors } from '../../src/files/safetensors.ts'
import type { Tensor } from '../../src/files/tensor.ts'
import { damaged } from './damage.ts'
import { jsonDamage } from './json.ts'
import type { FileKind } from './kind.ts'
import { arrayTypes, elementsFrom, smallShape } from './tensors.ts'

/** A dtype: its width, how a DataView reads one element, and the bytes to clear so that it fits int32. */
interface Type {
  readonly width: number
  readonly dtype: Tensor['dtype']
  readonly read: (view: DataView & { getFloat16(at: number, little: boolean): number }, at: number) => number
  readonly fit?: (element: Uint8Array) => void
}
const types: Readonly<Record<string, Type>> = {
  BOOL: { width: 1, dtype: 'uint8', read: (v, at) => v.getUint8(at), fit: (b) => void (b[0] &= 1) },
  U8: { width: 1, dtype: 'uint8', read: (v, at) => v.getUint8(at) },
  I8: { width: 1, dtype: 'int32', read: (v, at) => v.getInt8(at) },
  I16: { width: 2, dtype: 'int32', read: (v, at) => v.getInt16(at, true) },
  U16: { width: 2, dtype: 'int32', read: (v, at) => v.getUint16(at, true) },
  I32: { width: 4, dtype: 'int32', read: (v, at) => v.getInt32(at, true) },
  U32: { width: 4, dtype: 'int32', read: (v, at) => v.getUint32(at, true), fit: (b) => void (b[3] &= 0x7f) },
  I64: {
    width: 8,
    dtype: 'int32',
    read: (v, at) => Number(v.getBigInt64(at, true)),
    fit: (b) => void b.fill(b[3] & 0x80 ? 0xff : 0, 4),
  },
  U64: {
    width: 8,
    dtype: 'int32',
    read: (v, at) => Number(v.getBigUint64(at, true)),
    fit: (b) => void b.fill((b[3] &= 0x7f), 4).fill(0, 4),
  },
  F16: { width: 2, dtype: 'float32', read: (v, at) => v.getFloat16(at, true) },
  BF16: {
    width: 2,
    dtype: 'float32',
    read: (v, at) => new DataView(Uint32Array.of(v.getUint16(at, true) << 16).buffer).getFloat32(0, true),
  },
  F32: { width: 4, dtype: 'float32', read: (v, at) => v.getFloat32(at, true) },
  F64: {
    width: 8,
    dtype: 'float32',
    read: (v, at) => Math.fround(v.getFloat64(at, true)),
    fit: (b) => {
      const value = new DataView(b.buffer, b.byteOffset).getFloat64(0, true)
      if (Number.isFinite(value) !== Number.isFinite(Math.fround(value))) b[7] &= 0xbf // below 2
    },
  },
}

const words = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '', '"', '\\', '}', 'a', 'shape', 'dtype'),
)

interface Made {
  readonly bytes: Uint8Array
  readonly holds: { readonly metadata: Record<string, string>; readonly tensors: Record<string, unknown> }
}

const whole: fc.Arbitrary<Made> = fc
  .record({
    tensors: fc.uniqueArray(
      fc.record({
        name: words.filter((name) => name !== '__metadata__'),
        type: fc.constantFrom(...Object.keys(types)),
        shape: smallShape(5),
        seed: fc.uint8Array({ minLength: 1, maxLength: 24 }),
        place: fc.nat(),
      }),
      { maxLength: 5, selector: ({ name }) => name },
    ),
    metadata: fc.option(fc.array(fc.tuple(words, words), { maxLength: 3 })),
    padding: fc.nat(9),
  })
  .map(({ tensors, metadata, padding }) => {
    let size = 0
    const laid = tensors
      .toSorted((a, b) => a.place - b.place)
      .map(({ name, type, shape, seed }) => {
        const { width, fit } = types[type]
        const elements = elementsFrom(seed, shape, width)
        for (let at = 0; fit && at < elements.length; at += width) fit(elements.subarray(at, at + width))
        return { name, type, shape, elements, offsets: [size, (size += elements.length)] }
      })
    const texts = Object.fromEntries(metadata ?? [])
    const header = Object.fromEntries<unknown>([
      ...(metadata ? [['__metadata__', texts] as const] : []),
      ...tensors.map(({ name }) => {
        const { type, shape, offsets } = laid.find((tensor) => tensor.name === name)!
        return [name, { dtype: type, shape, data_offsets: offsets }] as const
      }),
    ])
    const held = laid.map(({ name, type, shape, elements }) => {
      const { width, dtype, read } = types[type]
      const view = new DataView(elements.buffer) as Parameters<typeof read>[0]
      const data = Array.from({ length: elements.length / width }, (_, i) => read(view, i * width))
      return [name, { shape, dtype, data }]
    })
    const json = JSON.stringify(header) + ' '.repeat(padding)
    const data = laid.map(({ elements }) => elements)
    return { bytes: filed(json, data), holds: { metadata: texts, tensors: Object.fromEntries(held) } }
  })

/** A file of this header, its length put before it. */
function filed(json: string, data: readonly Uint8Array[]): Uint8Array {
  const text = Buffer.from(json)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return new Uint8Array(Buffer.concat([length, text, ...data]))
}

/** A file whose header says something else, in words that are still JSON. */
export const withHeader = (bytes: Uint8Array, change: (json: string) => string): Uint8Array => {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  const json = Buffer.from(bytes.subarray(8, 8 + length)).toString()
  return filed(change(json), [bytes.subarray(8 + length)])
}

const files = whole.map(({ bytes }) => bytes)

const arrays = (tensors: Safetensors['tensors']) =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, { ...t, data: Array.from(t.data) }]))

export const safetensorsFiles: FileKind<Safetensors> = {
  read: readSafetensors,
  whole: whole.map(({ bytes, holds }) => ({
    bytes,
    check: ({ metadata, tensors }) => {
      assert.deepEqual({ ...metadata }, holds.metadata)
      assert.deepEqual(arrays(tensors), holds.tensors)
    },
  })),
  damaged: fc.oneof(
    damaged(files),
    fc.tuple(files, jsonDamage).map(([bytes, change]) => withHeader(bytes, change)),
  ),
  isConsistent: (content) => {
    for (const { shape, dtype, data } of Object.values(content.tensors)) {
      assert.ok(data instanceof arrayTypes[dtype])
      assert.equal(
        data.length,
        shape.reduce((product, n) => product * n, 1),
      )
    }
    const bytes = writeSafetensors(content)
    assert.deepEqual(writeSafetensors(readSafetensors(bytes, 'again')), bytes)
  },
  where: /^some\.file at byte \d+: /,
}
