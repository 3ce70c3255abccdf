/** The wasm engine: a module generated per program, worker threads over one shared memory. Nothing to install. */

import { hardwareThreads, sharesMemory } from '#platform'
import { FoveaError } from '../../base/errors.ts'
import { isFloat64, messageOf } from '../../base/realm.ts'
import type { Engine, Executable, Layout, Numbers, Resident } from '../../compile/engine.ts'
import type { MemoryRules } from '../../compile/memory.ts'
import { ownBytes } from '../../compile/memory.ts'
import type { Buffer, KernelStep, Step, StepLimits } from '../../compile/step.ts'
import { bytesOf, titleOf } from '../../compile/step.ts'
import type { TensorSpec } from '../../graph/dtype.ts'
import { arrayFor, asFloat32, dtypes } from '../../graph/dtype.ts'
import type { KernelName } from '../../ops/index.ts'
import { assemble } from './assembler.ts'
import { Heap } from './heap.ts'
import { checkCompiles, hasFusedMultiplyAdd, hasSimd } from './host.ts'
import type { Kernel, WasmCode, WasmStage } from './kernel.ts'
import type { Lowering } from './kernels/context.ts'
import { elementwiseStage } from './kernels/elementwise.ts'
import { kernels } from './kernels/index.ts'
import { mathFunctions } from './math.ts'
import type { Address, Launch } from './protocol.ts'
import { Threads } from './threads.ts'

/** What 32-bit addresses reach, less the last page. */
const MEMORY_LIMIT = 2 ** 32 - 65536
/** The first bytes stay empty, so that an address of 0 is never right. */
const HEAP_START = 1024
/**
 * A function has at most 1000 parameters, an operand each, and 50,000 locals: a loop is written out up to five times, with a
 * local for every part.
 */
const STEP_LIMITS: StepLimits = { operands: 960, parts: 4096 }
/** Buffers start at a cache line; kernels may read two vectors beyond the end of one. */
const memoryRules: MemoryRules = { alignment: 64, slack: 32, inPlace: true }
const SLACK = memoryRules.slack

/** About how many bytes V8 holds for one of a module's code. */
const MACHINE_CODE = 8

export interface WasmOptions {
  /** Computing threads; all the machine has when absent. One where memory cannot be shared. */
  threads?: number | undefined
}

interface WasmResident extends Resident {
  readonly address: number
}

