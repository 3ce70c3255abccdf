/** The native addon: what it offers, or why it is not here. */
import { loadAddon } from '#platform'

/** What the addon says of itself and of the machine. */
export interface AddonInfo {
  /** The version of oneDNN that was found: `2.6.3`. */
  readonly onednn: string
  /** The instruction sets that its kernels may use here: `AVX2`, `AVX-512`, `AVX-512, AMX`. */
  readonly isa: string
  /** Whether these multiply bfloat16. */
  readonly bfloat16: boolean
  /** The instruction set of the addon's own loops. */
  readonly loops: string
  /** Are there tiles (AMX) for the addon's own products of bfloat16? */
  readonly tiles: boolean
  /** What compiled it: `g++ 12.2.0`. */
  readonly compiler: string
  /** The machine's memory in bytes. */
  readonly memory: number
  /** The most threads that OpenMP gives: OMP_THREAD_LIMIT. */
  readonly mostThreads: number
}

declare const kind: unique symbol
/** Something of the addon's own; only the addon looks inside. */
interface Handle<K extends string> {
  readonly [kind]: K
}
export type TensorHandle = Handle<'tensor'>
export type OperationHandle = Handle<'operation'>
export type ProgramHandle = Handle<'program'>

/** An operation in words and numbers; each kind reads its own fields (native/src). */
export interface Description {
  readonly kind: string
  /** In complaints. */
  readonly where: string
  readonly [field: string]: unknown
}

/** An operation that was made, and what it needs. */
export interface MadeOperation {
  readonly handle: OperationHandle
  /** Bytes of its scratch operand, where it has one. */
  readonly scratch: number
  /** Bytes of the operand that oneDNN needs in a layout of its own; 0 where the plain one is as good. */
  readonly packed: number
  /** The name of what computes a product: oneDNN's, or our own. */
  readonly implementation?: string
  /** Bytes that each operand has at least. */
  readonly operandBytes: readonly number[]
}

/** The same with a name for people. */
export interface Operation extends MadeOperation {
  readonly name: string
}

/** Where an operand is: in the arena, in a tensor or its shadow, or in memory of the program's own. */
export type OperandPlace =
  | { readonly in: 'arena'; readonly at: number; readonly bytes: number }
  | { readonly in: 'tensor' | 'shadow'; readonly tensor: TensorHandle; readonly bytes: number }
  | { readonly in: 'own'; readonly bytes: number; readonly values?: ArrayBufferView }

export interface ProgramDescription {
  readonly arenaBytes: number
  readonly places: readonly OperandPlace[]
  readonly stages: readonly {
    readonly operation: OperationHandle
    /** A place for each operand. */
    readonly operands: readonly number[]
    /** Which of the operands are written. */
    readonly written: readonly number[]
    /** Shadows that change places with their tensors when the operation says so. */
    readonly committed?: readonly number[]
  }[]
}

/** An engine's thread and what it holds. Promises settle in the order of the calls. */
export interface Machine {
  tensor(bytes: number): TensorHandle
  operation(description: Description): MadeOperation
  load(description: ProgramDescription): { program: ProgramHandle; ready: Promise<unknown> }
  /** The arena has this many bytes from then on, or more. */
  reserve(bytes: number): Promise<unknown>
  /** No program needs more than this: where the arena has more than twice as much, it is made smaller. */
  trim(bytes: number): Promise<unknown>
  /** Inputs as places and values in turn, taken at once; the bytes of the outputs' places come back. */
  run(
    program: ProgramHandle,
    inputs: readonly (number | ArrayBufferView)[],
    outputs: readonly number[],
  ): Promise<ArrayBuffer[]>
  read(tensor: TensorHandle, bytes: number): Promise<ArrayBuffer[]>
  write(tensor: TensorHandle, values: ArrayBufferView): Promise<unknown>
  /** Seconds that each stage took in all runs since the first such call. */
  profile(program: ProgramHandle): Promise<ArrayBuffer[]>
  /** Gives memory back when what was asked for before is done; later uses get E_CLOSED. */
  drop(handle: TensorHandle | ProgramHandle): void
  close(): void
}

export interface Addon {
  info(): AddonInfo
  /** `isPoisoned`: memory is full of NaN until a run writes it. */
  readonly Engine: new (
    threads: number,
    isPoisoned?: boolean,
  ) => Machine
}

/** The addon, or why it is not available here. */
export function findAddon(): { readonly addon: Addon } | { readonly missing: string } {
  const loaded = loadAddon()
  if ('missing' in loaded) return loaded
  const addon = loaded.addon as Partial<Addon> | undefined // the border to C++
  if (typeof addon?.info === 'function' && typeof addon.Engine === 'function') return { addon: addon as Addon }
  return { missing: 'what FOVEA_NATIVE_ADDON names is no addon of Fovea: unset it' }
}

/** Why there is no native engine here, or undefined where there is. */
export function missingAddon(): string | undefined {
  const found = findAddon()
  return 'missing' in found ? found.missing : undefined
}

/** The most threads that an engine may have. */
export function mostThreads(): number {
  const found = findAddon()
  return 'addon' in found ? found.addon.info().mostThreads : Infinity
}

/** What the engine runs on, for people: `oneDNN 2.6.3, AVX-512, AMX, 2 threads`. */
export function describeAddon({ onednn, isa }: AddonInfo, threads: number): string {
  return `oneDNN ${onednn}, ${isa}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
}
