import { type TypedArray, zeros } from '../graph/dtype.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Batch, Dataset, Fields } from './dataset.ts'

/** Arrays for `size` samples of a dataset, to be read into again and again. */
export function allocateBatch({ inputs, targets }: Pick<Dataset, 'inputs' | 'targets'>, size: number): Batch {
  const allocate = (fields: Fields): Record<string, TypedArray> =>
    Object.fromEntries(
      Object.entries(fields).map(([name, { shape, dtype }]) => [name, zeros(dtype, size * sizeOf(shape))]),
    )
  return { inputs: allocate(inputs), targets: allocate(targets) }
}
