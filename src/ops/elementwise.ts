/** Elementwise ops: one row each, the function of one element and its derivative. No engine has a kernel for any of them. */
import { FoveaError } from '../base/errors.ts'
import type { OptionTable } from '../base/options.ts'
import { number } from '../base/options.ts'
import type { FloatDType } from '../graph/dtype.ts'
import { withinFloat32 } from '../graph/dtype.ts'
import type { Node, Op, OpRow, Stored } from '../graph/node.ts'
import { constant, defineOp, isA } from '../graph/node.ts'
import { broadcastShapes, sameShape } from '../graph/shape.ts'
import type { Operand } from './arguments.ts'
import { operandArgument } from './arguments.ts'
import { sumTo } from './broadcasting.ts'
import type { PublicOp } from './checked.ts'
import { op } from './checked.ts'
import type { Scalar, ScalarLike } from './scalar.ts'
import {
  argument,
  argumentsOf,
  derivative,
  log1p,
  normalDensity,
  s,
  scalar,
  scalarText,
  slopeForBase,
  slopeForExponent,
  step,
  substitute,
} from './scalar.ts'

/**
 * A row: `says`, its words in the reference; `f` of one element; and `df`, the derivative for each argument, in terms of
 * the arguments and the result `y`. A derivative that reads only `y` lets the compiler forget the arguments (relu,
 * sigmoid, tanh, selu, exp).
 */
type Unary = {
  says: string
  f: (x: Scalar) => ScalarLike
  df: (x: Scalar, y: Scalar) => ScalarLike
  domain?: readonly [number, number]
}
type Binary = {
  says: string
  f: (a: Scalar, b: Scalar) => ScalarLike
  df: (a: Scalar, b: Scalar, y: Scalar) => readonly [ScalarLike, ScalarLike]
  domain?: readonly [number, number]
}

const flat = () => [0, 0] as const
const logistic = (x: ScalarLike) => s.div(1, s.add(1, s.exp(s.neg(x))))

/** x / 6 + 1/2 between 0 and 1. */
const hardLogistic = (x: ScalarLike) => s.min(s.max(s.add(s.div(x, 6), 0.5), 0), 1)
/** log(1 + exp(x)), which never overflows. */
const softplus = (x: ScalarLike) => s.add(s.max(x, 0), log1p(s.exp(s.neg(s.abs(x)))))
/** Mish by one exponential: tanh(softplus(x)) = n / (n + 2), n = e (e + 2), e = exp(x); 1 from 20 on. */
const mishParts = (x: ScalarLike) => {
  const e = s.exp(s.min(x, 20))
  const n = s.mul(e, s.add(e, 2))
  const whole = s.add(n, 2)
  return { e, whole, ratio: s.div(n, whole) }
}
const GELU = Math.sqrt(2 / Math.PI)
const geluCore = (x: ScalarLike) => s.tanh(s.mul(GELU, s.add(x, s.mul(0.044715, s.mul(x, s.mul(x, x))))))

/** scale and scale * alpha of Klambauer et al., "Self-normalizing neural networks" (2017). */
export const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 }

