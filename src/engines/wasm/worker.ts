/** A worker of the wasm engine: takes parts of each stage until none are left, and waits for the others between stages. */
import type { Port } from '#platform'
import { parentPort } from '#platform'
import type { FromWorker, Launch, Place, ToWorker } from './protocol.ts'
import { barrierWords } from './protocol.ts'

type Kernel = (...pointersBeginEnd: number[]) => void

interface Loaded {
  readonly launches: readonly (Launch & { readonly kernel: Kernel; readonly parts: number })[]
  readonly tickets: Int32Array
  /** Arguments of every launch for the arena they were made for. */
  arena: number
  calls: number[][]
}

/** Turns of looking before a worker goes to sleep at a barrier: stages follow each other closely. */
const SPINS = 4000

class Crew {
  readonly #port: Port
  readonly #programs = new Map<number, Loaded>()
  #index = 0
  #threads = 1
  #memory = new WebAssembly.Memory({ initial: 0 })
  #barrier: Int32Array = new Int32Array(barrierWords.count)

  constructor(port: Port) {
    this.#port = port
  }

  receive(message: ToWorker): void {
    if (Atomics.load(this.#barrier, barrierWords.failed) !== 0) return
    try {
      this.#obey(message)
    } catch (error) {
      Atomics.store(this.#barrier, barrierWords.failed, 1)
      Atomics.add(this.#barrier, barrierWords.generation, 1)
      Atomics.notify(this.#barrier, barrierWords.generation)
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
      this.#barrier = message.barrier
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

  #load({ program, code, launches, tickets }: ToWorker & { type: 'load' }): void {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory: this.#memory } })
    const ready = launches.map((launch) => ({
      ...launch,
      kernel: exports[launch.name] as Kernel,
      parts: Math.ceil(launch.units / launch.grain),
    }))
    this.#programs.set(program, { launches: ready, tickets, arena: Number.NaN, calls: [] })
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
    if (this.#index === 0) for (const { place: to, bytes } of inputs) this.#bytes(place(to), bytes.length).set(bytes)
    this.#meet()
    this.#stages(loaded)
    this.#meet()
    if (this.#index > 0) return
    loaded.tickets.fill(0)
    const results = outputs.map(({ place: from, bytes }) => new Uint8Array(this.#bytes(place(from), bytes)))
    this.#say(
      { type: 'done', id, results },
      results.map((result) => result.buffer),
    )
  }

  #stages({ launches, tickets, calls }: Loaded): void {
    let alone = false // worker 0 did the stage before by itself: if it does this one too, nobody need wait
    launches.forEach(({ kernel, parts, units, grain }, i) => {
      const call = calls[i]
      const begin = call.length - 2
      const single = parts === 1 || this.#threads === 1
      if (i > 0 && !(single && alone)) this.#meet()
      alone = single
      if (single) {
        if (this.#index > 0) return
        for (let from = 0; from < units; from += grain) {
          call[begin] = from
          call[begin + 1] = Math.min(units, from + grain)
          kernel(...call)
        }
        return
      }
      for (let part = Atomics.add(tickets, i, 1); part < parts; part = Atomics.add(tickets, i, 1)) {
        call[begin] = part * grain
        call[begin + 1] = Math.min(units, (part + 1) * grain)
        kernel(...call)
      }
    })
  }

  /** Waits until every worker is here. */
  #meet(): void {
    if (this.#threads === 1) return
    const { arrived, generation, failed } = barrierWords
    const barrier = this.#barrier
    const now = Atomics.load(barrier, generation)
    if (Atomics.add(barrier, arrived, 1) === this.#threads - 1) {
      Atomics.store(barrier, arrived, 0)
      Atomics.add(barrier, generation, 1)
      Atomics.notify(barrier, generation)
    } else {
      let spins = 0
      while (Atomics.load(barrier, generation) === now) if (++spins > SPINS) Atomics.wait(barrier, generation, now)
    }
    if (Atomics.load(barrier, failed) !== 0) throw new Error('another worker failed')
  }
}

const crew = new Crew(parentPort())
parentPort().listen((message) => crew.receive(message as ToWorker))
