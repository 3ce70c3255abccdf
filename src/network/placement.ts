/** Where a model lives: its weights on one engine at a time. Calls that look for it take turns. */
import { FoveaError } from '../base/errors.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { State } from '../compile/state.ts'
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

/** What a training asks of the place where the model lives. */
export interface TrainingPlace {
  readonly open: () => Promise<Session>
  readonly keep: () => void
}

export class Placement {
  readonly #options: PlacementOptions
  #engine: EngineChoice
  #session: Session | undefined
  readonly #copies = new Copies()
  /** How many calls compute with a state where the model lives or lived. */
  readonly #visitors = new Map<State, number>()
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

  /** Calls `use` with the session where the model lives; calls that come later wait until it is done. */
  queue<T>(use: (session: Session) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => use(await this.#settle({})))
  }

  /** The same for what writes weights. Calls that compute keep what they began with: the model goes to a copy, unless it is being trained. */
  change<T>(change: (session: Session) => Promise<T>): Promise<T> {
    return this.queue(async (session) => {
      if (this.#isTraining || !this.#visitors.has(session.state)) return change(session)
      this.#session = await this.#copyOn(session.state.engine)
      return change(this.#session.as(session.network, session.askedPrecision))
    })
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
      release()
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
   * Runs one training at a time. `open` gives its session: on the engine asked for, where the model lives from then on. The precision
   * asked for is that of the training, and of the model from when `keep` is called.
   */
  async train<T>(choice: EngineChoice, training: (place: TrainingPlace) => Promise<T>): Promise<T> {
    const { precision, ...place } = choice
    await this.#inTurn(async () => {
      this.#checkOpen()
      if (this.#isTraining) throw this.#busy('cannot be trained')
      this.#isTraining = true
    })
    const open = async (): Promise<Session> => {
      const session = await this.#inTurn(() => this.#settle(place, 'for the training'))
      return session.as(session.network, precision)
    }
    const keep = (): void => {
      if (precision) this.#engine = { ...this.#engine, precision }
    }
    try {
      return await training({ open, keep })
    } finally {
      this.#isTraining = false
    }
  }

  /** Calls `use` with a session on the engine asked for that is its own: a copy of all that is kept here, of which nothing comes back. */
  async aside<T>(choice: EngineChoice, use: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#inTurn(async () => {
      this.#checkOpen()
      const { target } = await this.#targetOf(choice)
      return this.#copyOn(target)
    })
    try {
      return await use(session.as(session.network, choice.precision ?? this.#engine.precision))
    } finally {
      session.close()
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

  async #settle(choice: EngineChoice, isFor?: 'for the training'): Promise<Session> {
    const { precision = this.#engine.precision } = choice
    this.#checkOpen()
    const { target, wanted } = await this.#targetOf(choice)
    if (this.#session?.state.engine !== target) {
      const isMoved = this.#session !== undefined || choice.engine !== undefined || choice.threads !== undefined
      if (isMoved && this.#isTraining && !isFor) throw this.#busy(`cannot move to ${target.name}`)
      // the old one lives on while calls that began there are under way
      this.#session = await this.#copyOn(target)
      this.#copies.forget(target)
    }
    this.#engine = { ...wanted, precision }
    return this.#session.as(this.#session.network, precision)
  }

  /** A session on an engine with all that is kept where the model lives, or its first weights where it lives nowhere yet. */
  async #copyOn(target: Engine): Promise<Session> {
    const { seed, given, network } = this.#options
    const current = this.#session
    const values = current ? await current.values() : await given()
    return copied(current, current?.network ?? network(), { target, seed, values })
  }

  async #guest({ engine, threads, precision }: EngineChoice): Promise<{ session: Session; release: () => void }> {
    const { seed, given, network } = this.#options
    this.#checkOpen()
    const own = this.#engine
    const isOwn = (engine ?? own.engine) === own.engine && (threads ?? own.threads) === own.threads
    const target = isOwn
      ? undefined
      : await sharedEngine({ engine: engine ?? own.engine, threads: threads ?? own.threads })
    if (!target || target === this.#session?.state.engine) {
      const session = await this.#settle({})
      return { session: session.as(session.network, precision), release: this.#visited(session) }
    }
    const home = this.#session
    const original = { network: home?.network ?? network(), seed, home, given }
    const { session, release } = await this.#copies.borrow(target, original)
    return { session: session.as(session.network, precision ?? own.precision), release }
  }

  /** Counts a call that computes with this session; to be called when it is done. The last one closes what the model has left. */
  #visited(session: Session): () => void {
    const { state } = session
    this.#visitors.set(state, (this.#visitors.get(state) ?? 0) + 1)
    return () => {
      const others = (this.#visitors.get(state) as number) - 1
      if (others > 0) this.#visitors.set(state, others)
      else this.#visitors.delete(state)
      if (others === 0 && this.#session?.state !== state) session.close()
    }
  }

  /** The engine asked for: the one that holds the weights, where no other is asked for and it is alive. */
  async #targetOf({ engine, threads }: EngineChoice): Promise<{ target: Engine; wanted: EngineChoice }> {
    const wanted = { engine: engine ?? this.#engine.engine, threads: threads ?? this.#engine.threads }
    const here = this.#session?.state.engine
    const isHere = engine === undefined && threads === undefined && here?.isOpen
    return { target: isHere ? here : await sharedEngine(wanted), wanted }
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new FoveaError('E_CLOSED', { what: 'the model was closed', where: this.#options.name })
  }

  #busy(what: string): FoveaError {
    const where = this.#options.name
    return new FoveaError('E_MODEL', { what: `${what} while it is being trained`, where, hint: 'await fit first' })
  }
}

/** A session with values, and the counts of another one. */
async function copied(
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
  return session
}