const unaryRows = {
  toFloat: {
    says: 'The same number as float32: how bytes and class indices enter the arithmetic.',
    f: (x) => x,
    df: () => 1,
  },
  neg: { says: '-x.', f: (x) => s.neg(x), df: () => -1 },
  abs: { says: '|x|.', f: (x) => s.abs(x), df: (x) => s.sub(step(x), step(s.neg(x))) },
  sqrt: { says: 'The square root of x.', f: (x) => s.sqrt(x), df: (_, y) => s.div(0.5, y), domain: [0.1, 3] },
  exp: { says: 'e^x.', f: (x) => s.exp(x), df: (_, y) => y },
  log: { says: 'The natural logarithm of x.', f: (x) => s.log(x), df: (x) => s.div(1, x), domain: [0.1, 3] },
  relu: { says: 'max(x, 0).', f: (x) => s.max(x, 0), df: (_, y) => step(y) },
  sigmoid: { says: '1 / (1 + e^-x).', f: logistic, df: (_, y) => s.mul(y, s.sub(1, y)) },
  tanh: { says: 'The hyperbolic tangent of x.', f: (x) => s.tanh(x), df: (_, y) => s.sub(1, s.mul(y, y)) },
  selu: {
    says: 'ELU with the scale and alpha of self-normalizing networks.',
    f: (x) =>
      s.select(s.less(0, x), s.mul(SELU.scale, x), s.mul(SELU.scale * SELU.alpha, s.sub(s.exp(s.min(x, 0)), 1))),
    df: (_, y) => s.select(s.less(0, y), SELU.scale, s.add(y, SELU.scale * SELU.alpha)),
  },
  square: { says: 'x^2.', f: (x) => s.mul(x, x), df: (x) => s.mul(2, x) },
  rsqrt: {
    says: '1 / sqrt(x).',
    f: (x) => s.div(1, s.sqrt(x)),
    df: (x, y) => s.div(s.mul(-0.5, y), x),
    domain: [0.1, 3],
  },
  relu6: {
    says: 'x kept within 0 and 6.',
    f: (x) => s.min(s.max(x, 0), 6),
    df: (_, y) => s.mul(step(y), s.less(y, 6)),
    domain: [-3, 8],
  },
  /** Slope 0.2 below zero, as Keras's function has it (its layer: 0.3, PyTorch: 0.01). */
  leakyRelu: {
    says: 'x above 0, 0.2 x below.',
    f: (x) => s.select(s.less(0, x), x, s.mul(0.2, x)),
    df: (_, y) => s.select(s.less(0, y), 1, 0.2),
  },
  elu: {
    says: 'x above 0, e^x - 1 below.',
    f: (x) => s.select(s.less(0, x), x, s.sub(s.exp(s.min(x, 0)), 1)),
    df: (_, y) => s.select(s.less(0, y), 1, s.add(y, 1)),
  },
  silu: {
    says: 'x sigmoid(x).',
    f: (x) => s.mul(x, logistic(x)),
    df: (x, y) => s.add(y, s.mul(logistic(x), s.sub(1, y))),
  },
  hardSigmoid: {
    says: 'x / 6 + 1/2 kept within 0 and 1.',
    f: hardLogistic,
    df: (_, y) => s.mul(s.mul(step(y), s.less(y, 1)), 1 / 6),
    domain: [-5, 5],
  },
  hardSwish: {
    says: 'x hardSigmoid(x).',
    f: (x) => s.mul(x, hardLogistic(x)),
    df: (x) => s.select(s.less(s.abs(x), 3), s.add(s.div(x, 3), 0.5), step(x)),
    domain: [-5, 5],
  },
  softplus: { says: 'log(1 + e^x).', f: softplus, df: logistic },
  /** Misra 2019: x tanh(softplus(x)). */
  mish: {
    says: 'x tanh(softplus(x)).',
    f: (x) => s.mul(x, mishParts(x).ratio),
    df: (x) => {
      const { e, whole, ratio } = mishParts(x)
      return s.add(ratio, s.mul(x, s.div(s.div(s.mul(4, s.mul(e, s.add(e, 1))), whole), whole)))
    },
  },
  erf: {
    says: 'The error function of x.',
    f: (x) => s.erf(x),
    df: (x) => s.mul(2 / Math.sqrt(Math.PI), s.exp(s.neg(s.mul(x, x)))),
  },
  /** Hendrycks and Gimpel 2016: x times the share of a normal distribution below x; nothing cancels far below 0. */
  gelu: {
    says: 'x times the share of a normal distribution below x.',
    f: (x) => s.mul(x, s.normalCdf(x)),
    df: (x) => s.add(s.normalCdf(x), s.mul(x, normalDensity(x))),
  },
  geluTanh: {
    says: 'gelu by its approximation with tanh.',
    f: (x) => s.mul(s.mul(0.5, x), s.add(1, geluCore(x))),
    df: (x) => {
      const t = geluCore(x)
      const slope = s.mul(GELU, s.add(1, s.mul(3 * 0.044715, s.mul(x, x))))
      return s.add(s.mul(0.5, s.add(1, t)), s.mul(s.mul(s.mul(0.5, x), s.sub(1, s.mul(t, t))), slope))
    },
  },
  finite: { says: '1 where x is a finite number, else 0.', f: (x) => s.less(s.abs(x), Infinity), df: () => 0 },
} satisfies Record<string, Unary>

