/** A network on an engine: its weights in a State, its programs cached by shape. */
import { stream } from '../base/random.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { Goals } from '../compile/goals.ts'
import type { Program } from '../compile/program.ts'
import { compile } from '../compile/program.ts'
import { State } from '../compile/state.ts'
import { sizeOf } from '../graph/shape.ts'
import { initialize } from '../nn/initializers.ts'
import type { Filled } from './graphs.ts'
import type { Network } from './network.ts'
import { networkWeights } from './network.ts'

/** Programs kept per session; the one unused for longest is let go first, and lives on while somebody runs it. */
const CACHED_PROGRAMS = 8

export class Session {
  readonly network: Network
  readonly state: State
  /** Training steps taken so far; the next one's number counts in bias corrections and random streams. */
  steps = 0
  /** Epochs begun so far; the next one's number decides the order of its samples. */
  epochs = 0
  readonly #programs = new Map<string, Program>()

  private constructor(network: Network, engine: Engine) {
    this.network = network
    this.state = new State(engine)
  }

  /** Puts a network on an engine, with weights drawn from `seed`, or those given by name. */
  static async open(
    network: Network,
    engine: Engine,
    seed: number,
    given: Readonly<Record<string, Numbers>> = {},
  ): Promise<Session> {
    const session = new Session(network, engine)
    const weights = Object.entries(networkWeights(network))
    await Promise.all(
      weights.map(([name, { shape, initializer }], index) =>
        session.state.add(
          name,
          { shape, dtype: 'float32' },
          () => given[name] ?? initialize(initializer, shape, { seed, stream: stream('initialize', index) }),
        ),
      ),
    )
    return session
  }

  /** Adds float32 tensors that are not there yet, each filled with one number or a copy of another. */
  async addFilled(tensors: Readonly<Record<string, Filled>>): Promise<void> {
    const added = Object.entries(tensors).map(async ([name, { shape, value }]) => {
      const values =
        typeof value === 'number'
          ? () => new Float32Array(sizeOf(shape)).fill(value)
          : await this.state.read(value.copyOf).then((copy) => () => copy)
      return this.state.add(name, { shape, dtype: 'float32' }, values)
    })
    await Promise.all(added)
  }

  /** The program under `key`, planned at the first call. */
  async program(key: string, goals: () => Partial<Goals>): Promise<Program> {
    const program = this.#programs.get(key) ?? compile(this.state, goals())
    this.#programs.delete(key)
    this.#programs.set(key, program) // last in, last out
    for (const oldest of this.#programs.keys()) {
      if (this.#programs.size <= CACHED_PROGRAMS) break
      this.#programs.delete(oldest)
    }
    await program.ready
    return program
  }

  /** All that is kept, by name. */
  async values(): Promise<Record<string, Numbers>> {
    const names = this.state.names
    const values = await Promise.all(names.map((name) => this.state.read(name)))
    return Object.fromEntries(names.map((name, i) => [name, values[i]]))
  }

  close(): void {
    for (const program of this.#programs.values()) program.close()
    this.#programs.clear()
    this.state.close()
  }
}
