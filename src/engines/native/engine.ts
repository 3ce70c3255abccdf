/** The native engine: oneDNN behind the addon, which gets a program once and then runs a step in one call. */

import { hardwareThreads } from '#platform'
import type { ErrorCode } from '../../base/errors.ts'
import { errorCodes, FoveaError } from '../../base/errors.ts'
import { isFloat64 } from '../../base/realm.ts'
import type { Engine, Executable, Layout, Numbers, Resident } from '../../compile/engine.ts'
import type { MemoryRules } from '../../compile/memory.ts'
import { ownBytes } from '../../compile/memory.ts'
import type { Buffer } from '../../compile/step.ts'
import { bytesOf } from '../../compile/step.ts'
import type { TensorSpec } from '../../graph/dtype.ts'
import { arrayFor, dtypes } from '../../graph/dtype.ts'
import type { Description, Machine, OperandPlace, Operation, TensorHandle } from './addon.ts'
import { describeAddon, findAddon } from './addon.ts'
import { expressionLimits } from './expression.ts'
import type { NativeCode } from './kernels/context.ts'
import { lowerAll } from './lower.ts'

/** Operands start at a cache line, and loops may read a vector of eight floats where a tensor ends. */
const memoryRules: MemoryRules = { alignment: 64, slack: 32, inPlace: true }

export interface NativeOptions {
  /** Computing threads; all the machine has when absent. */
  threads?: number | undefined
  /**
   * For tests: memory is full of NaN until a run writes it (arena, scratch and what else a step writes), so that whatever is read
   * before it was written shows in the results. Slow.
   */
  isPoisoned?: boolean | undefined
}

interface NativeResident extends Resident {
  readonly handle: TensorHandle
}

/** Starts an engine: a thread of its own that computes with as many more as it is given. */
export function nativeEngine({
  threads = hardwareThreads(),
  isPoisoned = false,
}: NativeOptions = {}): Engine<NativeCode> {
  const found = findAddon()
  if ('missing' in found) throw new FoveaError('E_ENGINE', { what: found.missing, where: 'native' })
  const info = found.addon.info()
  const machine = translated(() => new found.addon.Engine(threads, isPoisoned))
  const arena = new Arena(machine)
  let isClosed = false
  const check = (): void => {
    if (isClosed) throw new FoveaError('E_CLOSED', { what: 'the engine was closed' })
  }
  const operation = (description: Description): Operation => {
    const { handle, scratch, packed, operandBytes, implementation } = translated(() => machine.operation(description))
    const named = { name: description.where, ...(implementation !== undefined && { implementation }) }
    return { handle, scratch, packed, operandBytes, ...named }
  }
  return {
    name: 'native',
    threads,
    description: describeAddon(info, threads),
    memoryLimit: info.memory,
    memoryRules,
    precisions: info.bfloat16 ? ['float32', 'mixed_bfloat16'] : ['float32'],
    limits: expressionLimits,
    get isOpen() {
      return !isClosed
    },
    lower: (steps, results) => lowerAll(steps, operation, { results, hasTiles: info.tiles, threads }),
    create: (spec) => createResident(spec, machine, check),
    load: (layout, residents) => load(layout, residents, { machine, arena, check }),
    async close() {
      isClosed = true
      machine.close()
    },
  }
}

function createResident(spec: TensorSpec, machine: Machine, checkEngine: () => void): NativeResident {
  checkEngine()
  const bytes = bytesOf(spec)
  let handle: TensorHandle | undefined = translated(() => machine.tensor(bytes))
  const open = (): TensorHandle => {
    checkEngine()
    if (!handle) throw new FoveaError('E_CLOSED', { what: 'the tensor was closed' })
    return handle
  }
  return {
    spec,
    get handle() {
      return open()
    },
    get isClosed() {
      return handle === undefined
    },
    async read() {
      const [result] = await settled(machine.read(open(), bytes))
      return numbersIn(result, spec)
    },
    async write(values) {
      await settled(machine.write(open(), arrayFor(values, spec.dtype)))
    },
    close() {
      if (handle) machine.drop(handle)
      handle = undefined
    },
  }
}

