/** Datasets: indexable, asynchronous, read a batch at a time into arrays that the caller owns. */
import type { TensorSpec, TypedArray } from '../graph/dtype.ts'
import type { PreprocessingOptions } from './preprocessing.ts'

/** Specs by name; shapes are those of one sample, without the batch axis. */
export type Fields = Readonly<Record<string, TensorSpec>>

/** The arrays of a batch, by field name; sample i of a field starts at i times the size of one sample. */
export interface Batch {
  readonly inputs: Readonly<Record<string, TypedArray>>
  readonly targets: Readonly<Record<string, TypedArray>>
}

/** A dataset knows its size and fields at once, and reads any samples in any order. */
export interface Dataset {
  readonly name: string
  readonly length: number
  /** What a model is fed: `{ image: { shape: [28, 28, 1], dtype: 'uint8' } }`. Pixels stay uint8, 0 to 255. */
  readonly inputs: Fields
  /** What it should answer: `{ label: { shape: [], dtype: 'int32' } }` for class indices, `[classes]` float32 for one-hot rows. */
  readonly targets: Fields
  /** One name per class, for a classifier. */
  readonly classNames?: readonly string[]
  /** What makes an input of a picture, for models that learn from this data. */
  readonly preprocessing?: PreprocessingOptions
  /** Where the samples came from, in words for people. */
  readonly source?: string
  /** Writes sample `indices[i]` at place i of every array of `into`. */
  read(indices: ArrayLike<number>, into: Batch): Promise<void>
}

/** A dataset as it is published: a part to learn from, and a part to be judged by. */
export interface Parts {
  readonly train: Dataset
  readonly test: Dataset
}
