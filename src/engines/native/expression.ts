/** Scalar expressions as instructions of the addon's interpreter (native/src/expression.cc, loops.vector.cc). */
import type { StepLimits } from '../../compile/step.ts'
import type { StorageDType } from '../../graph/dtype.ts'
import type { Shape } from '../../graph/shape.ts'
import { walk } from '../../graph/shape.ts'
import type { Scalar, ScalarFn } from '../../ops/scalar.ts'
import { partsOf, scalarKeys } from '../../ops/scalar.ts'
import type { Joined } from './instructions.ts'
import { functionCodes } from './instructions.ts'

/**
 * What an expression may have (MOST_INPUTS and MOST_VALUES of native/src/expression.hpp): 256 inputs, and 4096 values, of which
 * every input, part and output takes one at most.
 */
export const expressionLimits: StepLimits = { operands: 256, parts: 3584 }

/** May expressions over `inputs` with these results be one loop of the addon? */
export const areWithin = (inputs: readonly unknown[], results: readonly Scalar[]): boolean =>
  inputs.length + results.length <= expressionLimits.operands && partsOf(results) <= expressionLimits.parts

interface Spec {
  readonly shape: Shape
  readonly dtype: StorageDType
}

/** One instruction before values have numbers of their own. */
interface Draft {
  fn: keyof typeof functionCodes
  operands: Operand[]
  uses: number
}
type Operand = { readonly input: number } | { readonly constant: number } | Draft

const isDraft = (x: Operand): x is Draft => 'fn' in x

/** The fields of an expression: how its loop runs, what it reads and how, and the rest. */
export interface ExpressionFields {
  readonly sizes: readonly number[]
  readonly inputs: readonly {
    readonly dtype: StorageDType
    readonly walk: string
    readonly strides?: readonly number[]
  }[]
  readonly [name: string]: unknown
}

/**
 * The fields of an expression over `shape`: what it reads and how, its instructions, and where its results are. The first `passed`
 * results are not stored, but passed on: an input may be one.
 */
export function expressionFields(
  shape: Shape,
  inputs: readonly Spec[],
  expressions: readonly Scalar[],
  outputs: readonly StorageDType[],
  passed = 0,
): ExpressionFields {
  const { sizes, strides } = walk(
    shape,
    inputs.map((x) => x.shape),
  )
  const { drafts, results, constants } = drafted(expressions, passed)
  return {
    sizes,
    inputs: inputs.map(({ dtype }, i) => ({ dtype, ...walkOf(sizes, strides[i]) })),
    constants,
    ...numbered(drafts, results, { inputs: inputs.length, constants }, outputs),
  }
}

/** How one operand is walked: element by element, as one number, as one row over and over, or by strides. */
function walkOf(sizes: readonly number[], strides: readonly number[]): { walk: string; strides?: readonly number[] } {
  const last = sizes.length - 1
  let step = 1
  const isWhole = sizes.every((_, i) => {
    const axis = last - i
    const fits = sizes[axis] === 1 || strides[axis] === step
    step *= sizes[axis]
    return fits
  })
  if (isWhole) return { walk: 'whole' }
  if (strides.every((stride) => stride === 0)) return { walk: 'scalar' }
  if (strides[last] === 1 && strides.slice(0, last).every((stride) => stride === 0)) return { walk: 'column' }
  return { walk: 'general', strides }
}

const isRelu = ({ fn, inputs }: Extract<Scalar, { kind: 'apply' }>): boolean =>
  fn === 'max' && inputs[1].kind === 'constant' && Object.is(inputs[1].value, 0)

/** What x is multiplied by 0 < y, as the gradient of a relu is: y. */
export const gateOf = ({ fn, inputs }: Extract<Scalar, { kind: 'apply' }>): Scalar | undefined => {
  const by = inputs[1]
  if (fn !== 'mul' || by.kind !== 'apply' || by.fn !== 'less') return undefined
  const [zero, y] = by.inputs
  return zero.kind === 'constant' && zero.value === 0 ? y : undefined
}

