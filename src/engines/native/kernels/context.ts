/** What lowering a kernel step is given, and the stages it makes. */
import type { Stage } from '../../../compile/engine.ts'
import type { Buffer, TypedStep, Value } from '../../../compile/step.ts'
import { arenaValue } from '../../../compile/step.ts'
import type { StorageDType, StoredSpec } from '../../../graph/dtype.ts'
import type { AttrsOf } from '../../../graph/node.ts'
import type { PoolAttrs } from '../../../ops/pooling.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import type { Description, Operation, OperationHandle } from '../addon.ts'
import { expressionFields } from '../expression.ts'

/** An operation of the addon with its operands, in its order. */
export interface NativeCode {
  /** What it is, for people: profiles name it. */
  readonly name: string
  /** The name of what computes a product: oneDNN's, or our own. */
  readonly implementation?: string
  readonly operation: OperationHandle
  readonly operands: readonly Buffer[]
  readonly written: readonly number[]
  /** Shadows that change places with their tensors when the operation says so. */
  readonly committed?: readonly Buffer[]
}
export type NativeStage = Stage<NativeCode>

/** Which place of each window of a maxPool had the largest, noted for its gradient. */
export interface Noted {
  readonly places: Value
  /** Do all gradients pass only where the largest was above 0? The places say that too. */
  readonly isGated: boolean
}

/** A maxPool's gradient that its only reader makes for itself, a picture at a time. */
export interface Unpooled {
  /** What reached the pooling's result. */
  readonly dy: Value
  readonly noted: Noted
  readonly attrs: PoolAttrs
}

/** What is known of the program around a step. */
export interface Context {
  operation(description: Description): Operation
  /** How many compute. */
  readonly threads: number
  /** Has the processor tiles for products of bfloat16? */
  readonly hasTiles: boolean
  /** Does a value stay as it is while the program runs: a constant, or a tensor of the state that nothing here writes? */
  isSettled(value: Value): boolean
  /** The value that this one is a mere cast of, else itself. */
  uncast(value: Value): Value
  /** Where the sums of dy over all but its channels are to go, when they come with this gradient of a kernel. */
  biasGradientOf(dkernel: Value): Value | undefined
  /** What a maxPool notes for its gradients: by its result, and by theirs. */
  notedFor(result: Value): Noted | undefined
  /** Of what a maxPool's gradient would give, where no step computes that. */
  unpooled(dx: Value): Unpooled | undefined
}

/** A kernel step, and what is known of all of them. */
export interface Lowering<A> extends TypedStep<A> {
  readonly context: Context
}
/** A lowering for each op of a table: forget one and it does not compile. */
export type Kernels<Ops> = { readonly [N in keyof Ops]: Lower<AttrsOf<Ops[N]>> }
export type Lower<A> = (step: Lowering<A>) => readonly NativeStage[]

/** Operands in their order: buffers that are read, and those that are written. */
type Operand = { readonly reads: Value } | { readonly writes: Value }

/** The stage of an operation that was made. */
export function stage(
  operation: Operation,
  operands: readonly Operand[],
  { inPlace = false }: { inPlace?: boolean } = {},
): NativeStage {
  const buffers = operands.map((x) => ('reads' in x ? x.reads : x.writes).buffer)
  return {
    reads: operands.flatMap((x) => ('reads' in x ? [x.reads.buffer] : [])),
    writes: operands.flatMap((x) => ('writes' in x ? [x.writes.buffer] : [])),
    ...(inPlace && { inPlace }),
    code: {
      name: operation.name,
      ...(operation.implementation !== undefined && { implementation: operation.implementation }),
      operation: operation.handle,
      operands: buffers,
      written: operands.flatMap((x, i) => ('writes' in x ? [i] : [])),
    },
  }
}

/** The stage of an operation that reads `inputs` and writes `output`. */
export const simple = (
  { context }: Pick<Lowering<unknown>, 'context'>,
  description: Description,
  inputs: readonly Value[],
  output: Value,
): NativeStage => stage(context.operation(description), [...inputs.map((reads) => ({ reads })), { writes: output }])

/** The stage of an operation that ends with a tail: what it reads, its own memory, its result, and what the tail reads. */
export const stageWithTail = (
  operation: Operation,
  reads: readonly (Value | undefined)[],
  { tail, work, output }: { readonly tail?: Tail | undefined; readonly work?: Value; readonly output: Value },
): NativeStage => {
  const read = (values: readonly (Value | undefined)[]) => values.flatMap((x) => (x ? [{ reads: x }] : []))
  const writes = [work, output].flatMap((x) => (x ? [{ writes: x }] : []))
  return stage(operation, [...read(reads), ...writes, ...read(tail?.extras ?? [])])
}

/** Bytes that live within a step. */
export const scratch = (bytes: number): Value => arenaValue({ shape: [Math.max(bytes, 1)], dtype: 'uint8' })
/** Bytes that the program keeps from run to run. */
export const kept = (bytes: number): Value => ({
  shape: [bytes],
  dtype: 'uint8',
  buffer: { bytes, home: { in: 'program' } },
})

export interface Tail {
  readonly f: Scalar
  readonly extras: readonly Value[]
}

/** The fields of a tail over a result of this shape; `from` is the dtype that the result has before it, the output's as a rule. */
export const tailFields = ({ f, extras }: Tail, { shape, dtype }: StoredSpec, from: StorageDType = dtype) =>
  expressionFields(shape, [{ shape, dtype: from }, ...extras], [f], [dtype])

/** A tail as a loop of its own, from a result to the output. */
export function tailStage({ f, extras }: Tail, from: Value, output: Value, context: Context): NativeStage {
  const inputs = [from, ...extras]
  const fields = expressionFields(output.shape, inputs, [f], [output.dtype])
  return simple({ context }, { kind: 'elementwise', where: 'elementwise', ...fields }, inputs, output)
}
