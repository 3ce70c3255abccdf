import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { dtypes, type TypedArray, zeros } from '../graph/dtype.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Batch, Dataset, Fields } from './dataset.ts'
import { wantFields } from './dataset.ts'

type BatchFields = Pick<Dataset, 'inputs' | 'targets'>

/** Arrays for `size` samples of a dataset, to be read into again and again. */
export function allocateBatch(dataset: BatchFields, size: number): Batch {
  wantFields(dataset, 'allocateBatch')
  const { inputs, targets } = dataset
  const isCount = Number.isSafeInteger(size) && size >= 0
  if (!isCount) {
    const expected = 'an integer >= 0'
    throw new FoveaError('E_OPTION', { what: 'wrong size', where: 'allocateBatch', expected, got: show(size) })
  }
  const allocate = (fields: Fields): Record<string, TypedArray> =>
    Object.fromEntries(
      Object.entries(fields).map(([name, { shape, dtype }]) => [name, zeros(dtype, size * sizeOf(shape))]),
    )
  return { inputs: allocate(inputs), targets: allocate(targets) }
}

/** Arrays of batches that are not in use, to be filled again. Nothing is cleared in between. */
export class BatchPool {
  readonly #fields: BatchFields
  readonly #free = new Map<number, Batch[]>()

  constructor(fields: BatchFields) {
    this.#fields = fields
  }

  /** Arrays for `size` samples: some that were given back, or new ones. */
  take(size: number): Batch {
    return this.#free.get(size)?.pop() ?? allocateBatch(this.#fields, size)
  }

  /** Takes arrays for `size` samples that are no longer used. */
  give(batch: Batch, size: number): void {
    const free = this.#free.get(size)
    if (free) free.push(batch)
    else this.#free.set(size, [batch])
  }
}

/** The memory of a batch's arrays, inputs first, to be sent to a thread; each array has a buffer of its own. */
export const buffersOf = ({ inputs, targets }: Batch): ArrayBuffer[] =>
  [...Object.values(inputs), ...Object.values(targets)].map(({ buffer }) => buffer as ArrayBuffer)

/** Arrays over the memory that came from a thread. */
export function arraysOf({ inputs, targets }: BatchFields, buffers: readonly ArrayBuffer[]): Batch {
  const rest = buffers.values()
  const over = (fields: Fields): Record<string, TypedArray> =>
    Object.fromEntries(
      Object.entries(fields).map(([name, { dtype }]) => [
        name,
        new dtypes[dtype].array(rest.next().value as ArrayBuffer),
      ]),
    )
  return { inputs: over(inputs), targets: over(targets) }
}

/** Zeros behind the first `count` of `capacity` samples. */
export function clearRest({ inputs, targets }: Batch, count: number, capacity: number): void {
  if (count === capacity) return
  for (const values of [...Object.values(inputs), ...Object.values(targets)]) {
    values.fill(0, (values.length / capacity) * count)
  }
}
