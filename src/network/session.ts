/** A network on an engine: its weights in a State, its programs cached by shape; parts of it share both. */
import { FoveaError, locate } from '../base/errors.ts'
import { stream } from '../base/random.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { Goals } from '../compile/goals.ts'
import type { Precision } from '../compile/precision.ts'
import type { Program } from '../compile/program.ts'
import { compile } from '../compile/program.ts'
import { State } from '../compile/state.ts'
import type { Node } from '../graph/node.ts'
import { sizeOf } from '../graph/shape.ts'
import { initialize } from '../nn/initializers.ts'
import type { WeightSpec } from '../nn/layer.ts'
import type { Filled } from './graphs.ts'
import type { Network } from './network.ts'
import { networkWeights } from './network.ts'
import { ProgramCache } from './program-cache.ts'

/** What the networks of one placement have in common. */
interface Shared {
  readonly state: State
  readonly programs: ProgramCache
  steps: number
  epochs: number
  optimizer: OptimizerCount | undefined
  /** Numbers of nodes that somebody holds and programs are made of. */
  readonly nodes: WeakMap<Node, number>
  nodeCount: number
}

/** Which optimizer the state's slots belong to, and the step that was its first: bias corrections count from there. */
export interface OptimizerCount {
  readonly signature: string
  readonly first: number
}

/** What a network's weights are at first, by name: as given, or drawn from the seed. */
export function firstValues(
  network: Network,
  seed: number,
  given: Readonly<Record<string, Numbers>>,
): (name: string) => Numbers {
  const weights = Object.entries(networkWeights(network))
  const places = new Map(weights.map(([name, spec], index) => [name, { ...spec, index }]))
  return (name) => {
    const { shape, initializer, fanIn, index } = places.get(name) as WeightSpec & { readonly index: number }
    const draw = { seed, stream: stream('initialize', index) }
    return given[name] ?? locate(name, () => initialize(initializer, shape, draw, fanIn))
  }
}

export class Session {
  readonly network: Network
  /** The precision of its programs. */
  readonly askedPrecision: Precision
  readonly #shared: Shared
  /** Programs of another form of the network, or with other frozen layers, are others. */
  readonly #form: string

  private constructor(network: Network, shared: Shared, precision: Precision) {
    this.network = network
    this.askedPrecision = precision
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
    const first = firstValues(network, seed, given)
    const bytes = weights.reduce((sum, [, { shape }]) => sum + 4 * sizeOf(shape), 0)
    if (bytes > engine.memoryLimit) {
      throw new FoveaError('E_LIMIT', {
        what: 'the weights need more memory than the engine has',
        where: network.name,
        expected: `at most ${engine.memoryLimit} bytes`,
        got: `${bytes}`,
      })
    }
    await Promise.all(
      weights.map(([name, { shape }]) => state.add(name, { shape, dtype: 'float32' }, () => first(name))),
    )
    return new Session(
      network,
      {
        state,
        programs: new ProgramCache(engine.memoryLimit),
        ...{ steps: 0, epochs: 0, optimizer: undefined },
        ...{ nodes: new WeakMap(), nodeCount: 0 },
      },
      'float32',
    )
  }

  /** The same state and counts, under a part of the network, with other layers frozen, or in another precision. */
  as(network: Network, precision: Precision = this.askedPrecision): Session {
    const isSame = network === this.network && precision === this.askedPrecision
    return isSame ? this : new Session(network, this.#shared, precision)
  }

  /** How its programs compute: as asked where the engine can, else in float32. */
  get precision(): Precision {
    return this.state.engine.precisions.includes(this.askedPrecision) ? this.askedPrecision : 'float32'
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

  get optimizer(): OptimizerCount | undefined {
    return this.#shared.optimizer
  }
  set optimizer(optimizer: OptimizerCount | undefined) {
    this.#shared.optimizer = optimizer
  }

  /** Adds float32 tensors that are not there yet, each filled with one number or a copy of another; fills `again` those that are. */
  async addFilled(tensors: Readonly<Record<string, Filled>>, again = (_: Filled): boolean => false): Promise<void> {
    const added = Object.entries(tensors).map(async ([name, filled]) => {
      const { shape, value } = filled
      const isThere = this.state.has(name)
      if (isThere && !again(filled)) return
      const values =
        typeof value === 'number' ? new Float32Array(sizeOf(shape)).fill(value) : await this.state.read(value.copyOf)
      if (isThere) await this.state.write(name, values)
      else await this.state.add(name, { shape, dtype: 'float32' }, () => values)
    })
    await Promise.all(added)
  }

  /** A key for a node that somebody holds: the same for the same node, and for no other. */
  nodeKey(node: Node): number {
    const { nodes } = this.#shared
    const number = nodes.get(node) ?? this.#shared.nodeCount++
    nodes.set(node, number)
    return number
  }

  /** The program under `key`, planned at the first call. */
  async program(key: string, goals: () => Partial<Goals>): Promise<Program> {
    const { precision } = this
    const make = (): Program => compile(this.state, goals(), { precision })
    const program = this.#shared.programs.get(`${this.#form} ${precision} ${key}`, make)
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
    this.#shared.programs.close()
    this.state.close()
  }
}
