/** Kernels: functions `(pointers, begin, end)` over units of work, generated for the shapes at hand. */
import type { Stage } from '../../compile/engine.ts'
import type { Buffer } from '../../compile/step.ts'
import type { Code, WasmFunction } from './assembler.ts'
import type { Local } from './function.ts'
import { FunctionWriter } from './function.ts'

/** A function still to be generated. Equal keys mean equal functions. */
export interface Kernel {
  readonly key: string
  /** What it is, for people: profiles name it. */
  readonly name: string
  readonly generate: (name: string, fused: boolean) => WasmFunction
}

/** A kernel with its buffers and its work; what the workers do in one stage. */
export interface WasmCode {
  /** The step that it is part of, for people. */
  readonly title?: string
  readonly kernel: Kernel
  readonly pointers: readonly Buffer[]
  readonly units: number
  /** Units per call; only the problem's size decides, so that threads never change a result. */
  readonly grain: number
}

export type WasmStage = Stage<WasmCode>

/** A part of this much work (a float moved, or eight multiply-adds, is 1) takes about a tenth of a millisecond. */
const WORK_PER_CALL = 200_000
/** Small problems are cut into this many parts where none gets less than `LEAST_WORK`: threads end together. */
const PARTS = 16
const LEAST_WORK = 20_000

const workPerCall = (total: number): number => Math.min(WORK_PER_CALL, Math.max(LEAST_WORK, total / PARTS))

type Write = (f: FunctionWriter, pointers: readonly Local[], begin: Local, end: Local) => Code

interface Launch {
  readonly reads: readonly Buffer[]
  readonly writes: readonly Buffer[]
  readonly inPlace?: boolean
  readonly units: number
  /** Floats moved, or multiply-adds / 8, per unit. */
  readonly work: number
  /** At most so many calls, where units that one call does together share what they read. */
  readonly mostCalls?: number
}

/** Numbers as JSON cannot say them: -0, NaN and the infinities, each by its own name. */
const exactly = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? (Object.is(value, -0) ? '-0' : String(value)) : value

/** Defines a kernel family: `write` may only depend on `shape`, which is plain data and part of the key. */
export function defineKernel<S>(name: string, write: (shape: S) => Write): (shape: S, launch: Launch) => WasmStage {
  return (shape, { reads, writes, inPlace, units, work, mostCalls = units }) => {
    const pointers = [...reads, ...writes]
    const kernel: Kernel = {
      name,
      key: `${name} ${pointers.length} ${JSON.stringify(shape, exactly)}`,
      generate: (functionName, fused) => {
        const f = new FunctionWriter(fused)
        const addresses = pointers.map(() => f.parameter('i32'))
        const [begin, end] = [f.parameter('i32'), f.parameter('i32')]
        return f.finish(functionName, write(shape)(f, addresses, begin, end), { exported: true })
      },
    }
    const wanted = Math.max(1, Math.round(workPerCall(units * work) / Math.max(work, 1)))
    const grain = Math.min(units, Math.max(wanted, Math.ceil(units / mostCalls)))
    return { reads, writes, ...(inPlace && { inPlace }), code: { kernel, pointers, units, grain } }
  }
}

/** `total` things cut into the fewest parts of at most `most`, as even as can be: `large` parts of `size`, the rest one less. */
export function evenly(total: number, most: number): { count: number; size: number; large: number } {
  const count = Math.ceil(total / most)
  const size = Math.ceil(total / count)
  return { count, size, large: total - count * (size - 1) }
}
