/** A network on an engine: its weights in a State, its programs cached by shape; parts of it share both. */
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

/** What the networks of one home have in common. */
interface Shared {
  readonly state: State
  readonly programs: Map<string, Program>
  steps: number
  epochs: number
}

export class Session {
  readonly network: Network
  readonly #shared: Shared
  /** Programs of another form of the network, or with other frozen layers, are others. */
  readonly #form: string

  private constructor(network: Network, shared: Shared) {
    this.network = network
    this.#shared = shared
    this.#form = JSON.stringify([network.outputs, network.calls.length, [...network.frozen]])
  }

  /** Puts a network on an engine, with weights drawn from `seed`, or those given by name. */
  static async open(
    network: Network,
    engine: Engine,
    seed: number,
    given: Readonly<Record<string, Numbers>> = {},
  ): Promise<Session> {
    const state = new State(engine)
    const weights = Object.entries(networkWeights(network))
    await Promise.all(
      weights.map(([name, { shape, initializer }], index) =>
        state.add(
          name,
          { shape, dtype: 'float32' },
          () => given[name] ?? initialize(initializer, shape, { seed, stream: stream('initialize', index) }),
        ),
      ),
    )
    return new Session(network, { state, programs: new Map(), steps: 0, epochs: 0 })
  }

  /** The same state and counts, under a part of the network or with other layers frozen. */
  as(network: Network): Session {
    return network === this.network ? this : new Session(network, this.#shared)
  }

  get state(): State {
    return this.#shared.state
  }

  /** Training steps taken so far; the next one's number counts in bias corrections and random streams. */
  get steps(): number {
    return this.#shared.steps
  }
  set steps(steps: number) {
    this.#shared.steps = steps
  }

  /** Epochs begun so far; the next one's number decides the order of its samples. */
  get epochs(): number {
    return this.#shared.epochs
  }
  set epochs(epochs: number) {
    this.#shared.epochs = epochs
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
    const { programs } = this.#shared
    const full = `${this.#form} ${key}`
    const program = programs.get(full) ?? compile(this.state, goals())
    programs.delete(full)
    programs.set(full, program) // last in, last out
    for (const oldest of programs.keys()) {
      if (programs.size <= CACHED_PROGRAMS) break
      programs.delete(oldest)
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

  /** Takes note of all that is kept, and of the counts; `putBack` makes everything as it was. */
  async remember(): Promise<{ putBack: () => Promise<void> }> {
    const values = await this.values()
    const { steps, epochs } = this
    const putBack = async (): Promise<void> => {
      Object.assign(this, { steps, epochs })
      await Promise.all(Object.entries(values).map(([name, numbers]) => this.state.write(name, numbers)))
      const added = this.state.names.filter((name) => !Object.hasOwn(values, name))
      const { programs } = this.#shared
      for (const program of programs.values()) program.close() // they may update what is removed
      programs.clear()
      this.state.remove(added)
    }
    return { putBack }
  }

  close(): void {
    const { programs } = this.#shared
    for (const program of programs.values()) program.close()
    programs.clear()
    this.state.close()
  }
}
