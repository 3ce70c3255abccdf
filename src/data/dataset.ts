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

/**
 * What a reading is for. All that is random in a sample is a function of this and of the sample's number, never of what
 * was read before.
 */
export interface Reading {
  /** 'train': augmentations draw. 'infer', for evaluate, predict and digests: they leave samples as they are. */
  readonly mode: 'train' | 'infer'
  /** The epoch under way, 1 for the first that the model has seen; 0 in mode 'infer'. */
  readonly epoch: number
  readonly seed: number
  /** Aborted when nobody waits for the samples any more: what takes long stops and throws `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** What a dataset is read for where nothing is said. */
export const atRest: Reading = { mode: 'infer', epoch: 0, seed: 0 }

/** A dataset as data, of which a worker makes the same one: `type` is a row of the table in `sources.ts`. */
export interface Description {
  readonly type: string
  readonly [option: string]: unknown
}

/** One thing that is done to samples when they are read, as data: `{ type: 'randomFlip', mode: 'horizontal', ... }`. */
export interface TransformStep {
  readonly type: string
  readonly [option: string]: unknown
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
  /** What is done to the samples whenever they are read, the first thing first; part of what tells datasets apart. */
  readonly transforms?: readonly TransformStep[]
  /**
   * Writes sample `indices[i]` at place i of every array of `into`. Called again only when it is done. `reading` says
   * what for; a dataset of which nothing is random may ignore it.
   */
  read(indices: ArrayLike<number>, into: Batch, reading?: Reading): Promise<void>
  /** The dataset as data, for `workers`; undefined where `read` is not the one that it tells of (`{ ...data, read }`). */
  describe?(): Description | undefined
  /** A text that only the same samples have, in the place of those that `dataHash` would read; undefined as above. */
  identity?(): Promise<string | undefined>
}

/** A dataset as it is published: a part to learn from, and a part to be judged by. */
export interface Parts {
  readonly train: Dataset
  readonly test: Dataset
}
