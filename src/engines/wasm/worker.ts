/**
 * A worker of the wasm engine: takes parts of each stage until none are left, and goes on when all of them are done. It
 * waits for work, never for workers: one that wakes late finds what is left. (At a barrier of all workers, a
 * program of one small stage took 79 us on two threads, of which 60 were the second one's awakening.)
 */
import type { Port } from '#platform'
import { parentPort } from '#platform'
import type { FromWorker, Launch, Place, ToWorker } from './protocol.ts'
import { commonWords, counterWords } from './protocol.ts'

type Kernel = (...pointersBeginEnd: number[]) => void

interface Ready extends Launch {
  readonly kernel: Kernel
  readonly parts: number
}

interface Loaded {
  readonly launches: readonly Ready[]
  readonly counters: Int32Array
  /** Runs begun. */
  runs: number
  /** Arguments of every launch for the arena they were made for. */
  arena: number
  calls: number[][]
}

/** Turns of looking before a worker goes to sleep: stages follow each other closely. */
const SPINS = 4000

/** Counters are never set back, so that a late worker cannot mistake an old run for a new one; they may wrap around. */
const hasReached = (counter: number, target: number): boolean => ((counter - target) | 0) >= 0

class Crew {
  readonly #port: Port
  readonly #programs = new Map<number, Loaded>()
  #index = 0
  #threads = 1
  #memory = new WebAssembly.Memory({ initial: 0 })
  #common: Int32Array = new Int32Array(commonWords.count)

  constructor(port: Port) {
    this.#port = port
  }

  receive(message: ToWorker): void {
    if (Atomics.load(this.#common, commonWords.failed) !== 0) return
    try {
      this.#obey(message)
    } catch (error) {
      Atomics.store(this.#common, commonWords.failed, 1)
      this.#wakeOthers()
      const isMemory = message.type === 'reach'
      this.#say({ type: 'failed', message: error instanceof Error ? error.message : String(error), isMemory })
    }
  }

  #say(message: FromWorker, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer)
  }

  #obey(message: ToWorker): void {
    if (message.type === 'start') {
      this.#index = message.index
      this.#threads = message.threads
      this.#memory = message.memory ?? this.#memory
      this.#common = message.common
    } else if (message.type === 'load') this.#load(message)
    else if (message.type === 'unload') this.#programs.delete(message.program)
    else if (message.type === 'run') this.#run(message)
    else if (message.type === 'reach') {
      const missing = message.bytes - this.#memory.buffer.byteLength
      if (missing > 0) this.#memory.grow(Math.ceil(missing / 65536))
    } else if (message.type === 'write') {
      this.#bytes(message.at, message.bytes.length).set(message.bytes)
      this.#say({ type: 'done', id: message.id, results: [] })
    } else {
      const result = new Uint8Array(this.#bytes(message.at, message.bytes))
      this.#say({ type: 'done', id: message.id, results: [result] }, [result.buffer])
    }
  }

  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at, length)
  }

  #load({ program, code, launches, counters }: ToWorker & { type: 'load' }): void {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory: this.#memory } })
    const ready = launches.map((launch) => ({
      ...launch,
      kernel: exports[launch.name] as Kernel,
      parts: Math.ceil(launch.units / launch.grain),
    }))
    this.#programs.set(program, { launches: ready, counters, runs: 0, arena: Number.NaN, calls: [] })
    this.#say({ type: 'loaded', program })
  }

  #run({ id, program, arena, inputs, outputs }: ToWorker & { type: 'run' }): void {
    const loaded = this.#programs.get(program)
    if (!loaded) throw new Error(`program ${program} is not loaded`)
    const place = ({ in: home, at }: Place): number => (home === 'arena' ? arena + at : at)
    if (loaded.arena !== arena) {
      loaded.arena = arena
      loaded.calls = loaded.launches.map(({ pointers }) => [...pointers.map(place), 0, 0])
    }
    const { counters } = loaded
    const run = loaded.runs++
    if (this.#index === 0) {
      for (const { place: to, bytes } of inputs) this.#bytes(place(to), bytes.length).set(bytes)
      Atomics.store(counters, counterWords.begun, run + 1)
      this.#wakeOthers()
    } else this.#until(counters, counterWords.begun, run + 1)
    for (const [i, launch] of loaded.launches.entries()) {
      this.#stage(launch, loaded.calls[i], counters, counterWords.first + 2 * i, run)
    }
    if (this.#index > 0) return
    const results = outputs.map(({ place: from, bytes }) => new Uint8Array(this.#bytes(place(from), bytes)))
    this.#say(
      { type: 'done', id, results },
      results.map((result) => result.buffer),
    )
  }

  /** Takes part in one stage, until all of it is done by whomever. */
  #stage(
    { kernel, parts, units, grain }: Ready,
    call: number[],
    counters: Int32Array,
    taken: number,
    run: number,
  ): void {
    const begin = call.length - 2
    const first = Math.imul(run, parts)
    const done = taken + 1
    let own = 0
    for (let next = Atomics.load(counters, taken); !hasReached(next, first + parts); ) {
      const before = Atomics.compareExchange(counters, taken, next, (next + 1) | 0)
      if (before === next) {
        const part = (next - first) | 0
        call[begin] = part * grain
        call[begin + 1] = Math.min(units, (part + 1) * grain)
        kernel(...call)
        own++
        next = Atomics.load(counters, taken)
      } else next = before
    }
    if (own > 0 && hasReached(Atomics.add(counters, done, own) + own, first + parts)) this.#wakeOthers()
    else this.#until(counters, done, first + parts)
  }

  /** Waits until a counter has reached `target`. */
  #until(counters: Int32Array, index: number, target: number): void {
    for (let spins = 0; !hasReached(Atomics.load(counters, index), target); spins++) {
      if (spins < SPINS) continue
      const now = Atomics.load(this.#common, commonWords.events)
      if (Atomics.load(this.#common, commonWords.failed) !== 0) throw new Error('another worker failed')
      if (!hasReached(Atomics.load(counters, index), target)) Atomics.wait(this.#common, commonWords.events, now)
    }
  }

  #wakeOthers(): void {
    if (this.#threads === 1) return
    Atomics.add(this.#common, commonWords.events, 1)
    Atomics.notify(this.#common, commonWords.events)
  }
}

const crew = new Crew(parentPort())
parentPort().listen((message) => crew.receive(message as ToWorker))