/** Starts an engine; its workers come up while the first program is planned. */
export function wasmEngine({ threads = hardwareThreads() }: WasmOptions = {}): Engine<WasmCode> {
  if (!hasSimd()) throw new FoveaError('E_ENGINE', { what: 'this host has no WebAssembly SIMD', where: 'wasm' })
  checkCompiles()
  const shared = sharesMemory()
  const fused = hasFusedMultiplyAdd()
  const memory = shared ? sharedMemory() : undefined
  const workers = new Threads(Math.max(1, threads), memory)
  const heap = new Heap({ start: HEAP_START, limit: MEMORY_LIMIT, alignment: memoryRules.alignment })
  const arena = new Arena(heap)
  let programs = 0

  const allocate = (bytes: number): number => {
    const address = heap.allocate(bytes + SLACK)
    workers.tellFirst({ type: 'reach', bytes: heap.top + SLACK })
    return address
  }
  const write = async (at: number, values: Numbers): Promise<void> => {
    const bytes = bytesIn(values)
    await workers.ask({ type: 'write', at, bytes }, [bytes.buffer])
  }
  /** Frees what residents and programs hold that were dropped without being closed. */
  const dropped = new FinalizationRegistry<() => void>((release) => release())
  // made apart from what they release, which they must not keep alive
  const releaseTensor = (address: number, bytes: number) => () => heap.release(address, bytes + SLACK)
  const releaseProgram = (program: number, constants: ReadonlyMap<Buffer, number>, claim: Claim) => () => {
    workers.tell({ type: 'unload', program })
    for (const [{ bytes }, at] of constants) heap.release(at, bytes + SLACK)
    claim.release()
  }

  const create = (spec: TensorSpec): WasmResident => {
    const bytes = bytesOf(spec)
    const address = allocate(bytes)
    const release = releaseTensor(address, bytes)
    let isClosed = false
    const check = (): void => {
      if (isClosed) throw new FoveaError('E_CLOSED', { what: 'the tensor was closed' })
    }
    const resident: WasmResident = {
      spec,
      address,
      get isClosed() {
        return isClosed
      },
      async read() {
        check()
        const [result] = await workers.ask({ type: 'read', at: address, bytes })
        return numbersIn(result, spec)
      },
      async write(values) {
        check()
        await write(address, arrayFor(values, spec.dtype))
      },
      close() {
        if (isClosed) return
        isClosed = true
        dropped.unregister(resident)
        release()
      },
    }
    dropped.register(resident, release, resident)
    return resident
  }

  const load = (layout: Layout<WasmCode>, residents: ReadonlyMap<string, Resident>): Executable => {
    const program = programs++
    const constants = new Map<Buffer, number>()
    const addressOf = (buffer: Buffer): Address => {
      const { home } = buffer
      if (home.in === 'arena') return { in: 'arena', at: layout.memory.offsets.get(buffer) ?? 0 }
      if (home.in === 'state') return { in: 'memory', at: (residents.get(home.name) as WasmResident).address }
      let at = constants.get(buffer)
      if (at === undefined) {
        at = allocate(buffer.bytes)
        constants.set(buffer, at)
        if (home.in === 'constant') write(at, rounded(home.value)).catch(() => {}) // a dead engine says so at the run
      }
      return { in: 'memory', at }
    }
    const { functions, launches } = generate(layout.stages, addressOf, fused)
    const claim = arena.claim(layout.memory.peakBytes + SLACK)
    workers.tellFirst({ type: 'reach', bytes: heap.top + SLACK })
    const bytes = launches.length * 2 * 4
    const counters = new Int32Array(shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes))
    const code = assemble(functions, { shared })
    const ready = workers.load({ type: 'load', program, code, launches, counters })
    const inputs = Object.entries(layout.inputs).map(([name, { buffer }]) => ({ name, place: addressOf(buffer) }))
    const outputs = Object.entries(layout.outputs).map(([name, spec]) => ({
      name,
      spec,
      place: addressOf(spec.buffer),
    }))
    let isOpen = true
    const release = releaseProgram(program, constants, claim)
    const executable: Executable = {
      ready,
      bytes: ownBytes(layout.stages) + code.length * MACHINE_CODE,
      async run(given) {
        if (!isOpen) throw new FoveaError('E_CLOSED', { what: 'the program was closed' })
        const inward = inputs.map(({ name, place }) => ({ place, bytes: bytesIn(given[name], name) }))
        const results = await workers.ask(
          {
            type: 'run',
            program,
            arena: arena.address,
            inputs: inward,
            outputs: outputs.map(({ place, spec }) => ({ place, bytes: bytesOf(spec) })),
          },
          inward.map(({ bytes }) => bytes.buffer),
        )
        return Object.fromEntries(outputs.map(({ name, spec }, i) => [name, numbersIn(results[i], spec)]))
      },
      async profile() {
        if (!isOpen) throw new FoveaError('E_CLOSED', { what: 'the program was closed' })
        const [bytes] = await workers.ask({ type: 'profile', program })
        const seconds = new Float64Array(bytes.buffer)
        return layout.stages.map(({ code: { title, kernel } }, i) => ({
          name: `${title} by ${kernel.name}`,
          seconds: seconds[i],
        }))
      },
      close() {
        if (!isOpen) return
        isOpen = false
        dropped.unregister(executable)
        release()
      },
    }
    dropped.register(executable, release, executable)
    return executable
  }

  return {
    name: 'wasm',
    threads: workers.count,
    description: `WebAssembly SIMD${fused ? ' with fused multiply-add' : ''}, ${workers.count} thread${workers.count > 1 ? 's' : ''}${shared ? '' : ' (memory cannot be shared here)'}`,
    memoryLimit: MEMORY_LIMIT,
    memoryRules,
    precisions: ['float32'],
    limits: STEP_LIMITS,
    get isOpen() {
      return workers.isOpen
    },
    lower: (steps) =>
      steps.flatMap((step) => {
        const title = titleOf(step)
        return lower(step).map((stage) => ({ ...stage, code: { ...stage.code, title } }))
      }),
    create,
    load,
    close: () => workers.close(),
  }
}

