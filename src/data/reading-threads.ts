/** Threads that read batches of a dataset, from outside. */
import type { Helper } from '#platform'
import { notStarted, sharesMemory, started, Worker, workerHint } from '#platform'
import { FoveaError } from '../base/errors.ts'
import { isShared, messageOf } from '../base/realm.ts'
import { arraysOf, buffersOf } from './batch.ts'
import type { Batch, Dataset, Description, Reading } from './dataset.ts'
import type { FromReadingThread, SentError, ToReadingThread } from './reading-protocol.ts'

interface Waiting {
  readonly thread: Helper
  readonly resolve: (batch: Batch) => void
  readonly reject: (error: unknown) => void
}

/** Arrays that several readers of one training share, by the arrays that they are copies of. */
export type SharedArrays = Map<ArrayBufferView, ArrayBufferView>

export class ReadingThreads {
  readonly #data: Dataset
  readonly #threads: readonly Helper[]
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 1
  #ended: FoveaError | undefined

  /** Starts `count` threads, each with a dataset of its own made of `source`; large arrays are shared where memory can be. */
  constructor(data: Dataset, source: Description, { count, shared }: { count: number; shared: SharedArrays }) {
    this.#data = data
    const { inputs, targets } = data
    const sent = described(data.name, () => onSharedMemory(source, shared))
    const open: ToReadingThread = { type: 'open', source: sent, inputs, targets }
    this.#threads = Array.from({ length: count }, (_, i) => {
      const thread = started(
        () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: `fovea-data-${i}` }),
        absent(data.name),
      )
      let isUp = false
      thread.listen(
        (message) => {
          isUp = true
          this.#receive(message as FromReadingThread)
        },
        (why) => this.#end((isUp ? dead : absent)(data.name)(why)),
      )
      thread.release()
      described(data.name, () => thread.postMessage(open))
      return thread
    })
  }

  /** Fills the arrays of `batch`; the answer has the same memory in other arrays. Requests go to the threads in turn. */
  read(batch: Batch, pass: number, indices: Uint32Array, { signal: _, ...reading }: Reading): Promise<Batch> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      const id = this.#nextId++
      const thread = this.#threads[id % this.#threads.length]
      this.#waiting.set(id, { thread, resolve, reject })
      thread.hold()
      const buffers = buffersOf(batch)
      thread.postMessage({ type: 'read', id, pass, indices, buffers, reading } satisfies ToReadingThread, buffers)
    })
  }

  /** The batches of this pass are no longer needed. */
  giveUp(pass: number): void {
    if (!this.#ended) for (const thread of this.#threads) thread.postMessage({ type: 'giveUp', pass })
  }

  async close(): Promise<void> {
    this.#end(new FoveaError('E_CLOSED', { what: 'the reader was closed', where: this.#data.name }))
    for (const thread of this.#threads) thread.hold() // else a process with nothing else to do is gone before they are
    await Promise.all(this.#threads.map((thread) => thread.terminate()))
  }

  #receive(message: FromReadingThread): void {
    const waiting = this.#waiting.get(message.id)
    if (!waiting) return
    this.#waiting.delete(message.id)
    if (message.type === 'failed') waiting.reject(received(message.error))
    else waiting.resolve(arraysOf(this.#data, message.buffers))
    const { thread } = waiting
    if (![...this.#waiting.values()].some((other) => other.thread === thread)) thread.release()
  }

  /** The first end counts: all that waits and all that comes later gets its error. */
  #end(error: FoveaError): void {
    if (this.#ended) return
    this.#ended = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    for (const thread of this.#threads) void thread.terminate()
  }
}

const WITHOUT = 'workers: 0 reads without threads'
const absent = (where: string) => notStarted({ where, hint: `${WITHOUT}; ${workerHint}` })
const dead = (where: string) => (got: string) =>
  new FoveaError('E_ENGINE', { what: 'a thread that reads the data died', where, got, hint: WITHOUT })

function received({ name, message, code, complaint }: SentError): Error {
  if (code && complaint) return new FoveaError(code, complaint)
  return Object.assign(new Error(message), { name })
}

/** Does something with a description that may hold what no thread can be sent. */
function described<T>(where: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    const [got, hint] = [messageOf(cause), `describe() gives plain data and arrays; ${WITHOUT}`]
    throw new FoveaError('E_DATA', { what: 'the description of the data cannot be sent', where, got, hint, cause })
  }
}

/** A description with every array in memory that threads share; as it is where they cannot, so that each gets a copy. */
function onSharedMemory<T>(value: T, shared: SharedArrays): T {
  if (!sharesMemory() || typeof value !== 'object' || value === null) return value
  if (ArrayBuffer.isView(value)) return sharedArray(value, shared) as T
  if (Array.isArray(value)) return value.map((entry) => onSharedMemory(entry, shared)) as T
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, onSharedMemory(entry, shared)])) as T
}

function sharedArray(view: ArrayBufferView, shared: SharedArrays): ArrayBufferView {
  if (isShared(view.buffer)) return view
  const known = shared.get(view)
  if (known) return known
  const { buffer, byteOffset, byteLength, constructor: kind } = view
  const copy = new Uint8Array(new SharedArrayBuffer(byteLength))
  copy.set(new Uint8Array(buffer, byteOffset, byteLength))
  const array = new (kind as new (buffer: SharedArrayBuffer) => ArrayBufferView)(copy.buffer)
  shared.set(view, array)
  return array
}
