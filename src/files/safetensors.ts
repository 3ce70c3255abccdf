/**
 * safetensors (https://github.com/huggingface/safetensors#format): the header's length as 64 little-endian bits, the
 * header in JSON, the elements. The reader holds to every rule of the format; the writer gives the reference's bytes.
 */

import { ByteReader } from '../base/bytes.ts'
import { FoveaError, locate } from '../base/errors.ts'
import { parseJson } from '../base/json.ts'
import { show } from '../base/options.ts'
import { isListOf } from '../base/realm.ts'
import { countOf, type Tensor } from './tensor.ts'

export interface Safetensors {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: Readonly<Record<string, Tensor>>
}

const maxHeader = 100_000_000
/** Lists of sizes in tensors in the header; ten values and more to a tensor. */
const headerLimits = { maxDepth: 3, maxValues: 5_000_000 }
const metadataName = '__metadata__'

interface FileType {
  readonly bits: number
  /** Elements as the surface knows them, from bytes that start at a multiple of eight; absent: known, but refused. */
  readonly read?: (elements: ArrayBuffer) => Pick<Tensor, 'dtype' | 'data'>
}

const float32 = (data: Float32Array): Pick<Tensor, 'dtype' | 'data'> => ({ dtype: 'float32', data })
const int32 = (data: Int32Array): Pick<Tensor, 'dtype' | 'data'> => ({ dtype: 'int32', data })
const uint8 = (data: Uint8Array): Pick<Tensor, 'dtype' | 'data'> => ({ dtype: 'uint8', data })

/**
 * Every dtype of the format. F16 and BF16 widen exactly, F64 is rounded to float32, integers become int32 or, where
 * one does not fit, an error. Typed arrays read the file's little-endian order, as every host of ours has it.
 */
const fileTypes: Readonly<Record<string, FileType>> = {
  BOOL: { bits: 8, read: (b) => uint8(new Uint8Array(b)) },
  F4: { bits: 4 },
  F6_E2M3: { bits: 6 },
  F6_E3M2: { bits: 6 },
  U8: { bits: 8, read: (b) => uint8(new Uint8Array(b)) },
  I8: { bits: 8, read: (b) => int32(Int32Array.from(new Int8Array(b))) },
  F8_E5M2: { bits: 8 },
  F8_E4M3: { bits: 8 },
  F8_E8M0: { bits: 8 },
  I16: { bits: 16, read: (b) => int32(Int32Array.from(new Int16Array(b))) },
  U16: { bits: 16, read: (b) => int32(Int32Array.from(new Uint16Array(b))) },
  F16: { bits: 16, read: (b) => float32(Float32Array.from(new Uint16Array(b), fromHalf)) },
  BF16: {
    bits: 16,
    read: (b) => float32(new Float32Array(Uint32Array.from(new Uint16Array(b), (x) => x << 16).buffer)),
  },
  I32: { bits: 32, read: (b) => int32(new Int32Array(b)) },
  U32: { bits: 32, read: (b) => int32(Int32Array.from(new Uint32Array(b), inInt32)) },
  F32: { bits: 32, read: (b) => float32(new Float32Array(b)) },
  C64: { bits: 64 },
  F64: { bits: 64, read: (b) => float32(Float32Array.from(new Float64Array(b), inFloat32)) },
  I64: { bits: 64, read: (b) => int32(Int32Array.from(Array.from(new BigInt64Array(b), inInt32))) },
  U64: { bits: 64, read: (b) => int32(Int32Array.from(Array.from(new BigUint64Array(b), inInt32))) },
}

function inInt32(value: number | bigint): number {
  if (value >= -(2 ** 31) && value < 2 ** 31) return Number(value)
  throw new FoveaError('E_FILE', { what: 'an integer beyond int32', got: `${value}`, hint: 'save the tensor as F32' })
}

function inFloat32(value: number): number {
  const narrow = Math.fround(value)
  if (Number.isFinite(narrow) === Number.isFinite(value)) return narrow
  throw new FoveaError('E_FILE', {
    what: 'a number beyond float32',
    got: `${value}`,
    hint: 'a float32 holds up to 3.4e38',
  })
}

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** Reads a complete file; the result shares no memory with `bytes`. Records have no prototype: any name is just a name. */
export function readSafetensors(bytes: Uint8Array, file: string): Safetensors {
  const reader = new ByteReader(bytes, file)
  const { [metadataName]: metadata = {}, ...entries } = readHeader(reader)
  const dataStart = reader.offset
  const tensors: Record<string, Tensor> = Object.create(null)
  const found = Object.entries(entries).map(([name, entry]) => entryOf(name, entry, reader))
  let end = 0
  for (const one of found.sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (one.start !== end) {
      const what = `tensor '${one.name}' leaves a hole or overlaps another`
      throw reader.error(what, { expected: `data from ${end}`, got: `${one.start}` }, dataStart + one.start)
    }
    end = one.end
    tensors[one.name] = elementsOf(one, reader)
  }
  reader.end()
  return { metadata: readMetadata(metadata, reader), tensors }
}

function readHeader(reader: ByteReader): Record<string, unknown> {
  const length = reader.u64le('the length of the header')
  if (length > maxHeader) {
    throw reader.error('the header is too long', { expected: `at most ${maxHeader} bytes`, got: `${length}` }, 0)
  }
  const json = reader.text(length, 'the header')
  if (!json.startsWith('{') || !/\} *$/.test(json)) {
    throw reader.error('not a safetensors file', { expected: "a header from '{' to '}', padded with spaces" }, 8)
  }
  const offsetOf = (at: number): number => 8 + new TextEncoder().encode(json.slice(0, at)).length
  const complain = (what: string, at: number) => reader.error(`the header ${what}`, {}, offsetOf(at))
  return parseJson(json, complain, headerLimits) as Record<string, unknown>
}

