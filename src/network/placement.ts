/** Where a model lives: its weights on one engine at a time. Calls that look for it take turns. */
import { FoveaError } from '../base/errors.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { EngineChoice } from '../engines/index.ts'
import { sharedEngine } from '../engines/index.ts'
import type { Network } from './network.ts'
import { firstValues, Session } from './session.ts'

type Values = Readonly<Record<string, Numbers>>

export interface PlacementOptions {
  /** In complaints. */
  readonly name: string
  readonly seed: number
  readonly engine: EngineChoice
  /** The whole network, whose weights live here. */
  readonly network: () => Network
  /** First values of weights by name, where there are any. */
  readonly given: () => Promise<Values>
}

export class Placement {
  readonly #options: PlacementOptions
  #engine: EngineChoice
  #session: Session | undefined
  /** Settles when the last call that looked for the session has it. */
  #turn: Promise<unknown> = Promise.resolve()
  #isAsked = false
  #isTraining = false
  #isClosed = false

  constructor(options: PlacementOptions) {
    this.#options = options
    this.#engine = options.engine
  }

  /** The session on the engine asked for, or where the model is; the state moves when it must. */
  on(choice: EngineChoice = {}): Promise<Session> {
    this.#isAsked = true
    const session = this.#turn.then(() => this.#settle(choice))
    this.#turn = session.catch(() => {})
    return session
  }

  /**
   * Weights by name as they are at this call, whatever happens to the model later: what makes them. Where nobody has asked for the
   * session yet these are the first ones, and none is opened.
   */
  valuesNow(names: readonly string[]): () => Promise<Values> {
    const valuesBy = async (read: (name: string) => Numbers | Promise<Numbers>): Promise<Values> => {
      const values = await Promise.all(names.map(read))
      return Object.fromEntries(names.map((name, i) => [name, values[i]]))
    }
    if (!this.#isAsked) {
      const { seed, given, network } = this.#options
      const whole = network()
      return async () => valuesBy(firstValues(whole, seed, await given()))
    }
    // within the turn: before what later calls ask of the engine, and before a close
    const turn = this.on().then(({ state }) => ({ values: valuesBy((name) => state.read(name)) }))
    this.#turn = turn.catch(() => {})
    const reading = turn.then(({ values }) => values)
    reading.catch(() => {}) // whoever wants them hears of it
    return () => reading
  }

  /** Runs one training at a time. */
  async train<T>(choice: EngineChoice, training: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.on(choice)
    if (this.#isTraining) throw this.#busy('cannot be trained')
    this.#isTraining = true
    try {
      return await training(session)
    } finally {
      this.#isTraining = false
    }
  }

  async close(): Promise<void> {
    await this.#turn
    this.#isClosed = true
    this.#session?.close()
  }

  async #settle({ engine, threads, precision = this.#engine.precision }: EngineChoice): Promise<Session> {
    const { name, seed, given, network } = this.#options
    if (this.#isClosed) throw new FoveaError('E_CLOSED', { what: 'the model was closed', where: name })
    const wanted = { engine: engine ?? this.#engine.engine, threads: threads ?? this.#engine.threads }
    const target = sharedEngine(wanted)
    if (this.#session?.state.engine !== target) {
      if (this.#isTraining) throw this.#busy(`cannot move to ${target.name}`)
      const current = this.#session
      const values = current ? await current.values() : await given()
      this.#session = await move(current, current?.network ?? network(), { target, seed, values })
    }
    this.#engine = { ...wanted, precision }
    return this.#session.as(this.#session.network, precision)
  }

  #busy(what: string): FoveaError {
    const where = this.#options.name
    return new FoveaError('E_MODEL', { what: `${what} while it is being trained`, where, hint: 'await fit first' })
  }
}

async function move(
  from: Session | undefined,
  network: Network,
  { target, seed, values }: { target: Engine; seed: number; values: Values },
): Promise<Session> {
  const session = await Session.open(network, target, seed, values)
  if (!from) return session
  session.steps = from.steps
  session.epochs = from.epochs
  session.optimizer = from.optimizer
  for (const [name, numbers] of Object.entries(values)) {
    const { spec } = from.state.resident(name)
    await session.state.add(name, spec, () => numbers)
  }
  return session // the old one lives on while calls that began there are under way
}
