/** Nodes: a graph is made by calling ops on nodes; nothing is computed, nothing is registered. */

import { FoveaError, locate } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { inOrder } from '../base/order.ts'
import { isFloat64 } from '../base/realm.ts'
import type { DType, FloatDType, StorageDType, StoredSpec, TypedArray } from './dtype.ts'
import { asFloat32, dtypeOf, isSurfaceDType, withinFloat32 } from './dtype.ts'
import type { Shape } from './shape.ts'
import { shapeText, sizeOf, wantShape } from './shape.ts'

/** Plain data that parametrises an op: sizes, paddings, names. */
export type Attrs = Readonly<Record<string, unknown>>

/** One value of the graph: an op applied to nodes. Its shape and dtype are known at once. */
export interface Node extends StoredSpec {
  readonly op: AnyOp
  readonly inputs: readonly Node[]
  readonly attrs: Attrs
}

type Repeat<T, N extends number, Acc extends T[] = []> = number extends N
  ? T[]
  : Acc['length'] extends N
    ? Acc
    : Repeat<T, N, [...Acc, T]>

/** Inputs of a sample: shapes filled by the tests with a ladder of floats, or a spec for other kinds of input. */
export type SampleInput = Shape | { readonly shape: Shape; readonly dtype: DType; readonly below: number }

/** One way to call an op, from which the shared suite makes its tests, forward and backward. */
export interface Sample<A> {
  readonly shapes: readonly SampleInput[]
  readonly attrs: A
}

/**
 * What an op does for others to build on, whatever its name is: `sum` adds up a run of axes (attributes `AxisRun`); `uniform`
 * draws numbers from [0, 1); `kernelGradient` makes a kernel's gradient of x and dy; `windowMax` takes the largest of each window
 * (attributes `PoolAttrs`), and `windowMaxGradient`, of x, y and dy, goes back to it.
 */
export type Role = 'sum' | 'uniform' | 'kernelGradient' | 'windowMax' | 'windowMaxGradient' | 'part'

/** Sizes, steps and distances of a window, one per spatial axis. */
export interface SlidingWindow {
  readonly size: readonly number[]
  readonly strides: readonly number[]
  readonly dilation: readonly number[]
  /** Strides are those from an element of the input to the next in the result, as of transposed convolutions. */
  readonly isTransposed?: true
}

/** A window of one element, for what moves elements along spatial axes. */
export function oneByOne([x]: readonly StoredSpec[]): SlidingWindow {
  const ones = x.shape.slice(1, -1).map(() => 1)
  return { size: ones, strides: ones, dilation: ones }
}

/** All that is known of an op, in one place. */
export interface OpRow<N extends number, A> {
  /** Shape and dtype of the result; throws E_SHAPE or E_DTYPE. */
  readonly infer: (inputs: Repeat<StoredSpec, N>, attrs: A) => StoredSpec
  /** The gradient for each input (undefined: none flows there). Without a rule the op is not differentiable. */
  readonly gradient?: (dy: Node, y: Node, inputs: Repeat<Node, N>, attrs: A) => readonly (Node | undefined)[]
  /** An equal node that is cheaper, where there is one. */
  readonly simplify?: (inputs: Repeat<Node, N>, attrs: A, spec: StoredSpec) => Node | undefined
  /**
   * What the compiler may do with it: `leaf` is never computed; `view` shares its input's buffer; `elementwise` carries
   * a scalar expression; `kernel` is an engine's loop.
   */
  readonly kind?: 'leaf' | 'view' | 'elementwise' | 'kernel'
  /** An elementwise head can be computed where the kernel reads its input, or a tail where it writes its result. */
  readonly fuses?: { readonly head?: true; readonly tail?: true }
  /** Says only what broadcasting says anyway: an elementwise user may read the input instead. */
  readonly repeats?: true
  /**
   * In mixed precision. Inputs are rounded to bfloat16, read as they are stored (`any`), or all of one dtype, the
   * result's (`alike`); the result may be stored as bfloat16 where `gives` says so. Without it all is float32.
   */
  readonly precision?: { readonly reads: 'bfloat16' | 'any' | 'alike'; readonly gives?: 'any' }
  /** What an engine that sees many steps at once may join some by. */
  readonly role?: Role
  /** Multiplications with an addition that the result takes: of convolutions and products, which are nearly all of a network's. */
  readonly multiplyAdds?: (inputs: Repeat<StoredSpec, N>, result: StoredSpec) => number
  /** What of its input an element of the result sees along every spatial axis, where that is a window that slides. */
  readonly window?: (inputs: Repeat<StoredSpec, N>, attrs: A) => SlidingWindow
  /** The call in words, where the op's name and attributes say it badly. */
  readonly text?: (inputNames: readonly string[], attrs: A) => string
  readonly samples: readonly Sample<NoInfer<A>>[]
}