function readMetadata(metadata: unknown, reader: ByteReader): Record<string, string> {
  if (isObject(metadata) && Object.values(metadata).every((value) => typeof value === 'string')) {
    return Object.assign(Object.create(null), metadata)
  }
  throw reader.error(`${metadataName} is wrong`, { expected: 'texts by name', got: show(metadata) }, 8)
}

interface TensorEntry {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly start: number
  readonly end: number
}

/** Where a tensor says that it is, with everything checked that can be without its neighbours. */
function entryOf(name: string, entry: unknown, reader: ByteReader): TensorEntry {
  const wrong = (what: string, expected: string, got: unknown): FoveaError =>
    reader.error(`tensor '${name}': ${what}`, { expected, got: show(got) }, 8)
  if (!isObject(entry) || Object.keys(entry).sort().join() !== 'data_offsets,dtype,shape') {
    throw wrong('wrong fields', 'dtype, shape, data_offsets', isObject(entry) ? Object.keys(entry) : entry)
  }
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string' || !Object.hasOwn(fileTypes, dtype)) {
    throw wrong('unknown dtype', Object.keys(fileTypes).join(', '), dtype)
  }
  if (!isSizes(shape)) throw wrong('wrong shape', 'integers >= 0', shape)
  if (!isSizes(offsets) || offsets.length !== 2) throw wrong('wrong data_offsets', 'two integers >= 0', offsets)
  const [start, end] = offsets
  const bytes = (countOf(shape) * fileTypes[dtype].bits) / 8
  if (!Number.isSafeInteger(bytes)) throw wrong('wrong shape', 'a whole number of bytes below 2^53', shape)
  if (end - start !== bytes) {
    throw wrong('wrong data_offsets', `${bytes} bytes for ${dtype} [${shape.join(', ')}]`, offsets)
  }
  return { name, dtype, shape, start, end }
}

/** The elements of a tensor that starts where the reader is. */
function elementsOf({ name, dtype, shape, start, end }: TensorEntry, reader: ByteReader): Tensor {
  const { read } = fileTypes[dtype]
  if (!read) {
    throw reader.error(`tensor '${name}' is ${dtype}, which Fovea does not compute with`, { hint: 'save it as F32' })
  }
  const where = `${reader.file} at byte ${reader.offset}: tensor '${name}'`
  const elements = new Uint8Array(reader.take(end - start, `tensor '${name}'`)).buffer // a copy: aligned, and the caller's own
  return { shape, ...locate(where, () => read(elements)) }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isSizes = (value: unknown): value is number[] =>
  isListOf<number>(value, (n) => Number.isSafeInteger(n) && (n as number) >= 0)

/** The dtypes written, in the reference's order: the widest elements first, so that all of them are aligned. */
const writtenTypes = { float32: 'F32', int32: 'I32', uint8: 'U8' } as const
const rank = (tensor: Tensor): number => Object.keys(writtenTypes).indexOf(tensor.dtype)

/** Writes a file: the same tensors and metadata give the same bytes, whatever the order of their names. */
export function writeSafetensors({
  metadata = {},
  tensors,
}: Partial<Safetensors> & Pick<Safetensors, 'tensors'>): Uint8Array {
  const order = Object.entries(tensors).sort(([a, s], [b, t]) => rank(s) - rank(t) || compare(a, b))
  const texts = Object.entries(metadata).sort(([a], [b]) => compare(a, b))
  const header: string[] = []
  if (texts.length > 0) {
    const members = texts.map(([key, text]) => member(key, JSON.stringify(text)))
    header.push(member(metadataName, object(members)))
  }
  let size = 0
  for (const [name, { shape, dtype, data }] of order) {
    if (name === metadataName || !isSizes(shape) || countOf(shape) !== data.length) {
      const what =
        name === metadataName ? 'this name is taken by the format' : `shape [${shape.join(', ')}] does not fit`
      throw new FoveaError('E_SHAPE', { what, where: `tensor '${name}'`, got: `${data.length} elements` })
    }
    const offsets = [size, (size += data.byteLength)]
    header.push(member(name, JSON.stringify({ dtype: writtenTypes[dtype], shape, data_offsets: offsets })))
  }
  const values = order.reduce((sum, [, { shape }]) => sum + 6 + shape.length, 2 + texts.length)
  if (values > headerLimits.maxValues) {
    const expected = `at most ${headerLimits.maxValues} values in the header`
    throw new FoveaError('E_LIMIT', { what: 'too many tensors', expected, got: `${values}` })
  }
  const json = new TextEncoder().encode(object(header))
  const dataStart = 8 + Math.ceil(json.length / 8) * 8
  if (dataStart - 8 > maxHeader) {
    const got = `${dataStart - 8}`
    throw new FoveaError('E_LIMIT', { what: 'the header is too long', expected: `at most ${maxHeader} bytes`, got })
  }
  const bytes = roomFor(dataStart + size).fill(0x20, 0, dataStart)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(dataStart - 8), true)
  bytes.set(json, 8)
  let offset = dataStart
  for (const [, { data }] of order) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset)
    offset += data.byteLength
  }
  return bytes
}

function roomFor(bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes)
  } catch (cause) {
    throw new FoveaError('E_LIMIT', { what: 'there is no memory for the file', got: `${bytes} bytes`, cause })
  }
}

/** A JSON object written without JSON.stringify, because JSON.stringify would put names such as '0' first. */
const object = (members: readonly string[]): string => `{${members.join()}}`
const member = (name: string, value: string): string => `${JSON.stringify(name)}:${value}`

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
