/** The contract of an engine: it lowers steps to stages, keeps tensors, and runs what has been laid out. */
import type { DType, TensorSpec, TypedArray } from '../graph/dtype.ts'
import type { MemoryPlan, MemoryRules, Touch } from './memory.ts'
import type { Precision } from './precision.ts'
import type { Buffer, Step, StepLimits, Value } from './step.ts'

/** What comes back from an engine; the reference engine gives its float64. */
export type Numbers = TypedArray | Float64Array

/** Part of a step, as an engine will run it: what it touches (scratch included), and what the engine knows of it. */
export interface Stage<Code = unknown> extends Touch {
  readonly code: Code
}

/** A program laid out: ready to be loaded. */
export interface Layout<Code = unknown> {
  readonly stages: readonly Stage<Code>[]
  readonly memory: MemoryPlan
  readonly inputs: Readonly<Record<string, Value<DType>>>
  readonly outputs: Readonly<Record<string, Value<DType>>>
}

/** A tensor that stays on an engine from run to run. Reads and writes are queued in order with the runs. */
export interface Resident {
  readonly spec: TensorSpec
  readonly isClosed: boolean
  read(): Promise<Numbers>
  write(values: Numbers): Promise<void>
  /** Gives the memory back; later calls throw E_CLOSED. */
  close(): void
}

/** A loaded program. */
export interface Executable {
  /** Kernels compiled, workers up. */
  readonly ready: Promise<void>
  /** What it holds on the engine until it is closed: constants, packed weights, code; the arena where it has one of its own. */
  readonly bytes: number
  /** Queued: runs happen in the order of the calls. */
  run(inputs: Readonly<Record<string, Numbers>>): Promise<Record<string, Numbers>>
  /** What each stage took in all runs since the first such call. */
  profile(): Promise<readonly StageTime[]>
  close(): void
}

/** A stage and the seconds that it took. */
export interface StageTime {
  readonly name: string
  readonly seconds: number
  /** The library's kernel that computed it, where it was not the engine's own loop. */
  readonly kernel?: string
}

/**
 * A way to compute. `Code` is the engine's own business. `lower`, `create` and `load` are for programs and states: they do not
 * check what they are given, which `compile` and `State` have done. Call those instead.
 */
export interface Engine<Code = unknown> {
  readonly name: string
  /** Computing threads. */
  readonly threads: number
  /** What it runs on, for people: `SIMD with fused multiply-add, 2 threads`. */
  readonly description: string
  /** Arena, residents and what a program keeps never exceed this many bytes together. */
  readonly memoryLimit: number
  /** How the planner is to place what the kernels work on. */
  readonly memoryRules: MemoryRules
  /** How it can compute; where a precision asked for is not among them, it computes in float32. */
  readonly precisions: readonly Precision[]
  /** Steps that it is given stay within these. */
  readonly limits: StepLimits
  /** The stages of a program's steps, in an order in which they may run; `results` are read when all is done. */
  lower(steps: readonly Step[], results: ReadonlySet<Buffer>): readonly Stage<Code>[]
  create(spec: TensorSpec): Resident
  load(layout: Layout<Code>, residents: ReadonlyMap<string, Resident>): Executable
  /** False once it was closed, or its workers died. */
  readonly isOpen: boolean
  /** Stops the workers; what is waiting ends with E_CLOSED. */
  close(): Promise<void>
}
