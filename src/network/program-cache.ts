/** Compiled programs by key, as many as a share of the engine's memory holds. */
import type { Program } from '../compile/program.ts'

/** Of the engine's memory: what programs hold for themselves, with the arena that the largest of them needs. */
const SHARE = 1 / 4
/** The last ones used stay whatever they hold: training, its smaller last batch, evaluation and prediction take turns. */
const STAY = 4

export class ProgramCache {
  /** Last used, last in the order. */
  readonly #programs = new Map<string, Program>()
  readonly #limit: number

  /** `memoryLimit` is the engine's, in bytes. */
  constructor(memoryLimit: number) {
    this.#limit = memoryLimit * SHARE
  }

  get size(): number {
    return this.#programs.size
  }

  /** The program under `key`, made where there is none. Those unused for longest are closed, but not while one is running. */
  get(key: string, make: () => Program): Program {
    const known = this.#programs.get(key)
    const program = known ?? make()
    this.#programs.delete(key)
    this.#programs.set(key, program)
    if (!known) this.#makeRoom()
    return program
  }

  #makeRoom(): void {
    for (const oldest of this.#programs.keys()) {
      if (this.#programs.size <= STAY || this.#bytes <= this.#limit) break
      this.#programs.delete(oldest)
    }
  }

  /** Closes all of them: they cannot be run any more. */
  close(): void {
    for (const program of this.#programs.values()) program.close()
    this.#programs.clear()
  }

  get #bytes(): number {
    const programs = [...this.#programs.values()]
    const arena = programs.reduce((most, { memory }) => Math.max(most, memory.peakBytes), 0)
    return programs.reduce((sum, { heldBytes }) => sum + heldBytes, arena)
  }
}
