/** What the engine and its workers say to each other. Only worker 0 reads and writes; the others only compute. */

/** Where bytes are: at an address of the memory, or an offset in the arena, whose address each run says. */
export interface Address {
  readonly in: 'arena' | 'memory'
  readonly at: number
}

/** One stage of a program: a function of its module, called for ranges of its units. */
export interface Launch {
  readonly name: string
  readonly pointers: readonly Address[]
  readonly units: number
  readonly grain: number
}

/** Bytes going to a place of memory before a run, or taken from one after it. */
export interface Inward {
  readonly place: Address
  readonly bytes: Uint8Array
}
export interface Outward {
  readonly place: Address
  readonly bytes: number
}

export type ToWorker =
  | {
      readonly type: 'start'
      readonly index: number
      readonly threads: number
      /** Shared by all; a lone worker makes its own. */
      readonly memory: WebAssembly.Memory | undefined
      readonly common: Int32Array
    }
  | {
      readonly type: 'load'
      readonly program: number
      /** Compiled by the workers, so that what follows in the queue finds it there; V8 compiles equal bytes once. */
      readonly code: Uint8Array<ArrayBuffer>
      readonly launches: readonly Launch[]
      /** For each launch, parts that were taken and parts that are done, counted up from run to run. */
      readonly counters: Int32Array
    }
  | { readonly type: 'unload'; readonly program: number }
  /** The memory must reach at least this far. */
  | { readonly type: 'reach'; readonly bytes: number }
  | {
      readonly type: 'run'
      readonly id: number
      /** Runs are numbered from 1. */
      readonly number: number
      readonly program: number
      readonly arena: number
      /** For worker 0. */
      readonly inputs: readonly Inward[]
      readonly outputs: readonly Outward[]
    }
  /** Worker 0 measures the stages of a program from the first such request on, and answers with the seconds of each. */
  | { readonly type: 'profile'; readonly id: number; readonly program: number }
  | { readonly type: 'write'; readonly id: number; readonly at: number; readonly bytes: Uint8Array }
  | { readonly type: 'read'; readonly id: number; readonly at: number; readonly bytes: number }

export type FromWorker =
  /** The worker's script runs. */
  | { readonly type: 'started' }
  | { readonly type: 'loaded'; readonly program: number }
  | { readonly type: 'done'; readonly id: number; readonly results: readonly Uint8Array[] }
  | { readonly type: 'failed'; readonly message: string; readonly because: Failure }

/** Why a worker gave up: the host gave no more memory, it forbids to compile, or a fault of ours. */
export type Failure = 'memory' | 'policy' | 'bug'

/**
 * Words that all workers share. `events` counts what sleepers wake for; `run` is twice the number of the run under way,
 * and odd while what is said of it (its program, which of its program's runs it is, its arena) is being changed.
 */
export const commonWords = { events: 0, failed: 1, run: 2, program: 3, count: 4, arena: 5, words: 16 } as const
