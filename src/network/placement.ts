/** Where a model lives: its weights on one engine at a time. Calls that look for it take turns. */
import { FoveaError } from '../base/errors.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { EngineChoice } from '../engines/index.ts'
import { sharedEngine } from '../engines/index.ts'
import { Copies } from './copies.ts'
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
  readonly #copies = new Copies()
  /** Settles when the last call that looked for the session has it. */
  #turn: Promise<unknown> = Promise.resolve()
  #isAsked = false
  #isTraining = false
  #isClosed = false

  constructor(options: PlacementOptions) {
    this.#options = options
    this.#engine = options.engine
  }

  /** The session where the model lives. */
  home(): Promise<Session> {
    return this.#inTurn(() => this.#settle({}))
  }

  /** Calls `change` with the session where the model lives; calls that come later wait until it is done. */
  change<T>(change: (session: Session) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => change(await this.#settle({})))
  }

  /** The session on the engine asked for, where the model lives from now on. Throws E_MODEL while it is being trained. */
  moveTo(choice: EngineChoice): Promise<Session> {
    return this.#inTurn(() => this.#settle(choice))
  }

  /** Calls `use` with a session on the engine asked for: where the model lives, or a copy of its weights as they are now. */
  async visit<T>(choice: EngineChoice, use: (session: Session) => Promise<T>): Promise<T> {
    const { session, release } = await this.#inTurn(() => this.#guest(choice))
    try {
      return await use(session)
    } finally {
      release?.()
    }
  }

  /**
   * A function that gives the weights as they are at this call, by name; later changes do not matter. Where no call has opened the
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
    const turn = this.home().then(({ state }) => ({ values: valuesBy((name) => state.read(name)) }))
    this.#turn = turn.catch(() => {})
    const reading = turn.then(({ values }) => values)
    reading.catch(() => {}) // each reader of them gets the error
    return () => reading
  }

  /**
   * Runs one training at a time, where the model lives from then on. The precision asked for is that of the training, and of
   * the model from when `keep` is called.
   */
  async train<T>(choice: EngineChoice, training: (session: Session, keep: () => void) => Promise<T>): Promise<T> {
    const session = await this.#inTurn(async () => {
      this.#checkOpen()
      if (this.#isTraining) throw this.#busy('cannot be trained')
      const { precision, ...place } = choice
      const settled = await this.#settle(place)
      this.#isTraining = true
      return settled.as(settled.network, precision)
    })
    const keep = (): void => {
      this.#engine = { ...this.#engine, precision: session.askedPrecision }
    }
    try {
      return await training(session, keep)
    } finally {
      this.#isTraining = false
    }
  }

  async close(): Promise<void> {
    await this.#turn
    this.#isClosed = true
    this.#session?.close()
    this.#copies.close()
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    this.#isAsked = true
    const result = this.#turn.then(action)
    this.#turn = result.catch(() => {})
    return result
  }

  async #settle({ engine, threads, precision = this.#engine.precision }: EngineChoice): Promise<Session> {
    const { seed, given, network } = this.#options
    this.#checkOpen()
    const wanted = { engine: engine ?? this.#engine.engine, threads: threads ?? this.#engine.threads }
    const target = this.#isHere({ engine, threads }) ?? (await sharedEngine(wanted))
    if (this.#session?.state.engine !== target) {
      if (this.#isTraining) throw this.#busy(`cannot move to ${target.name}`)
      const current = this.#session
      const values = current ? await current.values() : await given()
      this.#session = await move(current, current?.network ?? network(), { target, seed, values })
      this.#copies.forget(target)
    }
    this.#engine = { ...wanted, precision }
    return this.#session.as(this.#session.network, precision)
  }

  async #guest({ engine, threads, precision }: EngineChoice): Promise<{ session: Session; release?: () => void }> {
    const { seed, given, network } = this.#options
    this.#checkOpen()
    const own = this.#engine
    const isOwn = (engine ?? own.engine) === own.engine && (threads ?? own.threads) === own.threads
    const target = isOwn
      ? undefined
      : await sharedEngine({ engine: engine ?? own.engine, threads: threads ?? own.threads })
    if (!target || target === this.#session?.state.engine) {
      const session = await this.#settle({})
      return { session: session.as(session.network, precision) }
    }
    const home = this.#session
    const original = { network: home?.network ?? network(), seed, home, given }
    const { session, release } = await this.#copies.borrow(target, original)
    return { session: session.as(session.network, precision ?? own.precision), release }
  }

  /** The engine that holds the weights, where no other is asked for and it is alive. */
  #isHere({ engine, threads }: EngineChoice): Engine | undefined {
    const here = this.#session?.state.engine
    return engine === undefined && threads === undefined && here?.isOpen ? here : undefined
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new FoveaError('E_CLOSED', { what: 'the model was closed', where: this.#options.name })
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
