/** Steps: what a program does, in order. A step reads and writes values; values live in buffers. */
import type { StorageDType, StoredSpec, TypedArray } from '../graph/dtype.ts'
import { dtypes } from '../graph/dtype.ts'
import type { AnyOp, Attrs } from '../graph/node.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Scalar } from '../ops/scalar.ts'
import { scalarText } from '../ops/scalar.ts'

/** Where numbers live: in the arena that programs share, with the state or the program, permanently. */
export interface Buffer {
  readonly bytes: number
  readonly home:
    | { readonly in: 'arena' }
    | { readonly in: 'state'; readonly name: string }
    | { readonly in: 'program' }
    /** Beside a tensor of the state, for its next values. */
    | { readonly in: 'shadow'; readonly name: string }
    | { readonly in: 'constant'; readonly value: TypedArray | Float64Array }
}

/** A buffer seen with a shape and a dtype. */
export interface Value<D extends StorageDType = StorageDType> extends StoredSpec {
  readonly dtype: D
  readonly buffer: Buffer
}

/** An op's kernel, with an elementwise head on its input and a tail on its result where the compiler fused them. */
export interface KernelStep {
  readonly kind: 'kernel'
  readonly op: AnyOp
  readonly attrs: Attrs
  /** What the op is applied to. With a head: its arguments, which broadcast to what it gives. */
  readonly inputs: readonly Value[]
  readonly head?: { readonly f: Scalar; readonly spec: StoredSpec }
  /** Argument 0 is the op's own result, argument i the i-th extra: a scalar, a vector along the last axis, or a whole. */
  readonly tail?: { readonly f: Scalar; readonly extras: readonly Value[] }
  readonly outputs: readonly [Value]
}

/** What an engine lowers a kernel step from, with its attributes typed. */
export interface TypedStep<A> {
  readonly attrs: A
  readonly inputs: readonly Value[]
  readonly output: Value
  readonly head: KernelStep['head']
  readonly tail: KernelStep['tail']
}

/** Expressions over the same inputs, computed in one loop over `shape`; output i is expression i. */
export interface ElementwiseStep {
  readonly kind: 'elementwise'
  readonly shape: readonly number[]
  readonly inputs: readonly Value[]
  readonly expressions: readonly Scalar[]
  readonly outputs: readonly Value[]
}

export type Step = KernelStep | ElementwiseStep

/** What an engine can take in one step. The compiler fuses and joins within it, so that no graph is too large. */
export interface StepLimits {
  /** Values that expressions read and write, together. */
  readonly operands: number
  /** Parts of all expressions, shared ones once. */
  readonly parts: number
}
export const unlimited: StepLimits = { operands: Infinity, parts: Infinity }

/** Every value that a step reads. */
export const readsOf = (step: Step): readonly Value[] =>
  step.kind === 'kernel' && step.tail ? [...step.inputs, ...step.tail.extras] : step.inputs

/** Bytes of a tensor. */
export const bytesOf = ({ shape, dtype }: { shape: readonly number[]; dtype: StorageDType }): number =>
  sizeOf(shape) * dtypes[dtype].bytes

/** A new value in a buffer of its own in the arena. */
export const arenaValue = <D extends StorageDType>({ shape, dtype }: StoredSpec & { dtype: D }): Value<D> => ({
  shape,
  dtype,
  buffer: { bytes: bytesOf({ shape, dtype }), home: { in: 'arena' } },
})

/** May results overwrite operands of as many bytes? Not over such as have other elements there, in numbers of another width. */
export const mayOverwrite = ({ inputs, outputs }: Pick<ElementwiseStep, 'inputs' | 'outputs'>): boolean =>
  inputs.every((x) =>
    outputs.every((y) => x.buffer.bytes !== y.buffer.bytes || dtypes[x.dtype].bytes === dtypes[y.dtype].bytes),
  )

/** Does a step make a value in bfloat16? */
export const storesLow = (step: Step): boolean => step.outputs.some(({ dtype }) => dtype === 'bfloat16')

/** A step in a few words, for profiles: `convolution [128, 28, 28, 1] [5, 5, 1, 20]`. */
export const titleOf = (step: Step): string =>
  step.kind === 'elementwise'
    ? `elementwise [${step.shape.join(', ')}]`
    : [step.op.opName, ...step.inputs.map(({ shape }) => `[${shape.join(', ')}]`)].join(' ')

/** Steps as text, one a line; buffers are named in the order of their appearance. */
export function printSteps(steps: readonly Step[]): string {
  const names = new Map<Buffer, string>()
  const name = ({ buffer, shape, dtype }: Value): string => {
    if (!names.has(buffer)) names.set(buffer, buffer.home.in === 'state' ? buffer.home.name : `b${names.size}`)
    return `${names.get(buffer)}[${shape.join(', ')}]${dtype === 'bfloat16' ? ' bf16' : ''}`
  }
  return steps
    .map((step) => {
      const inputs = step.inputs.map(name)
      if (step.kind === 'elementwise') {
        const results = step.expressions.map((f) => scalarText(f, inputs))
        return step.outputs.map((output, i) => `${name(output)} = ${results[i]}`).join('; ')
      }
      const { op, head, tail } = step
      const call = `${op.opName}(${head ? scalarText(head.f, inputs) : inputs.join(', ')})`
      const extras = tail?.extras.map(name) ?? []
      return `${name(step.outputs[0])} = ${tail ? scalarText(tail.f, [call, ...extras]) : call}`
    })
    .join('\n')
}