/** Every shared part once, operands before their users; a product that is only added becomes part of the sum. */
function drafted(expressions: readonly Scalar[], passed: number) {
  const drafts: Draft[] = []
  const constants: number[] = []
  const known = new Map<string, Operand>()
  const keyOf = scalarKeys()
  const push = (fn: Draft['fn'], operands: Operand[]): Draft => {
    for (const x of operands) if (isDraft(x)) x.uses++
    const draft: Draft = { fn, operands, uses: 0 }
    drafts.push(draft)
    return draft
  }
  const visit = (x: Scalar): Operand => {
    const key = keyOf(x)
    const there = known.get(key)
    if (there) return there
    let made: Operand
    const gate = x.kind === 'apply' ? gateOf(x) : undefined
    if (x.kind === 'argument') made = { input: x.index }
    else if (x.kind === 'constant') made = { constant: constants.push(x.value) - 1 }
    else if (isRelu(x)) made = push('relu', [visit(x.inputs[0])])
    else if (gate) made = push('gate', [visit(x.inputs[0]), visit(gate)])
    else made = push(x.fn, x.inputs.map(visit))
    known.set(key, made)
    return made
  }
  const results = expressions.map((f, i) => {
    const value = visit(f)
    if (i < passed && 'input' in value) return value
    // a result has a value that nothing else is put into, and which is no input
    const result = isDraft(value) ? value : push('copy', [value])
    result.uses += Infinity
    return result
  })
  join(drafts, 'add', 'mul', 'multiplyAdd')
  for (const draft of drafts) {
    const [difference, again] = draft.operands
    const isSquare = draft.fn === 'mul' && difference === again && isDraft(difference)
    if (!isSquare || difference.fn !== 'sub' || difference.uses !== 2) continue
    draft.fn = 'squaredDifference'
    draft.operands = difference.operands
    difference.uses = 0
  }
  join(drafts, 'mul', 'sub', 'subtractMultiply')
  return { drafts: drafts.filter(({ uses }) => uses > 0), results, constants }
}

/** Where `inner` is an operand of `outer` and of nothing else, the two are one. */
function join(drafts: readonly Draft[], outer: ScalarFn, inner: ScalarFn, both: Joined): void {
  for (const draft of drafts) {
    if (draft.fn !== outer || draft.uses === 0) continue
    const at = draft.operands.findIndex((x) => isDraft(x) && x.fn === inner && x.uses === 1)
    if (at < 0) continue
    const first = draft.operands[at] as Draft
    draft.fn = both
    draft.operands = [...first.operands, draft.operands[1 - at]]
    first.uses = 0
  }
}

/** Numbers for all values: inputs, constants, then as few others as are alive at a time; results keep theirs to the end. */
function numbered(
  drafts: readonly Draft[],
  results: readonly Operand[],
  first: { inputs: number; constants: readonly number[] },
  outputs: readonly StorageDType[],
) {
  const own = first.inputs + first.constants.length
  const last = new Map<Draft, number>()
  drafts.forEach((draft, i) => {
    for (const x of draft.operands) if (isDraft(x)) last.set(x, i)
  })
  const places = new Map<Draft, number>()
  const free: number[] = []
  let values = own
  const numberOf = (x: Operand): number =>
    isDraft(x) ? (places.get(x) as number) : 'input' in x ? x.input : first.inputs + x.constant
  const kept = new Set<Operand>(results)
  const code = drafts.flatMap((draft, i) => {
    const operands = draft.operands.map(numberOf)
    for (const x of new Set(draft.operands))
      if (isDraft(x) && last.get(x) === i && !kept.has(x)) free.push(places.get(x) as number)
    const target = (kept.has(draft) ? undefined : free.pop()) ?? values++
    places.set(draft, target)
    const [a, b = a, c = a] = operands
    return [functionCodes[draft.fn], target, a, b, c]
  })
  return { code, values, outputs: results.map((x, i) => ({ value: numberOf(x), dtype: outputs[i] })) }
}
