/** Parts of a dataset: the same samples by other indices, nothing is copied. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { checksum } from '../files/checksum.ts'
import type { Dataset } from './dataset.ts'
import { wantDataset } from './dataset.ts'
import { checkIndices } from './in-memory.ts'

/** The samples at `indices`, in that order; an index may come more than once. */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  wantDataset(dataset, 'subset')
  checkIndices(indices, dataset.length, dataset.name)
  const chosen = Uint32Array.from(indices)
  const { transforms } = dataset
  const read: Dataset['read'] = async (wanted, into, reading) => {
    checkIndices(wanted, chosen.length, dataset.name)
    const own = Uint32Array.from(wanted, (i) => chosen[i])
    await dataset.read(own, into, reading)
  }
  return {
    ...dataset,
    length: chosen.length,
    // transforms of a part draw by other numbers than a part of what was transformed
    ...(transforms && { transforms: [...transforms, { type: 'subset' }] }),
    read,
    describe() {
      const base = this.read === read ? dataset.describe?.() : undefined
      return base && { type: 'subset', base, indices: chosen }
    },
    async identity() {
      const base = this.read === read ? await dataset.identity?.() : undefined
      return base && checksum([new TextEncoder().encode(base), new Uint8Array(chosen.buffer)])
    },
  }
}

/** The first `count` samples, or all when there are fewer. */
export function take(dataset: Dataset, count: number): Dataset {
  wantDataset(dataset, 'take')
  if (!(Number.isInteger(count) && count > 0)) {
    throw new FoveaError('E_OPTION', {
      what: 'wrong count',
      where: 'take',
      expected: 'an integer >= 1',
      got: show(count),
    })
  }
  return range(dataset, 0, Math.min(count, dataset.length))
}

/**
 * The samples before and within the last `fraction`, in their order, as Keras's validation_split has it:
 * the cut is at floor(length * (1 - fraction)).
 */
export function split(dataset: Dataset, fraction: number): [first: Dataset, last: Dataset] {
  wantDataset(dataset, 'split')
  const cut = typeof fraction === 'number' ? Math.floor(dataset.length * (1 - fraction)) : 0
  if (!(cut > 0 && fraction > 0 && fraction < 1)) {
    throw new FoveaError('E_OPTION', {
      what: `${dataset.length} samples cannot be split`,
      where: dataset.name,
      expected: 'a fraction > 0 and < 1 that leaves a sample on both sides',
      got: show(fraction),
    })
  }
  return [range(dataset, 0, cut), range(dataset, cut, dataset.length)]
}

const range = (dataset: Dataset, start: number, end: number): Dataset =>
  subset(
    dataset,
    Uint32Array.from({ length: end - start }, (_, i) => start + i),
  )
