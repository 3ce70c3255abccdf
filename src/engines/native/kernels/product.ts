/** What convolutions and matrix products have in common: a packed operand, and a bias that oneDNN adds. */
import type { Value } from '../../../compile/step.ts'
import { arenaValue } from '../../../compile/step.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import { apply, argument, argumentsOf, substitute } from '../../../ops/scalar.ts'
import type { Operation } from '../addon.ts'
import type { Context, NativeStage, Tail } from './context.ts'
import { kept, scratch, stage } from './context.ts'

/**
 * The operand that a product needs in a layout of its own. It is packed where it is read, from float32 where it was a cast of
 * that; once for all runs where it does not change.
 */
export function packed(
  operation: Operation,
  value: Value,
  context: Context,
): { stages: readonly NativeStage[]; value: Value } {
  if (operation.packed === 0) return { stages: [], value }
  const source = context.uncast(value)
  const once = context.isSettled(source)
  const result = once ? kept(operation.packed) : scratch(operation.packed)
  const repack = context.operation({
    kind: 'repack',
    where: `packing of [${value.shape.join(', ')}]`,
    product: operation.handle,
    dtype: source.dtype,
    once,
  })
  return { stages: [stage(repack, [{ reads: source }, { writes: result }])], value: result }
}

/**
 * Where a product leaves its result for the rest of a tail: at the output where that rounds the same, else in float32, so that
 * a step rounds once.
 */
export const resultOf = (rest: Tail | undefined, output: Value): Value =>
  output.dtype === 'bfloat16' && rest && !keepsRounding(rest.f)
    ? arenaValue({ shape: output.shape, dtype: 'float32' })
    : output

/** Does an expression of a number that was rounded to bfloat16 give one: it, its size, zero or the other sign? */
export function keepsRounding(f: Scalar): boolean {
  if (f.kind !== 'apply') return isResult(f) || (f.kind === 'constant' && f.value === 0)
  const [a, b, c] = f.inputs
  if (f.fn === 'neg' || f.fn === 'abs') return keepsRounding(a)
  if (f.fn === 'max' || f.fn === 'min') return keepsRounding(a) && keepsRounding(b)
  if (f.fn === 'select') return isElsewhere(a) && keepsRounding(b) && keepsRounding(c)
  if (f.fn === 'mul') return (keepsRounding(a) && isChoice(b)) || (isChoice(a) && keepsRounding(b))
  return false
}

const isElsewhere = (f: Scalar): boolean => !argumentsOf(f).includes(0)
/** 0 or 1, whatever the result is. */
const isChoice = (f: Scalar): boolean =>
  f.kind === 'apply' && ['less', 'lessEqual', 'equal'].includes(f.fn) && isElsewhere(f)

/** A tail that adds a row to the result before all else: that row, and what is left of the tail. */
export function splitBias(tail: Tail | undefined, output: Value): { bias?: Value; rest?: Tail } {
  if (!tail) return {}
  const columns = output.shape[output.shape.length - 1]
  const index = rowAdded(tail.f)
  const bias = index === undefined ? undefined : tail.extras[index - 1]
  const isRow = bias?.dtype === 'float32' && sizeOf(bias.shape) === columns && bias.shape.at(-1) === columns
  if (!isRow || count(tail.f, isResult) !== count(tail.f, (x) => sumWith(x) === index)) return { rest: tail }
  const f = withoutSum(tail.f, new Map())
  if (isResult(f)) return { bias }
  const read = argumentsOf(f).filter((i) => i > 0)
  const places: Scalar[] = [argument(0)]
  read.forEach((i, k) => {
    places[i] = argument(k + 1)
  })
  return { bias, rest: { f: substitute(f, places), extras: read.map((i) => tail.extras[i - 1]) } }
}

const isResult = (x: Scalar): boolean => x.kind === 'argument' && x.index === 0

/** The other argument of a sum with the result, where x is one. */
function sumWith(x: Scalar): number | undefined {
  if (x.kind !== 'apply' || x.fn !== 'add') return undefined
  const [a, b] = x.inputs
  if (a.kind !== 'argument' || b.kind !== 'argument' || (a.index === 0) === (b.index === 0)) return undefined
  return a.index === 0 ? b.index : a.index
}

const rowAdded = (f: Scalar): number | undefined =>
  sumWith(f) ?? (f.kind === 'apply' ? f.inputs.map(rowAdded).find((x) => x !== undefined) : undefined)

/** Parts that are as asked for, as often as they are written out. */
const count = (f: Scalar, isWanted: (x: Scalar) => boolean): number =>
  Number(isWanted(f)) + (f.kind === 'apply' ? f.inputs.reduce((n, x) => n + count(x, isWanted), 0) : 0)

/** The sum with the row is the result from now on. */
function withoutSum(f: Scalar, memo: Map<Scalar, Scalar>): Scalar {
  if (f.kind !== 'apply') return f
  if (sumWith(f) !== undefined) return argument(0)
  const known = memo.get(f) ?? apply(f.fn, ...f.inputs.map((x) => withoutSum(x, memo)))
  memo.set(f, known)
  return known
}
