/** What tells data sets apart, for runs that say what they learned from, and must go on with the same. */
import { checksum } from '../files/checksum.ts'
import type { Dataset, Fields } from './dataset.ts'
import { atRest } from './dataset.ts'
import { readBatch } from './reader.ts'

const SAMPLES = 256
/** Samples read at a time: photographs in float32 would fill memory otherwise. */
const AT_ONCE = 32

/**
 * A digest of a data set, 64 hexadecimal digits: of its name, length, fields (names, shapes, dtypes), class names,
 * transforms, and what it says of its `identity`, or else the bytes of 256 samples spread evenly from the first to the
 * last (all, where there are fewer), read in mode 'infer': nothing random is in it. A change to the samples between those
 * is not seen. The same on every machine; made by `checksum`, with the fields in order of their names.
 * Throws `signal.reason` when the signal comes first.
 */
export const dataHash = (dataset: Dataset, signal?: AbortSignal): Promise<string> => checksum(partsOf(dataset, signal))

async function* partsOf(dataset: Dataset, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const { name, length, inputs, targets, classNames = null, transforms } = dataset
  const about = [name, length, specsOf(inputs), specsOf(targets), classNames, ...(transforms ? [transforms] : [])]
  yield new TextEncoder().encode(JSON.stringify(about))
  const identity = await dataset.identity?.()
  if (identity !== undefined) return yield new TextEncoder().encode(identity)
  const count = Math.min(SAMPLES, length)
  const indices = Uint32Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.floor((i * (length - 1)) / (count - 1)),
  )
  for (let start = 0; start < count; start += AT_ONCE) {
    const some = indices.slice(start, start + AT_ONCE)
    const batch = await readBatch(dataset, some, { reading: atRest, signal })
    for (const side of ['inputs', 'targets'] as const) {
      for (const field of Object.keys(batch[side]).sort()) {
        const { buffer, byteOffset, byteLength } = batch[side][field]
        yield new Uint8Array(buffer, byteOffset, byteLength)
      }
    }
  }
}

const specsOf = (fields: Fields): unknown[] =>
  Object.keys(fields)
    .sort()
    .map((name) => [name, fields[name].shape, fields[name].dtype])
