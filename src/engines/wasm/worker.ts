/**
 * A worker of the wasm engine: takes parts of each stage until none are left, and continues when all of them are done. It
 * waits for work, never for workers: one that wakes late finds what is left. (At a barrier of all workers, a
 * program of one small stage took 79 us on two threads, of which 60 were the second one's awakening.)
 */

import type { Port } from '#platform'
import { parentPort } from '#platform'
import { messageOf } from '../../base/realm.ts'
import type { Address, Failure, FromWorker, Launch, ToWorker } from './protocol.ts'
import { commonWords } from './protocol.ts'

type Kernel = (...pointersBeginEnd: number[]) => void

interface Ready extends Launch {
  readonly kernel: Kernel
  readonly parts: number
}

interface Loaded {
  readonly launches: readonly Ready[]
  readonly counters: Int32Array
  /** Runs begun, as worker 0 counts them. */
  runs: number
  /** Arguments of every launch for the arena they were made for. */
  arena: number
  calls: number[][]
  /** Of every launch, in all runs since somebody asked for them; on worker 0. */
  seconds?: Float64Array<ArrayBuffer>
}

/** Turns of looking, each about 6 ns, before a worker goes to sleep: stages follow each other closely. */
const SPINS = 4000
/** Turns of looking for the next run before a worker goes back to its messages, from which it takes long to wake. */
const SPINS_BETWEEN_RUNS = 10_000

/** Counters are never set back, so that a late worker cannot mistake an old run for a new one; they may wrap around. */
const placeIn =
  (arena: number) =>
  ({ in: home, at }: Address): number =>
    home === 'arena' ? arena + at : at

const hasReached = (counter: number, target: number): boolean => ((counter - target) | 0) >= 0

/** Code that is valid fails to load only where the host may not compile it. */
function causeOf(message: ToWorker): Failure {
  if (message.type === 'reach') return 'memory'
  return message.type === 'load' && WebAssembly.validate(message.code) ? 'policy' : 'bug'
}

class Crew {
  readonly #port: Port
  readonly #programs = new Map<number, Loaded>()
  #index = 0
  #threads = 1
  #memory = new WebAssembly.Memory({ initial: 0 })
  #common: Int32Array = new Int32Array(commonWords.words)

  /** The last run that this worker helped with. */
  #helped = 0

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
      this.#say({ type: 'failed', message: messageOf(error), because: causeOf(message) })
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
      this.#say({ type: 'started' })
    } else if (message.type === 'load') this.#load(message)
    else if (message.type === 'unload') this.#programs.delete(message.program)
    else if (message.type === 'run' && this.#index > 0) this.#help(message.number)
    else if (message.type === 'run') this.#run(message)
    else if (message.type === 'profile') this.#profile(message)
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

  #profile({ id, program }: ToWorker & { type: 'profile' }): void {
    const loaded = this.#loaded(program)
    loaded.seconds ??= new Float64Array(loaded.launches.length)
    const results = [new Uint8Array(loaded.seconds.slice().buffer)]
    this.#say({ type: 'done', id, results }, [results[0].buffer])
  }

  #loaded(program: number): Loaded {
    const loaded = this.#programs.get(program)
    if (!loaded) throw new Error(`program ${program} is not loaded`)
    return loaded
  }

  #run({ id, number, program, arena, inputs, outputs }: ToWorker & { type: 'run' }): void {
    const loaded = this.#loaded(program)
    const place = placeIn(arena)
    for (const { place: to, bytes } of inputs) this.#bytes(place(to), bytes.length).set(bytes)
    const count = loaded.runs++
    Atomics.store(this.#common, commonWords.run, 2 * number - 1)
    Atomics.store(this.#common, commonWords.program, program)
    Atomics.store(this.#common, commonWords.count, count)
    Atomics.store(this.#common, commonWords.arena, arena)
    Atomics.store(this.#common, commonWords.run, 2 * number)
    this.#wakeOthers()
    this.#stages(loaded, arena, count)
    const results = outputs.map(({ place: from, bytes }) => new Uint8Array(this.#bytes(place(from), bytes)))
    this.#say(
      { type: 'done', id, results },
      results.map((result) => result.buffer),
    )
  }

  /** Helps with run `number`, or with the one that is under way by now, and with those that follow closely. */
  #help(number: number): void {
    if (hasReached(this.#helped, number)) return
    this.#until(this.#common, commonWords.run, 2 * number)
    do {
      const { run, program, count, arena } = this.#underWay()
      const loaded = this.#programs.get(program)
      if (!loaded) return // its code is still in the queue of messages
      this.#helped = run / 2
      this.#stages(loaded, arena, count)
    } while (this.#comes(this.#common, commonWords.run, 2 * (this.#helped + 1), SPINS_BETWEEN_RUNS))
  }

  /** What worker 0 says of its run, read as one. */
  #underWay(): { run: number; program: number; count: number; arena: number } {
    for (;;) {
      const [run, program, count, arena] = [
        commonWords.run,
        commonWords.program,
        commonWords.count,
        commonWords.arena,
      ].map((word) => Atomics.load(this.#common, word))
      if (run % 2 === 0 && Atomics.load(this.#common, commonWords.run) === run)
        return { run, program, count, arena: arena >>> 0 }
    }
  }

  #stages(loaded: Loaded, arena: number, count: number): void {
    if (loaded.arena !== arena) {
      const place = placeIn(arena)
      loaded.arena = arena
      loaded.calls = loaded.launches.map(({ pointers }) => [...pointers.map(place), 0, 0])
    }
    const { seconds } = loaded
    let before = seconds ? performance.now() : 0
    for (const [i, launch] of loaded.launches.entries()) {
      this.#stage(launch, loaded.calls[i], loaded.counters, 2 * i, count)
      if (!seconds) continue
      const now = performance.now()
      seconds[i] += (now - before) / 1000
      before = now
    }
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

  /** Looks for a while whether a counter reaches `target`. */
  #comes(counters: Int32Array, index: number, target: number, spins: number): boolean {
    for (let i = 0; i < spins; i++) if (hasReached(Atomics.load(counters, index), target)) return true
    return false
  }

  /** Waits until a counter has reached `target`. */
  #until(counters: Int32Array, index: number, target: number): void {
    while (!this.#comes(counters, index, target, SPINS)) {
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