/** Room for all addresses is asked for at once: memory that is shared cannot move. */
function sharedMemory(): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true })
  } catch (cause) {
    const hint = "close engines and pages that hold memory; 'reference' needs none of it"
    const what = 'the host has no room for another 4 GiB of addresses'
    throw new FoveaError('E_LIMIT', { what, where: 'wasm', got: messageOf(cause), hint, cause })
  }
}

function lower(step: Step): readonly WasmStage[] {
  if (step.kind === 'elementwise') return [elementwiseStage(step)]
  const { op, attrs, inputs, head, tail, outputs }: KernelStep = step
  const lowering: Lowering<unknown> = { attrs, inputs, head, tail, output: outputs[0] }
  return (kernels[op.opName as KernelName] as (step: Lowering<unknown>) => readonly WasmStage[])(lowering)
}

/** Each kernel once, and every stage as a call of one. */
function generate(stages: readonly WasmStage[], addressOf: (buffer: Buffer) => Address, fused: boolean) {
  const known = new Map<string, { name: string; kernel: Kernel }>()
  const launches = stages.map(({ code: { kernel, pointers, units, grain } }): Launch => {
    let entry = known.get(kernel.key)
    if (!entry) {
      entry = { name: `k${known.size}`, kernel }
      known.set(kernel.key, entry)
    }
    return { name: entry.name, pointers: pointers.map(addressOf), units, grain }
  })
  const functions = [...known.values()].map(({ name, kernel }) => kernel.generate(name, fused))
  return { functions: [...functions, ...mathFunctions(fused)], launches }
}

/** A graph's own numbers are rounded as all that is computed from them. */
const rounded = (values: Numbers): Numbers => (isFloat64(values) ? Float32Array.from(values) : values)

/** A copy of the bytes of an array, to be given away. */
function bytesIn(values: Numbers, where?: string): Uint8Array<ArrayBuffer> {
  if (isFloat64(values)) return new Uint8Array(asFloat32(values, where).buffer)
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice()
}

const numbersIn = (bytes: Uint8Array, { dtype }: TensorSpec): Numbers =>
  new dtypes[dtype].array(bytes.buffer as ArrayBuffer, 0, bytes.length / dtypes[dtype].bytes)

/** A program's part in the arena. */
interface Claim {
  readonly release: () => void
}

/** The scratch memory that all programs of an engine share: as large as the largest of them. */
class Arena {
  address = 0
  #bytes = 0
  readonly #heap: Heap
  readonly #claims = new Set<{ bytes: number }>()

  constructor(heap: Heap) {
    this.#heap = heap
  }

  claim(bytes: number): Claim {
    if (bytes > this.#bytes) this.#resize(bytes)
    const claim = { bytes }
    this.#claims.add(claim)
    return { release: () => this.#release(claim) }
  }

  #release(claim: { bytes: number }): void {
    this.#claims.delete(claim)
    const largest = Math.max(0, ...[...this.#claims].map(({ bytes }) => bytes))
    if (largest < this.#bytes / 2) this.#resize(largest)
  }

  #resize(bytes: number): void {
    const [old, oldBytes] = [this.address, this.#bytes]
    if (oldBytes > 0) this.#heap.release(old, oldBytes)
    try {
      this.address = bytes > 0 ? this.#heap.allocate(bytes) : 0
      this.#bytes = bytes
    } catch (error) {
      this.address = oldBytes > 0 ? this.#heap.allocate(oldBytes) : 0 // the smaller programs go on
      throw error
    }
  }
}
