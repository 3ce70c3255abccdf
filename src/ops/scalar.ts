/**
 * Scalar expressions: what an elementwise op computes for one element, as data that each engine renders in its own
 * language. The functions below are all of it; constants fold as expressions are made.
 */

import { erf, normalCdf } from './error-function.ts'

export type Scalar =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'apply'; readonly fn: ScalarFn; readonly inputs: readonly Scalar[] }

/** C's pow, which says 1 where JavaScript says NaN: of 1 whatever the exponent, of -1 with an infinite one. */
const power = (a: number, b: number): number => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b)

/** The closed vocabulary with its meaning; comparisons give 1 or 0; max and min pass NaN on. */
export const scalarFns = {
  neg: (x: number) => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  erf,
  normalCdf,
  floor: Math.floor,
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  pow: power,
  max: (a: number, b: number) => Math.max(a, b),
  min: (a: number, b: number) => Math.min(a, b),
  less: (a: number, b: number) => (a < b ? 1 : 0),
  lessEqual: (a: number, b: number) => (a <= b ? 1 : 0),
  equal: (a: number, b: number) => (a === b ? 1 : 0),
  select: (condition: number, a: number, b: number) => (condition !== 0 ? a : b),
} as const satisfies Record<string, (...x: number[]) => number>

export type ScalarFn = keyof typeof scalarFns

/** An expression, or a number as a constant. */
export type ScalarLike = Scalar | number

const zero: Scalar = { kind: 'constant', value: 0 }
const one: Scalar = { kind: 'constant', value: 1 }

export function scalar(value: ScalarLike): Scalar {
  if (typeof value !== 'number') return value
  return Object.is(value, 0) ? zero : value === 1 ? one : { kind: 'constant', value }
}

export const argument = (index: number): Scalar => ({ kind: 'argument', index })

const isConstant = (x: Scalar, value: number) => x.kind === 'constant' && Object.is(x.value, value)

/** Rules that hold for NaN and infinities too: x + 0, x - 0, x * 1, x / 1 (never x * 0). */
function folded(fn: ScalarFn, inputs: readonly Scalar[]): Scalar | undefined {
  const [a, b] = inputs
  if (inputs.every((x) => x.kind === 'constant')) {
    return scalar((scalarFns[fn] as (...x: number[]) => number)(...inputs.map((x) => (x as { value: number }).value)))
  }
  if (fn === 'add') return isConstant(b, 0) ? a : isConstant(a, 0) ? b : undefined
  if (fn === 'sub') return isConstant(b, 0) ? a : undefined
  if (fn === 'mul') return isConstant(b, 1) ? a : isConstant(a, 1) ? b : undefined
  if (fn === 'div') return isConstant(b, 1) ? a : undefined
  if (fn === 'pow') return b.kind === 'constant' ? powers.get(b.value)?.(a) : undefined
  if (fn === 'select') return a.kind === 'constant' ? inputs[a.value !== 0 ? 1 : 2] : undefined
  return undefined
}

/** Exponents with a shorter way. The square root differs from C's pow at -0 and at -Infinity, as PyTorch's does. */
const powers = new Map<number, (a: Scalar) => Scalar>([
  [-1, (a) => s.div(1, a)],
  [-0.5, (a) => s.div(1, s.sqrt(a))],
  [0, () => one],
  [0.5, (a) => s.sqrt(a)],
  [1, (a) => a],
  [2, (a) => s.mul(a, a)],
])

/** `fn` applied, folded where all is constant or nothing happens. */
export function apply(fn: ScalarFn, ...inputs: readonly ScalarLike[]): Scalar {
  const list = inputs.map(scalar)
  return folded(fn, list) ?? { kind: 'apply', fn, inputs: list }
}

type ScalarLikes<T extends readonly unknown[]> = { [I in keyof T]: ScalarLike }
type Builder = { readonly [F in ScalarFn]: (...x: ScalarLikes<Parameters<(typeof scalarFns)[F]>>) => Scalar }

/** Builders by name: `s.mul(x, s.exp(y))`. */
export const s = Object.fromEntries(
  (Object.keys(scalarFns) as ScalarFn[]).map((fn) => [fn, (...x: ScalarLike[]) => apply(fn, ...x)]),
) as unknown as Builder

/** 1 where x > 0, else 0. */
export const step = (x: ScalarLike): Scalar => s.less(0, x)

/** Replaces argument i by `replacements[i]`; shared parts stay shared. */
export function substitute(
  expression: Scalar,
  replacements: readonly Scalar[],
  memo = new Map<Scalar, Scalar>(),
): Scalar {
  if (expression.kind === 'constant') return expression
  if (expression.kind === 'argument') return replacements[expression.index]
  let result = memo.get(expression)
  if (!result) {
    result = apply(expression.fn, ...expression.inputs.map((x) => substitute(x, replacements, memo)))
    memo.set(expression, result)
  }
  return result
}

/** The arguments that an expression reads, each once, ascending. */
export function argumentsOf(expression: Scalar): number[] {
  const found = new Set<number>()
  const seen = new Set<Scalar>()
  const walk = (x: Scalar): void => {
    if (seen.has(x)) return
    seen.add(x)
    if (x.kind === 'argument') found.add(x.index)
    else if (x.kind === 'apply') x.inputs.forEach(walk)
  }
  walk(expression)
  return [...found].sort((a, b) => a - b)
}

