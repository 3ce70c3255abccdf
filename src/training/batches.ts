/** Where the batches of a training come from: samples of a dataset by number, epoch after epoch. */
import { permutation, stream } from '../base/random.ts'
import type { Batch, Dataset } from '../data/dataset.ts'
import type { Filled, Reader } from '../data/reader.ts'
import { readBatch } from '../data/reader.ts'

/** A batch to train on. */
export interface TrainingBatch {
  readonly arrays: Batch
  /** Numbers of its samples in what `name` says: the dataset, or only this batch. */
  readonly indices: ArrayLike<number>
  readonly name: string
  /** What each counts for, where the batch itself says so. */
  readonly sampleWeight?: ArrayLike<number> | undefined
  /** The same arrays once more: by then others may have been read into these. */
  readonly again: () => Promise<Batch>
  /** Others may be read into the arrays from now on. */
  readonly release?: () => void
}

/** The batches of one epoch. */
export interface EpochBatches {
  /** Batch number `batch`, 0 for the first, one after the other from any on; undefined where there are no more. */
  read(batch: number): Promise<TrainingBatch | undefined>
  /** Gives up what is read ahead. */
  close(): Promise<void>
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
  /** Ends the threads that read, where there are any. */
  close(): Promise<void>
}

export interface DatasetBatches {
  /** Batches of an epoch, at most as many as there are. */
  readonly batches: number
  readonly batchSize: number
  readonly shuffle: boolean
  readonly seed: number
  readonly reader: Reader
  readonly signal: AbortSignal | undefined
}

/** The samples of a dataset, by `batchSize` of them, the rest at the end: in its order, or in a new one every epoch. */
export function datasetBatches(
  data: Dataset,
  { batches, batchSize, shuffle, seed, reader, signal }: DatasetBatches,
): BatchSource {
  const orderOf = (epoch: number): Uint32Array =>
    shuffle
      ? permutation({ seed, stream: stream('shuffle'), step: epoch }, data.length)
      : Uint32Array.from({ length: data.length }, (_, i) => i)
  return {
    data,
    samples: Math.min(data.length, batches * batchSize),
    batchSize: Math.min(batchSize, data.length),
    batches,
    close: () => reader.close(),
    epoch(epoch) {
      const order = orderOf(epoch)
      const indicesOf = (batch: number) => order.subarray(batch * batchSize, (batch + 1) * batchSize)
      const reading = { mode: 'train', epoch: epoch + 1, seed } as const
      let queue: AsyncGenerator<Filled, undefined> | undefined
      return {
        sizeOf: (batch) => indicesOf(batch).length,
        async read(batch) {
          queue ??= reader.batches({ from: batch, to: batches, indicesOf, reading, signal })
          const filled = await nextOf(queue, signal)
          if (!filled) return undefined
          const again = (): Promise<Batch> => readBatch(data, filled.indices, { reading })
          return { ...filled, name: data.name, again }
        },
        close: async () => void (await queue?.return(undefined)),
      }
    },
  }
}

/** The next batch; undefined where there is none, or the signal came first. */
async function nextOf(queue: AsyncIterator<Filled>, signal: AbortSignal | undefined): Promise<Filled | undefined> {
  try {
    return (await queue.next()).value
  } catch (error) {
    if (signal?.aborted) return undefined // whatever a reading says that was given up
    throw error
  }
}
