/** Where the batches of a training come from: samples of a dataset by number, epoch after epoch. */
import { permutation, stream } from '../base/random.ts'
import { allocateBatch } from '../data/batch.ts'
import type { Batch, Dataset } from '../data/dataset.ts'

/** A batch to train on. */
export interface TrainingBatch {
  readonly arrays: Batch
  /** Numbers of its samples in what `name` says: the dataset, or this batch alone. */
  readonly indices: ArrayLike<number>
  readonly name: string
  /** What each counts for, where the batch itself says so. */
  readonly sampleWeight?: ArrayLike<number> | undefined
  /** The same arrays once more: by then others may have been read into these. */
  readonly again: () => Promise<Batch>
}

/** The batches of one epoch. */
export interface EpochBatches {
  /** Batch number `batch`, 0 for the first; undefined where there are no more. */
  read(batch: number): Promise<TrainingBatch | undefined>
  /** Samples in a batch. */
  sizeOf(batch: number): number
}

export interface BatchSource {
  /** Batches of an epoch. */
  readonly batches: number
  /** Samples of a batch, in all but the last. */
  readonly batchSize: number
  /** Samples of an epoch, where that is known. */
  readonly samples: number | undefined
  /** The dataset behind it, where there is one. */
  readonly data: Dataset | undefined
  /** Those of the session's epoch `epoch`, 0 for its first. */
  epoch(epoch: number): EpochBatches
}

/** The samples of a dataset, by `batchSize` of them, the rest at the end: in its order, or in a new one every epoch. */
export function datasetBatches(
  data: Dataset,
  { batchSize, shuffle, seed }: { readonly batchSize: number; readonly shuffle: boolean; readonly seed: number },
): BatchSource {
  const orderOf = (epoch: number): Uint32Array =>
    shuffle
      ? permutation({ seed, stream: stream('shuffle'), step: epoch }, data.length)
      : Uint32Array.from({ length: data.length }, (_, i) => i)
  return {
    data,
    samples: data.length,
    batchSize: Math.min(batchSize, data.length),
    batches: Math.ceil(data.length / batchSize),
    epoch(epoch) {
      const order = orderOf(epoch)
      const indicesOf = (batch: number) => order.subarray(batch * batchSize, (batch + 1) * batchSize)
      return {
        sizeOf: (batch) => indicesOf(batch).length,
        async read(batch) {
          const indices = indicesOf(batch)
          const read = async (): Promise<Batch> => {
            const arrays = allocateBatch(data, indices.length)
            await data.read(indices, arrays)
            return arrays
          }
          return { arrays: await read(), indices, name: data.name, again: read }
        },
      }
    },
  }
}