function load(
  layout: Layout<NativeCode>,
  residents: ReadonlyMap<string, Resident>,
  { machine, arena, check }: { machine: Machine; arena: Arena; check: () => void },
): Executable {
  const places: OperandPlace[] = []
  const numbers = new Map<Buffer, number>()
  const placeOf = (buffer: Buffer): number => {
    const known = numbers.get(buffer)
    if (known !== undefined) return known
    numbers.set(buffer, places.length)
    return places.push(placeFor(buffer, layout, residents)) - 1
  }
  const stages = layout.stages.map(({ code: { operation, operands, written, committed } }) => ({
    operation,
    operands: operands.map(placeOf),
    written,
    ...(committed && { committed: committed.map(placeOf) }),
  }))
  const inputs = Object.entries(layout.inputs).map(([name, spec]) => ({ name, spec, place: placeOf(spec.buffer) }))
  const outputs = Object.entries(layout.outputs).map(([name, spec]) => ({ name, spec, place: placeOf(spec.buffer) }))
  const claim = translated(() => arena.claim(layout.memory.peakBytes))
  const { program, ready } = translated(() => {
    try {
      return machine.load({ arenaBytes: layout.memory.peakBytes, places, stages })
    } catch (error) {
      claim.release()
      throw error
    }
  })
  let isOpen = true
  const checkOpen = (): void => {
    check()
    if (!isOpen) throw new FoveaError('E_CLOSED', { what: 'the program was closed' })
  }
  const executable: Executable = {
    ready: settled(Promise.all([claim.ready, ready])).then(() => {}),
    bytes: ownBytes(layout.stages),
    async run(given) {
      checkOpen()
      const values = inputs.flatMap(({ name, spec, place }) => [place, arrayFor(given[name], spec.dtype, name)])
      const results = await settled(
        machine.run(
          program,
          values,
          outputs.map(({ place }) => place),
        ),
      )
      return Object.fromEntries(outputs.map(({ name, spec }, i) => [name, numbersIn(results[i], spec)]))
    },
    async profile() {
      checkOpen()
      const [seconds] = await settled(machine.profile(program))
      const times = new Float64Array(seconds)
      return layout.stages.map(({ code: { name, implementation } }, i) => ({
        name,
        seconds: times[i],
        ...(implementation !== undefined && { kernel: implementation }),
      }))
    },
    close() {
      if (isOpen) {
        machine.drop(program)
        claim.release()
      }
      isOpen = false
    },
  }
  executable.ready.catch(() => {})
  dropped.register(executable, claim.release)
  return executable
}

/** Frees the arena's space of programs that were dropped without being closed. */
const dropped = new FinalizationRegistry<() => void>((release) => release())

function placeFor(buffer: Buffer, layout: Layout<NativeCode>, residents: ReadonlyMap<string, Resident>): OperandPlace {
  const { home, bytes } = buffer
  if (home.in === 'arena') return { in: 'arena', at: layout.memory.offsets.get(buffer) ?? 0, bytes }
  if (home.in === 'state' || home.in === 'shadow') {
    const tensor = (residents.get(home.name) as NativeResident).handle
    return { in: home.in === 'state' ? 'tensor' : 'shadow', tensor, bytes }
  }
  if (home.in === 'program') return { in: 'own', bytes }
  const values = isFloat64(home.value) ? Float32Array.from(home.value) : home.value
  return { in: 'own', bytes, values }
}

/** The scratch memory that all programs of an engine share: as large as the largest of them, or up to twice that. */
class Arena {
  readonly #machine: Machine
  readonly #claims = new Set<{ bytes: number }>()

  constructor(machine: Machine) {
    this.#machine = machine
  }

  /** Asked for at once: runs that are queued from now on find it. `ready` fails where the host has not so much. */
  claim(bytes: number): { ready: Promise<unknown>; release: () => void } {
    const claim = { bytes }
    this.#claims.add(claim)
    const ready = this.#machine.reserve(bytes)
    ready.catch(() => this.#claims.delete(claim))
    return {
      ready,
      release: () => {
        if (this.#claims.delete(claim)) this.#trim().catch(() => {})
      },
    }
  }

  async #trim(): Promise<unknown> {
    return this.#machine.trim(Math.max(0, ...[...this.#claims].map(({ bytes }) => bytes)))
  }
}

const numbersIn = (bytes: ArrayBuffer, { dtype, shape }: TensorSpec): Numbers =>
  new dtypes[dtype].array(
    bytes,
    0,
    shape.reduce((a, b) => a * b, 1),
  )

/** What the addon throws, as an error of ours. */
function failure(error: unknown): unknown {
  const { code, where, message } = error as { code?: string; where?: string; message?: string }
  if (error instanceof FoveaError || code === undefined || !Object.hasOwn(errorCodes, code)) return error
  const hint = code === 'E_LIMIT' ? 'use a smaller batch, or close models that are no longer needed' : undefined
  return new FoveaError(code as ErrorCode, {
    what: message ?? 'the native engine failed',
    ...(where && { where }),
    ...(hint && { hint }),
  })
}

function translated<T>(action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw failure(error)
  }
}

const settled = <T>(promise: Promise<T>): Promise<T> =>
  promise.catch((error) => {
    throw failure(error)
  })