type NoAttrs = Record<never, never>

type AttrsArgument<A> = NoAttrs extends A ? [attrs?: A] : [attrs: A]

/** An op: call it on its nodes (an op of any number of inputs on a list of them) and its attributes, where it has any. */
export interface Op<N extends number, A = NoAttrs> {
  (
    ...args: number extends N
      ? [inputs: readonly Node[], ...AttrsArgument<A>]
      : [...Repeat<Node, N>, ...AttrsArgument<A>]
  ): Node
  readonly opName: string
  readonly arity: N | 'several'
  readonly row: OpRow<N, A>
}

/** Any op, its types forgotten: what shared code sees. */
export interface AnyOp {
  readonly opName: string
  readonly row: OpRow<number, Attrs>
}

/** Attributes of an op's type. */
export type AttrsOf<O> = O extends { readonly row: { readonly infer: (inputs: never, attrs: infer A) => StoredSpec } }
  ? A
  : never

/** Is this what an op gives? */
export function isNode(value: unknown): value is Node {
  const { op, inputs, shape } = (value ?? {}) as Partial<Node>
  return typeof op?.row?.infer === 'function' && Array.isArray(inputs) && Array.isArray(shape)
}

/** Axes of a tensor, more than anybody has use for. */
const MAX_RANK = 32

/** Makes a node of any op; checks shapes at once. */
export function makeNode(op: AnyOp, inputs: readonly Node[], attrs: Attrs = {}): Node {
  const spec = locate(String(attrs['label'] ?? op.opName), () => op.row.infer(inputs as Node[], attrs))
  if (spec.shape.length > MAX_RANK) {
    const [expected, got] = [`at most ${MAX_RANK}`, `${spec.shape.length}`]
    throw new FoveaError('E_SHAPE', { what: 'too many axes', where: op.opName, expected, got })
  }
  if (!spec.shape.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw new FoveaError('E_SHAPE', {
      what: 'sizes must be integers >= 1',
      where: op.opName,
      got: shapeText(spec.shape),
    })
  }
  return { op, inputs, attrs, shape: spec.shape, dtype: spec.dtype }
}

/** Defines an op from its row; `several` inputs are given as a list. */
export function defineOp<const N extends number, A = NoAttrs>(
  opName: string,
  arity: N | 'several',
  row: OpRow<N, A>,
): Op<N, A> {
  const op = (...args: unknown[]): Node => {
    const [inputs, attrs] = arity === 'several' ? args : [args.slice(0, arity), args[arity]]
    return makeNode(op as unknown as AnyOp, inputs as Node[], (attrs ?? {}) as Attrs)
  }
  return Object.assign(op, { opName, arity, row }) as unknown as Op<N, A>
}

/** Is `node` an application of `op`? */
export const isA = (node: Node, op: { readonly opName: string }): boolean => node.op === (op as unknown)

/** Throws E_DTYPE unless every input has one of the dtypes. */
export function wantDType(inputs: readonly StoredSpec[], ...wanted: readonly StorageDType[]): void {
  for (const { dtype } of inputs) {
    if (wanted.includes(dtype)) continue
    const hint = dtype === 'uint8' ? 'scale bytes first, as in mul(x, 1 / 255)' : undefined
    throw new FoveaError('E_DTYPE', { what: `needs ${wanted.join(' or ')}`, got: dtype, ...(hint && { hint }) })
  }
}

/** Throws E_DTYPE unless every input is a float, whatever it is stored as. */
export function wantFloats(inputs: readonly StoredSpec[]): void {
  wantDType(
    inputs.filter(({ dtype }) => dtype !== 'bfloat16'),
    'float32',
  )
}

/** Throws E_DTYPE unless all inputs are floats that are stored alike; returns as what. */
export function wantAlike(inputs: readonly StoredSpec[]): FloatDType {
  const dtype = inputs.every((x) => x.dtype === 'bfloat16') ? 'bfloat16' : 'float32'
  wantDType(inputs, dtype)
  return dtype
}