const binaryRows = {
  add: { says: 'a + b.', f: (a, b) => s.add(a, b), df: () => [1, 1] },
  sub: { says: 'a - b.', f: (a, b) => s.sub(a, b), df: () => [1, -1] },
  mul: { says: 'a b.', f: (a, b) => s.mul(a, b), df: (a, b) => [b, a] },
  div: {
    says: 'a / b.',
    f: (a, b) => s.div(a, b),
    df: (_, b, y) => [s.div(1, b), s.neg(s.div(y, b))],
    domain: [0.5, 3],
  },
  /** a^b. A negative base needs an integer exponent (else NaN); the slope for b is then NaN, and 0 at 0^b with b >= 0. */
  pow: {
    says: 'a^b; NaN for a negative base whose exponent is not an integer.',
    f: (a, b) => s.pow(a, b),
    df: (a, b, y) => [slopeForBase(a, b), slopeForExponent(a, b, y)],
    domain: [0.5, 3],
  },
  maximum: {
    says: 'The larger of a and b; at a tie the gradient goes to a.',
    f: (a, b) => s.max(a, b),
    df: (a, b) => [s.lessEqual(b, a), s.less(a, b)],
  },
  minimum: {
    says: 'The smaller of a and b; at a tie the gradient goes to a.',
    f: (a, b) => s.min(a, b),
    df: (a, b) => [s.lessEqual(a, b), s.less(b, a)],
  },
  less: { says: '1 where a < b, else 0.', f: (a, b) => s.less(a, b), df: flat },
  lessEqual: { says: '1 where a <= b, else 0.', f: (a, b) => s.lessEqual(a, b), df: flat },
  greater: { says: '1 where a > b, else 0.', f: (a, b) => s.less(b, a), df: flat },
  greaterEqual: { says: '1 where a >= b, else 0.', f: (a, b) => s.lessEqual(b, a), df: flat },
  equal: { says: '1 where a = b, else 0.', f: (a, b) => s.equal(a, b), df: flat },
} satisfies Record<string, Binary>

export interface ElementwiseAttrs extends Stored {
  /** The word under which it is printed. */
  readonly label: string
  /** The result for one element; argument i is input i, broadcast. */
  readonly f: Scalar
  /** The derivative for each input; argument i is input i, the one after the last is the result. */
  readonly df: readonly Scalar[]
}

/**
 * A scalar expression over inputs that broadcast. Inputs may be of any dtype and are read as float32 (integers
 * beyond 2^24 are rounded); so is the result computed.
 */
export const elementwise: Op<number, ElementwiseAttrs> = defineOp('elementwise', 'several', {
  kind: 'elementwise',
  infer: (inputs, { dtype = 'float32' }) => ({ shape: broadcastShapes(inputs.map((x) => x.shape)), dtype }),
  gradient: (dy, y, inputs, { label, df }) =>
    inputs.map((x, i) => {
      const slope = df[i]
      if (slope.kind === 'constant' && slope.value === 0) return undefined
      const read = argumentsOf(slope)
      const factors = read.map((index) => (index < inputs.length ? inputs[index] : y))
      const renamed: Scalar[] = []
      read.forEach((index, k) => {
        renamed[index] = argument(k + 1)
      })
      const product = s.mul(argument(0), substitute(slope, renamed))
      const times = (flow: Node): Node => expression(`${label}'`, [flow, ...factors], product)
      // a slope that is the same wherever x is repeated: the sum comes first, over dy alone, which others may need too
      const isRepeated = factors.every((factor) => sameShape(broadcastShapes([factor.shape, x.shape]), x.shape))
      return isRepeated ? times(sumTo(dy, x.shape)) : sumTo(times(dy), x.shape)
    }),
  text: (names, { f }) => scalarText(f, names),
  simplify: ([x], { f }, spec) =>
    f.kind === 'argument' && x.dtype === spec.dtype && sameShape(x.shape, spec.shape) ? x : undefined,
  precision: { reads: 'any', gives: 'any' },
  samples: [],
} as OpRow<number, ElementwiseAttrs>)

/** A node from an expression of one's own; `df` is derived from it unless a shorter one is given. */
export function expression(label: string, inputs: readonly Node[], f: Scalar, df?: readonly Scalar[]): Node {
  return elementwise(inputs, { label, f, df: df ?? inputs.map((_, i) => derivative(f, i)) })
}

/** The same numbers, stored as `dtype`. */
export function cast(x: Node, dtype: FloatDType): Node {
  return elementwise([x], { label: 'cast', f: argument(0), df: [scalar(1)], ...(dtype !== 'float32' && { dtype }) })
}

