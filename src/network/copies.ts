/** Copies of a model's weights on engines where it does not live, for calls that are to compute there. */
import type { Engine, Numbers } from '../compile/engine.ts'
import type { Network } from './network.ts'
import { networkWeights } from './network.ts'
import { Session } from './session.ts'

/** What is copied: the weights where the model lives, or its first ones where it lives nowhere yet. */
export interface Original {
  readonly network: Network
  readonly seed: number
  readonly home: Session | undefined
  readonly given: () => Promise<Readonly<Record<string, Numbers>>>
}

interface Copy {
  readonly session: Session
  /** The state that it was copied from, and that state's version then. */
  of: Session['state'] | undefined
  version: number
  users: number
}

export class Copies {
  readonly #copies = new Map<Engine, Copy>()

  /**
   * A session on `engine` with the weights as they are now; `release` when done with it. A copy is kept, and filled again
   * when the weights have changed: not while somebody computes with it, who is left with a copy of their own.
   */
  async borrow(engine: Engine, original: Original): Promise<{ session: Session; release: () => void }> {
    for (const other of this.#copies.keys()) if (!other.isOpen) this.forget(other)
    const copy = await this.#upToDate(engine, original)
    copy.users++
    const release = (): void => {
      copy.users--
      if (copy.users === 0 && this.#copies.get(engine) !== copy) copy.session.close()
    }
    return { session: copy.session, release }
  }

  /** Closes the copy on an engine, at once or when its last use ends. */
  forget(engine: Engine): void {
    const copy = this.#copies.get(engine)
    this.#copies.delete(engine)
    if (copy?.users === 0) copy.session.close()
  }

  close(): void {
    for (const engine of [...this.#copies.keys()]) this.forget(engine)
  }

  async #upToDate(engine: Engine, { network, seed, home, given }: Original): Promise<Copy> {
    const of = home?.state
    const version = of?.version ?? 0
    const known = this.#copies.get(engine)
    if (known && known.of === of && known.version === version) return known
    const values = home ? await weightsOf(home) : await given()
    if (known?.users === 0) {
      const { state } = known.session
      await Promise.all(Object.entries(values).map(([name, numbers]) => state.write(name, numbers)))
      return Object.assign(known, { of, version })
    }
    this.forget(engine)
    const copy = { session: await Session.open(network, engine, seed, values), of, version, users: 0 }
    this.#copies.set(engine, copy)
    return copy
  }
}

/** The reads are queued at once, so that no step comes between them. */
async function weightsOf({ network, state }: Session): Promise<Record<string, Numbers>> {
  const names = Object.keys(networkWeights(network))
  const values = await Promise.all(names.map((name) => state.read(name)))
  return Object.fromEntries(names.map((name, i) => [name, values[i]]))
}
