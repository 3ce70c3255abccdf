import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { type TypedArray, zeros } from '../graph/dtype.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Batch, Dataset, Fields } from './dataset.ts'
import { wantFields } from './dataset.ts'

/** Arrays for `size` samples of a dataset, to be read into again and again. */
export function allocateBatch(dataset: Pick<Dataset, 'inputs' | 'targets'>, size: number): Batch {
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