/** Does a node nothing but store the numbers of another one as its own dtype? */
export function isCast(node: Node): boolean {
  if (!isA(node, elementwise) || node.inputs.length !== 1) return false
  const { f } = node.attrs as unknown as ElementwiseAttrs
  return f.kind === 'argument' && sameShape(node.inputs[0].shape, node.shape)
}

const node = (x: Operand): Node => (typeof x === 'number' ? constant(x) : x)

type UnaryOps = { readonly [K in keyof typeof unaryRows]: (x: Operand) => Node }
type BinaryOps = { readonly [K in keyof typeof binaryRows]: (a: Operand, b: Operand) => Node }

const unaryOps = Object.fromEntries(
  Object.entries(unaryRows).map(([label, { f, df }]: [string, Unary]) => {
    const [x, y] = [argument(0), argument(1)]
    const attrs = { label, f: scalar(f(x)), df: [scalar(df(x, y))] }
    return [label, (a: Operand) => elementwise([node(a)], attrs)]
  }),
) as UnaryOps

const binaryOps = Object.fromEntries(
  Object.entries(binaryRows).map(([label, { f, df }]: [string, Binary]) => {
    const [a, b, y] = [argument(0), argument(1), argument(2)]
    const attrs = { label, f: scalar(f(a, b)), df: df(a, b, y).map(scalar) }
    return [label, (x: Operand, z: Operand) => elementwise([node(x), node(z)], attrs)]
  }),
) as BinaryOps

/** Every elementwise op by name. */
export const elementwiseOps = { ...unaryOps, ...binaryOps }
export const { toFloat, neg, abs, sqrt, square, exp, log, relu, sigmoid, tanh, selu, finite } = elementwiseOps
export const { add, sub, mul, div, maximum, minimum } = elementwiseOps
export const { less, lessEqual, greater, greaterEqual, equal } = elementwiseOps

/** `a` where `condition` is not 0, else `b`; the gradient goes where the value came from. */
export function select(condition: Operand, a: Operand, b: Operand): Node {
  const chosen = argument(0)
  const f = s.select(chosen, argument(1), argument(2))
  const df = [scalar(0), s.select(chosen, 1, 0), s.select(chosen, 0, 1)]
  return elementwise([node(condition), node(a), node(b)], { label: 'select', f, df })
}

/** x kept within [min, max]; the gradient passes inside and at both ends. NaN stays NaN. */
export function clip(x: Operand, min: number, max: number): Node {
  if (!(min <= max)) {
    throw new FoveaError('E_OPTION', { what: 'min must be at most max', where: 'clip', got: `${min} and ${max}` })
  }
  for (const end of [min, max]) withinFloat32(end, 'clip')
  const value = argument(0)
  const inside = s.mul(s.lessEqual(min, value), s.lessEqual(value, max))
  return elementwise([node(x)], { label: 'clip', f: s.min(s.max(value, min), max), df: [inside] })
}

const operand = operandArgument('values')
const rowsOf = (rows: Readonly<Record<string, { readonly says: string }>>, takes: OptionTable) =>
  Object.entries(rows).map(([name, { says }]) => [
    name,
    { says, takes, call: elementwiseOps[name as keyof typeof elementwiseOps] },
  ])
const ofOperands = Object.fromEntries([
  ...rowsOf(unaryRows, { x: operand }),
  ...rowsOf(binaryRows, { a: operand, b: operand }),
]) as unknown as { readonly [N in keyof typeof elementwiseOps]: PublicOp<(typeof elementwiseOps)[N]> }

/** What users call. */
export const elementwisePublic = {
  ...ofOperands,
  select: op({
    says: 'a where the condition is not 0, else b.',
    takes: { condition: operandArgument('what decides'), a: operand, b: operand },
    call: select,
  }),
  clip: op({
    says: 'x kept within min and max; the gradient passes inside and at both ends.',
    takes: { x: operand, min: number({ says: 'lower end' }), max: number({ says: 'upper end' }) },
    call: clip,
  }),
} as const

/** The interval from which the tests draw inputs, [-3, 3] unless a row says otherwise. */
export function domainOf(name: keyof typeof elementwiseOps): readonly [number, number] {
  const rows: Record<string, object & { domain?: unknown }> = { ...unaryRows, ...binaryRows }
  return (rows[name].domain as readonly [number, number] | undefined) ?? [-3, 3]
}
