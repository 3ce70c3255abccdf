/** The workers of an engine, from outside: messages go to all in one order, answers settle promises. */
import type { Helper } from '#platform'
import { notStarted, sharesMemory, started, Worker, workerHint } from '#platform'
import { FoveaError } from '../../base/errors.ts'
import { compilingForbidden } from './host.ts'
import type { FromWorker, ToWorker } from './protocol.ts'
import { commonWords } from './protocol.ts'

interface Waiting {
  resolve: (results: readonly Uint8Array[]) => void
  reject: (error: FoveaError) => void
}

type Request = Extract<ToWorker, { readonly id: number }>
type WithoutId<T> = T extends unknown ? Omit<T, 'id' | 'number'> : never

export class Threads {
  readonly count: number
  readonly #workers: Helper[]
  readonly #waiting = new Map<number, Waiting>()
  readonly #loading = new Map<number, { left: number; resolve: () => void; reject: (error: FoveaError) => void }>()
  #nextId = 1
  #runs = 0
  #ended: FoveaError | undefined

  constructor(count: number, memory: WebAssembly.Memory | undefined) {
    this.count = memory ? count : 1
    const words = commonWords.words * 4
    const common = new Int32Array(sharesMemory() ? new SharedArrayBuffer(words) : new ArrayBuffer(words))
    this.#workers = Array.from({ length: this.count }, (_, index) => {
      const worker = started(
        () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: `fovea-${index}` }),
        absent,
      )
      let isUp = false
      worker.listen(
        (message) => {
          isUp = true
          this.#receive(message as FromWorker)
        },
        (why) => this.#end(isUp ? dead(why) : absent(why)),
      )
      worker.postMessage({ type: 'start', index, threads: this.count, memory, common } satisfies ToWorker)
      worker.release()
      return worker
    })
  }

  get isOpen(): boolean {
    return this.#ended === undefined
  }

  /** Loads a program everywhere; resolves when all have it. */
  load(message: Extract<ToWorker, { type: 'load' }>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      this.#loading.set(message.program, { left: this.count, resolve, reject })
      this.#hold()
      this.tell(message)
    })
  }

  /** Says something to all; nothing comes back. */
  tell(message: Extract<ToWorker, { type: 'load' | 'unload' }>): void {
    if (!this.#ended) for (const worker of this.#workers) worker.postMessage(message)
  }

  /** Says something to worker 0; nothing comes back. */
  tellFirst(message: Extract<ToWorker, { type: 'reach' }>): void {
    if (!this.#ended) this.#workers[0].postMessage(message)
  }

  /** Asks worker 0, and for a run all of them; the answer is worker 0's. */
  ask(request: WithoutId<Request>, transfer: readonly ArrayBuffer[] = []): Promise<readonly Uint8Array[]> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      const message = {
        ...request,
        id: this.#nextId++,
        ...(request.type === 'run' && { number: ++this.#runs }),
      } as Request
      this.#waiting.set(message.id, { resolve, reject })
      this.#hold()
      this.#workers[0].postMessage(message, transfer)
      if (message.type !== 'run') return
      for (const worker of this.#workers.slice(1)) worker.postMessage({ ...message, inputs: [], outputs: [] })
    })
  }

  async close(): Promise<void> {
    this.#end(new FoveaError('E_CLOSED', { what: 'the engine was closed' }))
    this.#hold() // else a process with nothing else to do is gone before its workers are
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #receive(message: FromWorker): void {
    if (this.#ended) return
    if (message.type === 'failed') this.#end(failure(message))
    else if (message.type === 'done') {
      this.#waiting.get(message.id)?.resolve(message.results)
      this.#waiting.delete(message.id)
    } else if (message.type === 'loaded') {
      const loading = this.#loading.get(message.program)
      if (loading && --loading.left === 0) {
        loading.resolve()
        this.#loading.delete(message.program)
      }
    }
    this.#release()
  }

  /** The first end counts: all that waits and all that comes later gets its error. */
  #end(error: FoveaError): void {
    if (this.#ended) return
    this.#ended = error
    for (const { reject } of [...this.#waiting.values(), ...this.#loading.values()]) reject(error)
    this.#waiting.clear()
    this.#loading.clear()
    for (const worker of this.#workers) void worker.terminate()
  }

  #hold(): void {
    for (const worker of this.#workers) worker.hold()
  }

  #release(): void {
    if (this.#waiting.size + this.#loading.size === 0) for (const worker of this.#workers) worker.release()
  }
}

function failure({ message, because }: Extract<FromWorker, { type: 'failed' }>): FoveaError {
  if (because === 'policy') return compilingForbidden(message)
  if (because === 'bug') return new FoveaError('E_BUG', { what: 'a kernel of the wasm engine failed', got: message })
  const hint = 'use a smaller batch, or close models that are no longer needed'
  return new FoveaError('E_LIMIT', { what: 'the wasm engine got no more memory', got: message, hint })
}

const absent = notStarted({ where: 'wasm', hint: workerHint })

const dead = (why: string): FoveaError =>
  new FoveaError('E_ENGINE', {
    what: 'a worker of the wasm engine died, and the weights that it held with it',
    got: why,
    hint: 'load the model again from its file, or continue from a checkpoint',
  })