/** Attribute of ops whose result is stored as the compiler says: float32 when absent. */
export interface Stored {
  readonly dtype?: FloatDType
}

export interface LeafAttrs extends Attrs {
  readonly name: string
  readonly shape: Shape
  readonly dtype: DType
}

const unknownDType = (got: string): FoveaError =>
  new FoveaError('E_DTYPE', { what: 'unknown kind of numbers', expected: 'float32, int32 or uint8', got })

const leaf = (opName: string) =>
  defineOp<0, LeafAttrs>(opName, 0, {
    kind: 'leaf',
    infer: (_, { shape, dtype }) => {
      if (isSurfaceDType(dtype)) return { shape, dtype }
      throw unknownDType(show(dtype))
    },
    samples: [],
  })

/** Throws E_GRAPH unless it is a text that can be a property: names of inputs, variables and results become some. */
export function wantName(name: unknown, where: string): asserts name is string {
  if (typeof name !== 'string')
    throw new FoveaError('E_GRAPH', { what: 'the name must be a text', where, got: show(name) })
  if (name === '__proto__')
    throw new FoveaError('E_GRAPH', { what: `the name '${name}' is taken by JavaScript`, where })
}

function leafAttrs(where: string, name: string, shape: Shape, dtype: DType): LeafAttrs {
  wantName(name, where)
  wantShape(shape, where)
  return { name, shape: Object.freeze([...shape]), dtype }
}

/** Fed at every run. */
export const inputOp = leaf('input')
/** Lives in a State, read and updated by programs. */
export const variableOp = leaf('variable')

/** A placeholder: given at every run by name. */
export function input(name: string, shape: Shape, dtype: DType = 'float32'): Node {
  return inputOp(leafAttrs('placeholder', name, shape, dtype))
}

/** A named tensor of a State. */
export function variable(name: string, shape: Shape, dtype: DType = 'float32'): Node {
  return variableOp(leafAttrs('variable', name, shape, dtype))
}

export interface ConstantAttrs extends Attrs {
  readonly value: number | TypedArray
  readonly shape: Shape
}

export const constantOp: Op<0, ConstantAttrs> = defineOp('constant', 0, {
  kind: 'leaf',
  infer: (_, { value, shape }) => {
    if (typeof value === 'number') return { shape: [], dtype: 'float32' }
    if (value.length !== sizeOf(shape)) {
      throw new FoveaError('E_SHAPE', {
        what: 'values do not fill the shape',
        expected: shapeText(shape),
        got: `${value.length} values`,
      })
    }
    const dtype = isFloat64(value) ? 'float32' : dtypeOf(value)
    if (dtype) return { shape, dtype }
    throw unknownDType(Object.prototype.toString.call(value).slice(8, -1))
  },
  samples: [],
})

/**
 * A value that never changes: a number, or a copy of an array with its shape. Engines compute in float32: throws E_NONFINITE for
 * a number beyond it.
 */
export function constant(
  value: number | TypedArray,
  shape: Shape = typeof value === 'number' ? [] : [value?.length ?? 0],
): Node {
  const isArray = ArrayBuffer.isView(value) && 'length' in value
  if (typeof value !== 'number' && !isArray) {
    const expected = 'a number, or a typed array with its shape'
    throw new FoveaError('E_DTYPE', {
      what: 'not a value for a constant',
      where: 'constant',
      expected,
      got: show(value),
    })
  }
  wantShape(shape, 'constant')
  const sizes = Object.freeze([...shape])
  if (typeof value === 'number') return constantOp({ value: withinFloat32(value, 'constant'), shape: sizes })
  if (isFloat64(value)) asFloat32(value, 'constant')
  return constantOp({ value: value.slice(), shape: sizes })
}

/** The number that a scalar constant holds. */
export function scalarOf(node: Node): number | undefined {
  return isA(node, constantOp) && typeof node.attrs.value === 'number' ? node.attrs.value : undefined
}

/** The name of an input or variable. */
export const nameOf = (node: Node): string => String(node.attrs.name)

/** All nodes that `roots` need, inputs before their users, in a fixed order. */
export const topological = (roots: readonly Node[]): Node[] => inOrder(roots, (node) => node.inputs)
