/**
 * The checkpoint file: safetensors, with the facts as JSON in the metadata. Its last 64 bytes, in the header a uint8 tensor
 * named sha256, are the checksum (files/checksum.ts, pieces of 64 MiB) of all bytes before them, in every version.
 */

import { FoveaError, locate } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isFloat64 } from '../base/realm.ts'
import type { Numbers } from '../compile/engine.ts'
import { checksum } from '../files/checksum.ts'
import { readSafetensors, writeSafetensors } from '../files/safetensors.ts'
import type { Tensor } from '../files/tensor.ts'
import { dtypeOf } from '../graph/dtype.ts'
import { exactJsonFromText, exactJsonToText, type JsonObject } from './exact-json.ts'

/** Raised when an older Fovea could not read the file any more. */
export const CHECKPOINT_VERSION = 1

/** float32, int32, uint8, or the reference engine's float64: each comes back to the bit. */
export interface StoredTensor {
  readonly shape: readonly number[]
  readonly data: Numbers
}

export interface Checkpoint {
  readonly tensors: Readonly<Record<string, StoredTensor>>
  readonly facts: JsonObject
}

const FORMAT = 'fovea-checkpoint'
const PIECE = 2 ** 26
/** safetensors of one dtype are in the order of their names: the checksum's is behind all that begin with these. */
const CHECKSUM = 'sha256'
const DIGITS = 64
const PLAIN = 'numbers/'
/** A float64 tensor is stored as its bytes, with an axis of 8 at the end: readers of safetensors may round the F64 they know. */
const WIDE = 'float64/'

/** Tensors and facts are read before this returns its promise. Throws E_SHAPE, E_DTYPE, or E_OPTION for facts that are no JSON. */
export async function checkpointToBytes({ tensors, facts }: Checkpoint): Promise<Uint8Array> {
  const stored = Object.entries(tensors).map(([name, tensor]) => toStored(name, tensor))
  const place: Tensor = { shape: [DIGITS], dtype: 'uint8', data: new Uint8Array(DIGITS) }
  const bytes = writeSafetensors({
    metadata: { format: FORMAT, formatVersion: String(CHECKPOINT_VERSION), facts: exactJsonToText(facts) },
    tensors: Object.fromEntries([...stored, [CHECKSUM, place]]),
  })
  bytes.set(new TextEncoder().encode(await checksumOf(bytes)), bytes.length - DIGITS)
  return bytes
}

/** Throws E_FILE when any bit of the file is not as it was written, E_VERSION when a newer Fovea wrote it. */
export async function checkpointFromBytes(bytes: Uint8Array, file: string): Promise<Checkpoint> {
  const isWhole = (await checksumOf(bytes)) === String.fromCharCode(...bytes.subarray(-DIGITS))
  const { metadata, tensors } = readSafetensors(bytes, file)
  if (metadata['format'] !== FORMAT && (isWhole || !(CHECKSUM in tensors))) {
    const what = 'is a safetensors file, but not a checkpoint of Fovea'
    throw new FoveaError('E_FILE', { what, where: file, expected: `format: ${FORMAT}`, got: show(metadata['format']) })
  }
  if (!isWhole) throw new FoveaError('E_FILE', { what: 'is damaged: the checksum does not match', where: file })
  return locate(file, () => {
    checkVersion(metadata['formatVersion'] ?? '')
    const stored = Object.entries(tensors).filter(([name]) => name !== CHECKSUM)
    return {
      tensors: Object.fromEntries(stored.map(([name, tensor]) => fromStored(name, tensor))),
      facts: readFacts(metadata['facts'] ?? ''),
    }
  })
}

const checksumOf = (bytes: Uint8Array): Promise<string> => checksum(piecesOf(bytes.subarray(0, -DIGITS)))

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE)
}

function toStored(name: string, { shape, data }: StoredTensor): [name: string, Tensor] {
  if (isFloat64(data)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return [WIDE + name, { shape: [...shape, 8], dtype: 'uint8', data: bytes }]
  }
  const dtype = dtypeOf(data)
  if (dtype) return [PLAIN + name, { shape, dtype, data }]
  const expected = 'a Float32Array, Int32Array, Uint8Array or Float64Array'
  throw new FoveaError('E_DTYPE', { what: 'cannot be kept in a checkpoint', where: name, expected, got: show(data) })
}

function fromStored(name: string, { shape, dtype, data }: Tensor): [name: string, StoredTensor] {
  if (name.startsWith(PLAIN)) return [name.slice(PLAIN.length), { shape, data }]
  if (name.startsWith(WIDE) && dtype === 'uint8' && shape[shape.length - 1] === 8)
    return [name.slice(WIDE.length), { shape: shape.slice(0, -1), data: new Float64Array(data.buffer) }]
  throw new FoveaError('E_FILE', { what: 'a tensor that does not belong in a checkpoint', where: name })
}

function checkVersion(text: string): void {
  const version = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0
  if (version === 0) throw new FoveaError('E_FILE', { what: 'formatVersion is not a number', got: show(text) })
  if (version <= CHECKPOINT_VERSION) return
  throw new FoveaError('E_VERSION', {
    what: 'was written by a newer Fovea',
    expected: `checkpoint format ${CHECKPOINT_VERSION} or older`,
    got: `${version}`,
    hint: 'update Fovea',
  })
}

function readFacts(text: string): JsonObject {
  try {
    return exactJsonFromText(text)
  } catch (cause) {
    throw new FoveaError('E_FILE', { what: "'facts' in the metadata is not a JSON object", cause })
  }
}