const weights = new WeakMap<Scalar, number>()

/** How long an expression is when it is written out, shared parts as often as they occur. */
export function weightOf(expression: Scalar): number {
  if (expression.kind !== 'apply') return 1
  const known = weights.get(expression)
  if (known !== undefined) return known
  const weight = expression.inputs.reduce((sum, x) => sum + weightOf(x), 1)
  weights.set(expression, weight)
  return weight
}

/** Parts of expressions together, shared ones once: functions, arguments and numbers. */
export function partsOf(expressions: readonly Scalar[]): number {
  const seen = new Set<Scalar>()
  const waiting = [...expressions]
  for (let x = waiting.pop(); x; x = waiting.pop()) {
    if (seen.has(x)) continue
    seen.add(x)
    if (x.kind === 'apply') waiting.push(...x.inputs)
  }
  return seen.size
}

/** Longer expressions are not made by fusing: what is squared again and again doubles each time it is written out. */
export const longest = 2000

/** log(1 + x) for x > -1; what rounding took from 1 + x is added again, so that small x keep their digits. */
export const log1p = (x: ScalarLike): Scalar => {
  const sum = s.add(1, x)
  return s.add(s.log(sum), s.div(s.sub(x, s.sub(sum, 1)), sum))
}

/** exp(-x^2 / 2) / sqrt(2 pi). */
export const normalDensity = (x: ScalarLike): Scalar =>
  s.mul(1 / Math.sqrt(2 * Math.PI), s.exp(s.mul(-0.5, s.mul(x, x))))

/** b a^(b - 1), and 0 where b is 0, though a may be 0 too. */
export const slopeForBase = (a: ScalarLike, b: ScalarLike): Scalar =>
  s.select(s.equal(b, 0), 0, s.mul(b, s.pow(a, s.sub(b, 1))))

/** y log(a), and 0 for 0^b with b >= 0. */
export const slopeForExponent = (a: ScalarLike, b: ScalarLike, y: ScalarLike): Scalar =>
  s.select(s.mul(s.equal(a, 0), s.lessEqual(0, b)), 0, s.mul(y, s.log(a)))

/** The derivative of each function for each of its inputs; comparisons and floor are flat. */
const slopes: { readonly [F in ScalarFn]: (x: readonly Scalar[], y: Scalar) => readonly ScalarLike[] } = {
  neg: () => [-1],
  abs: ([x]) => [s.sub(step(x), step(s.neg(x)))],
  sqrt: (_, y) => [s.div(0.5, y)],
  exp: (_, y) => [y],
  log: ([x]) => [s.div(1, x)],
  tanh: (_, y) => [s.sub(1, s.mul(y, y))],
  erf: ([x]) => [s.mul(2 / Math.sqrt(Math.PI), s.exp(s.neg(s.mul(x, x))))],
  normalCdf: ([x]) => [normalDensity(x)],
  floor: () => [0],
  add: () => [1, 1],
  sub: () => [1, -1],
  mul: ([a, b]) => [b, a],
  div: ([, b], y) => [s.div(1, b), s.neg(s.div(y, b))],
  pow: ([a, b], y) => [slopeForBase(a, b), slopeForExponent(a, b, y)],
  max: ([a, b]) => [s.lessEqual(b, a), s.less(a, b)],
  min: ([a, b]) => [s.lessEqual(a, b), s.less(b, a)],
  less: () => [0, 0],
  lessEqual: () => [0, 0],
  equal: () => [0, 0],
  select: ([condition]) => [0, s.select(condition, 1, 0), s.select(condition, 0, 1)],
}

/** The derivative of an expression for argument `index`, by the chain rule. */
export function derivative(expression: Scalar, index: number): Scalar {
  if (expression.kind === 'constant') return zero
  if (expression.kind === 'argument') return expression.index === index ? one : zero
  const outer = slopes[expression.fn](expression.inputs, expression)
  let total: Scalar = zero
  expression.inputs.forEach((input, i) => {
    const inner = derivative(input, index)
    const slope = scalar(outer[i])
    if (inner !== zero && slope !== zero) total = s.add(total, s.mul(slope, inner))
  })
  return total
}

/** An expression as text, arguments by the names given: `max(add(%1, %2), 0)`. */
export function scalarText(expression: Scalar, names: readonly string[]): string {
  if (expression.kind === 'constant') return String(Number(expression.value.toPrecision(6)))
  if (expression.kind === 'argument') return names[expression.index] ?? `$${expression.index}`
  return `${expression.fn}(${expression.inputs.map((x) => scalarText(x, names)).join(', ')})`
}

/** Gives each expression a text, equal for equal ones, wherever they were made; what it has seen it need not read again. */
export function scalarKeys(): (x: Scalar) => string {
  const keys = new Map<Scalar, string>()
  const keyOf = (x: Scalar): string => {
    if (x.kind === 'argument') return `$${x.index}`
    if (x.kind === 'constant') return Object.is(x.value, -0) ? '-0' : String(x.value)
    const key = keys.get(x) ?? `${x.fn}(${x.inputs.map(keyOf).join()})`
    keys.set(x, key)
    return key
  }
  return keyOf
}
