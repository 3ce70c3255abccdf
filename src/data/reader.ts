/** Batches of a dataset, read ahead of their use, into arrays that are used again and again. */
import { FoveaError } from '../base/errors.ts'
import { integer } from '../base/options.ts'
import { allocateBatch, BatchPool, clearRest } from './batch.ts'
import type { Batch, Dataset, Reading } from './dataset.ts'
import type { SharedArrays } from './reading-threads.ts'
import { ReadingThreads } from './reading-threads.ts'

/** Options of all that reads a dataset; they change the speed, never a result. */
export const readingOptions = {
  workers: integer({
    says: 'threads that read the data, for transforms that take long; 0 reads between steps',
    min: 0,
    max: 64,
    default: 0,
  }),
  prefetch: integer({
    says: 'batches that are read ahead of the one in use; 2, or 2 for each worker, when absent',
    min: 0,
    max: 1024,
    optional: true,
  }),
}

export interface ReaderOptions {
  readonly workers?: number | undefined
  readonly prefetch?: number | undefined
  /** Given by those who open several readers that may be of the same arrays. */
  readonly shared?: SharedArrays
}

/** What is read in one go: an epoch, or a part of it. */
export interface Pass {
  /** Batches are numbered: the first, and the one behind the last. */
  readonly from?: number
  readonly to: number
  /** The samples of a batch. */
  readonly indicesOf: (batch: number) => Uint32Array
  /** Samples that the arrays have room for, with zeros behind those of the batch; as many as it has when absent. */
  readonly capacity?: number
  readonly reading: Omit<Reading, 'signal'>
  /** Ends the pass: the batch that is waited for throws `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** A batch that was read. */
export interface Filled {
  readonly arrays: Batch
  readonly indices: Uint32Array
  /** The arrays may be filled again. */
  readonly release: () => void
}

/**
 * Reads a dataset batch by batch, in order. Without workers the batches are read one after the other on this thread, and
 * up to `prefetch` of them are ready; with workers each of these reads whole batches. The samples are the same in any
 * case. Nothing is allocated for arrays once as many as are in use at a time have been given back.
 */
export class Reader {
  readonly #data: Dataset
  readonly #options: ReaderOptions
  readonly #pool: BatchPool
  #threads: ReadingThreads | undefined
  #passes = 0

  /** Throws E_OPTION where workers cannot read the dataset. Threads start with the first pass. */
  constructor(data: Dataset, options: ReaderOptions = {}) {
    this.#data = data
    this.#options = options
    this.#pool = new BatchPool(data)
    if (options.workers && !data.describe?.()) {
      throw new FoveaError('E_OPTION', {
        what: 'workers cannot read this dataset: it has a reading function of its own',
        where: data.name,
        hint: 'give workers: 0; fromArrays, subset, split, take, transform and the datasets by name make others',
      })
    }
  }

  /** The batches of a pass; one pass at a time. To stop early, call `return()`, as `for await` does. */
  async *batches({ from = 0, to, indicesOf, capacity, reading, signal }: Pass): AsyncGenerator<Filled, undefined> {
    const { workers = 0, prefetch = Math.max(2, 2 * workers) } = this.#options
    const giveUp = new AbortController()
    const onAbort = (): void => giveUp.abort(signal?.reason)
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort)
    const read = this.#reading(workers, { ...reading, signal: giveUp.signal })
    const ahead: Promise<Filled>[] = []
    try {
      for (let next = from; ; ) {
        giveUp.signal.throwIfAborted()
        for (; next < to && ahead.length <= prefetch; next++) {
          const indices = indicesOf(next)
          const filled = read(indices, capacity ?? indices.length)
          filled.catch(() => {}) // it is waited for when its turn comes
          ahead.push(filled)
        }
        if (ahead.length === 0) return
        yield await (signal ? unlessAborted(ahead[0], giveUp.signal) : ahead[0])
        ahead.shift()
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
      giveUp.abort()
      for (const filled of ahead) void filled.then(({ release }) => release()).catch(() => {})
      // an abort does not wait for readers that ignore the signal
      if (!signal?.aborted) await atMost(PATIENCE, Promise.allSettled(ahead))
    }
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#threads?.close()
    this.#threads = undefined
  }

  /** How the batches of a pass are read. */
  #reading(workers: number, reading: Reading): (indices: Uint32Array, capacity: number) => Promise<Filled> {
    const pass = ++this.#passes
    const threads = workers > 0 ? this.#opened(workers) : undefined
    if (threads) reading.signal?.addEventListener('abort', () => threads.giveUp(pass))
    const fill = async (capacity: number, indices: Uint32Array): Promise<Batch> => {
      reading.signal?.throwIfAborted()
      const batch = this.#pool.take(capacity)
      if (threads) return threads.read(batch, pass, indices, reading)
      await this.#data.read(indices, batch, reading)
      return batch
    }
    return async (indices, capacity) => {
      const arrays = await (threads ? fill(capacity, indices) : inTurn(this.#data, () => fill(capacity, indices)))
      clearRest(arrays, indices.length, capacity)
      let isOut = true
      const release = (): void => {
        if (isOut) this.#pool.give(arrays, capacity)
        isOut = false
      }
      return { arrays, indices, release }
    }
  }

  #opened(count: number): ReadingThreads {
    const source = this.#data.describe?.()
    if (!source) throw new FoveaError('E_BUG', { what: 'a dataset changed while it was read', where: this.#data.name })
    this.#threads ??= new ReadingThreads(this.#data, source, { count, shared: this.#options.shared ?? new Map() })
    return this.#threads
  }
}

/** Milliseconds that the end of a pass waits for readings which do not listen to their signal. */
const PATIENCE = 1000

async function atMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise, over])
  clearTimeout(timer)
}

/** Reads under way on this thread, by dataset: when the last of them is done. */
const turns = new WeakMap<Dataset, Promise<unknown>>()

/** Reads when all reads of the dataset that were asked for before are done: it is called again only then. */
function inTurn<T>(data: Dataset, read: () => Promise<T>): Promise<T> {
  const before = turns.get(data)
  const done = before ? before.then(read) : read()
  const settled = done.then(nothing, nothing).then(() => {
    if (turns.get(data) === settled) turns.delete(data)
  })
  turns.set(data, settled)
  return done
}
const nothing = (): void => {}

/** One batch by itself, in new arrays. Throws `signal.reason` when the signal comes first. */
export async function readBatch(
  data: Dataset,
  indices: Uint32Array,
  { capacity = indices.length, reading, signal }: Pick<Pass, 'capacity' | 'reading' | 'signal'>,
): Promise<Batch> {
  signal?.throwIfAborted()
  const arrays = allocateBatch(data, capacity)
  const done = inTurn(data, async () => {
    signal?.throwIfAborted()
    await data.read(indices, arrays, { ...reading, signal })
  })
  await (signal ? unlessAborted(done, signal) : done)
  return arrays
}

/** What a promise gives, unless the signal comes before. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    void promise.then(resolve, reject).then(() => signal.removeEventListener('abort', onAbort))
  })
}
