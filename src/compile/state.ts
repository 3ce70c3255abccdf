/** State: weights, optimizer slots and statistics by name, on one engine, shared by any number of programs. */
import { FoveaError, locate } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { holdsNumbers } from '../base/realm.ts'
import type { StoredSpec } from '../graph/dtype.ts'
import { isSurfaceDType } from '../graph/dtype.ts'
import { wantName } from '../graph/node.ts'
import { sameShape, shapeText, sizeOf, wantShape } from '../graph/shape.ts'
import type { Engine, Numbers, Resident } from './engine.ts'

export class State {
  readonly engine: Engine
  readonly #residents = new Map<string, Resident>()
  #version = 0
  #isClosed = false

  constructor(engine: Engine) {
    if (typeof engine?.create !== 'function') {
      const hint = 'as in new State(openEngine())'
      throw new FoveaError('E_OPTION', { what: 'needs an engine', where: 'State', got: show(engine), hint })
    }
    this.engine = engine
  }

  get names(): string[] {
    return [...this.#residents.keys()]
  }

  /** Counts what changed it: a copy made at an earlier number may be another. */
  get version(): number {
    return this.#version
  }

  /** To be called with everything that writes to its tensors. */
  changed(): void {
    this.#version++
  }

  has(name: string): boolean {
    return this.#residents.has(name)
  }

  /** Adds a tensor with its first values. A name that is there keeps its values, and must have the same spec. */
  async add(name: string, spec: StoredSpec, values: () => Numbers): Promise<void> {
    const { shape, dtype } = (spec ?? {}) as StoredSpec
    wantText(name)
    wantName(name, 'state')
    wantShape(shape, name)
    if (typeof values !== 'function') {
      const expected = 'a function that gives the first values'
      throw new FoveaError('E_OPTION', { what: 'no values', where: name, expected, got: show(values) })
    }
    if (!isSurfaceDType(dtype)) {
      const expected = 'float32, int32 or uint8'
      throw new FoveaError('E_DTYPE', { what: 'not a dtype of a state', where: name, expected, got: show(dtype) })
    }
    const known = this.#residents.get(name)?.spec
    if (!known) {
      const first = values()
      wantValues(name, spec, first)
      this.changed()
      const resident = this.engine.create({ shape: [...shape], dtype })
      this.#residents.set(name, resident)
      await named(name, resident.write(first))
    } else if (!sameShape(known.shape, spec.shape) || known.dtype !== spec.dtype) {
      throw new FoveaError('E_SHAPE', {
        what: 'is in the state with another shape',
        where: name,
        expected: shapeText(known.shape),
        got: shapeText(spec.shape),
      })
    }
  }

  async read(name: string): Promise<Numbers> {
    return this.resident(name).read()
  }

  async write(name: string, values: Numbers): Promise<void> {
    const resident = this.resident(name)
    wantValues(name, resident.spec, values)
    this.changed()
    await named(name, resident.write(values))
  }

  /** Forgets tensors and gives their memory back. */
  remove(names: Iterable<string>): void {
    if (typeof names !== 'object' || names === null || !(Symbol.iterator in names)) {
      throw new FoveaError('E_OPTION', { what: 'needs a list of names', where: 'remove', got: show(names) })
    }
    for (const name of names) {
      this.#residents.get(name)?.close()
      this.#residents.delete(name)
    }
  }

  /** The tensor on the engine. */
  resident(name: string): Resident {
    wantText(name)
    const resident = this.#residents.get(name)
    if (resident) return resident
    if (this.#isClosed) throw new FoveaError('E_CLOSED', { what: 'the state was closed', where: name })
    throw new FoveaError('E_GRAPH', { what: 'is not in the state', where: name, hint: 'add it before programs use it' })
  }

  close(): void {
    this.#isClosed = true
    this.remove(this.names)
  }
}

/** What goes wrong, with the tensor's name. */
const named = <T>(where: string, promise: Promise<T>): Promise<T> =>
  promise.catch((error) =>
    locate(where, () => {
      throw error
    }),
  )

function wantText(name: unknown): void {
  if (typeof name === 'string') return
  throw new FoveaError('E_OPTION', { what: 'the name of a tensor is a text', where: 'state', got: show(name) })
}

function wantValues(where: string, { shape }: StoredSpec, values: Numbers): void {
  const isNumbers = holdsNumbers(values)
  if (isNumbers && values.length === sizeOf(shape)) return
  const [expected, got] = [shapeText(shape), isNumbers ? `${values.length} values` : show(values)]
  throw new FoveaError('E_SHAPE', { what: 'wrong number of values', where, expected, got })
}
