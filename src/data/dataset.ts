/** Datasets: indexable, asynchronous, read a batch at a time into arrays that the caller owns. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { holdsNumbers, isListOf } from '../base/realm.ts'
import type { TensorSpec, TypedArray } from '../graph/dtype.ts'
import { isSurfaceDType } from '../graph/dtype.ts'
import { isShape, sizeOf } from '../graph/shape.ts'
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
  /** Aborted when the samples are no longer needed: what takes long stops and throws `signal.reason`. */
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
  /** The dataset as data, for `workers`; undefined where `read` is not the one that it describes (`{ ...data, read }`). */
  describe?(): Description | undefined
  /** A text that only the same samples have, instead of those that `dataHash` would read; undefined as above. */
  identity?(): Promise<string | undefined>
}

/** A dataset as it is published: a part to learn from, and a part to be judged by. */
export interface Parts {
  readonly train: Dataset
  readonly test: Dataset
}

/** Whether a value reads samples, as datasets do. */
export const isDataset = (value: unknown): value is Dataset =>
  typeof (value as Dataset | undefined | null)?.read === 'function'

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null
const isFields = (value: unknown): value is Fields =>
  isRecord(value) && Object.values(value).every((spec) => isSurfaceDType(spec?.dtype) && isShape(spec.shape))

/** The way out for what people give in the place of data, where it is known. */
export function wayOut(given: unknown): string | undefined {
  const { then, next, train } = (given ?? {}) as { then?: unknown; next?: unknown; train?: unknown }
  if (typeof given === 'function') return 'it is a function: call it'
  if (typeof then === 'function') return 'it is a promise: await it'
  if (isDataset(train)) return 'did you mean its part .train or .test?'
  if (typeof next === 'function') return 'batches as they come are for fit only: fromArrays({ name, inputs, targets })'
  const isArrays = ArrayBuffer.isView(given) || Array.isArray(given)
  return isArrays ? 'arrays of inputs and targets: fromArrays({ name, inputs, targets })' : undefined
}

/** The first property of a dataset that is wrong. */
function wrongIn(
  data: Partial<Dataset>,
): { readonly what: string; readonly expected: string; readonly got: string } | undefined {
  const { name, length, inputs, targets, read, transforms } = data
  const wrong = (what: string, expected: string, got: unknown) => ({
    what: `'${what}' is wrong`,
    expected,
    got: show(got),
  })
  if (typeof read !== 'function') return wrong('read', 'a function', read)
  if (typeof name !== 'string') return wrong('name', 'a text', name)
  if (!Number.isSafeInteger(length) || (length as number) < 1) return wrong('length', 'an integer >= 1', length)
  for (const [side, fields] of Object.entries({ inputs, targets })) {
    if (!isRecord(fields)) return wrong(side, '{ shape, dtype } by name', fields)
    for (const [field, spec] of Object.entries(fields)) {
      const { dtype, shape } = (spec ?? {}) as Partial<TensorSpec>
      if (!isSurfaceDType(dtype)) return wrong(`${side}.${field}.dtype`, 'float32, int32 or uint8', dtype)
      if (!isShape(shape)) return wrong(`${side}.${field}.shape`, 'a list of integers >= 1', shape)
    }
  }
  for (const call of ['describe', 'identity'] as const)
    if (data[call] !== undefined && typeof data[call] !== 'function') return wrong(call, 'a function', data[call])
  const areSteps = isListOf(transforms, (step) => isRecord(step) && 'type' in step)
  if (transforms === undefined || areSteps) return undefined
  return wrong('transforms', 'a list of { type, ...options }', transforms)
}

/** Throws E_MISMATCH unless it is a dataset with a sample at least; `where` is who needs one. */
export function wantDataset(data: unknown, where: string): asserts data is Dataset {
  const looksLikeOne = isDataset(data) || (isRecord(data) && 'inputs' in data)
  if (looksLikeOne) {
    const wrong = wrongIn(data as Partial<Dataset>)
    if (!wrong) return
    throw new FoveaError('E_MISMATCH', { ...wrong, what: `needs a dataset, and its ${wrong.what}`, where })
  }
  const hint = wayOut(data)
  const expected = 'samples by number: { name, length >= 1, inputs, targets, read }, as fromArrays makes them'
  throw new FoveaError('E_MISMATCH', {
    what: 'needs a dataset',
    where,
    expected,
    got: show(data),
    ...(hint && { hint }),
  })
}

/** Throws E_DATA unless it has inputs and targets, each a dtype and the shape of one sample. */
export function wantFields(value: unknown, where: string): void {
  const { inputs, targets } = (value ?? {}) as Partial<Dataset>
  if (isFields(inputs) && isFields(targets)) return
  const expected = '{ inputs, targets }, each by name { shape, dtype }, as a dataset has them'
  throw new FoveaError('E_DATA', { what: 'no fields', where, expected, got: show(value) })
}

/** Throws E_DATA unless a batch has room for `count` samples of every field. */
export function wantBatch(
  batch: unknown,
  { inputs, targets, name }: Pick<Dataset, 'inputs' | 'targets' | 'name'>,
  count: number,
): void {
  const sides = (batch ?? {}) as Partial<Batch>
  for (const [side, fields] of Object.entries({ inputs, targets })) {
    for (const [field, { shape }] of Object.entries(fields)) {
      const array = sides[side as 'inputs']?.[field]
      if (holdsNumbers(array) && array.length >= count * sizeOf(shape)) continue
      const [where, hint] = [`${name}: ${side}.${field}`, 'allocateBatch(data, size) makes such arrays']
      throw new FoveaError('E_DATA', { what: `no array for ${count} samples`, where, got: show(array), hint })
    }
  }
}
