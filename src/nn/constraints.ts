/** Constraints by Keras's names: what a weight is held to after every update. */
import type { Named, NamedEntry, OptionTable, Settled } from '../base/options.ts'
import { either, integer, list, named, number, settleNamed } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { add, div, maximum, minimum, mul, sqrt } from '../ops/elementwise.ts'
import { sum } from '../ops/reduction.ts'

export interface ConstraintRow<T extends OptionTable = OptionTable> extends NamedEntry<T> {
  /** The nearest allowed weight, or Keras's way to it. */
  readonly of: (weight: Node, options: Settled<T>) => Node
}
const define = <const T extends OptionTable>(row: ConstraintRow<T>) => row

const oneAxis = integer({ says: 'an axis; -1 is the last' })
const axis = either([oneAxis, list(oneAxis, { says: 'axes', length: { min: 1 } })], {
  says: 'axis or axes that one norm is over: 0 for the kernel of dense, [0, 1, 2] for that of conv2d',
  default: 0,
})
type Axes = Settled<{ axis: typeof axis }>['axis']

/** Added to a norm that divides, so that zeros stay zeros. */
const EPSILON = 1e-7

const norms = (weight: Node, axis: Axes): Node =>
  sqrt(sum(mul(weight, weight), { axes: typeof axis === 'number' ? [axis] : axis, keepDims: true }))
const scaled = (weight: Node, wanted: Node | number, norm: Node): Node => mul(weight, div(wanted, add(norm, EPSILON)))

/** Keras's defaults and formulas. */
export const constraints = {
  maxNorm: define({
    says: 'Vectors longer than maxValue are shortened to it (Srivastava et al. 2014).',
    options: { maxValue: number({ says: 'the longest norm', min: 0, default: 2 }), axis },
    of: (weight, { maxValue, axis }) => {
      const norm = norms(weight, axis)
      return scaled(weight, minimum(norm, maxValue), norm)
    },
  }),
  minMaxNorm: define({
    says: 'Norms are kept within minValue and maxValue.',
    options: {
      minValue: number({ says: 'the shortest norm', min: 0, default: 0 }),
      maxValue: number({ says: 'the longest norm', min: 0, default: 1 }),
      rate: number({ says: 'share of the way that an update goes; 1 is all of it', min: 0, max: 1, default: 1 }),
      axis,
    },
    conflict: ({ minValue, maxValue }) =>
      minValue > maxValue ? { what: "'minValue' is above 'maxValue'", got: `${minValue} and ${maxValue}` } : undefined,
    of: (weight, { minValue, maxValue, rate, axis }) => {
      const norm = norms(weight, axis)
      const kept = minimum(maximum(norm, minValue), maxValue)
      return scaled(weight, add(mul(kept, rate), mul(norm, 1 - rate)), norm)
    },
  }),
  nonNeg: define({
    says: 'Numbers below 0 become 0.',
    options: {},
    of: (weight) => maximum(weight, 0),
  }),
  unitNorm: define({
    says: 'Every vector gets the norm 1.',
    options: { axis },
    of: (weight, { axis }) => scaled(weight, 1, norms(weight, axis)),
  }),
} as const

export type ConstraintName = keyof typeof constraints

/** A constraint: its name, or `{ type, ...options }` such as `{ type: 'maxNorm', maxValue: 3 }`. Plain JSON. */
export type Constraint = Named<typeof constraints>

/** The weight as the constraint has it; itself where there is none. */
export function constrained(weight: Node, constraint: Constraint | undefined): Node {
  if (constraint === undefined) return weight
  const { type, options } = settleNamed(constraints, constraint, 'constraint')
  return (constraints[type] as unknown as ConstraintRow).of(weight, options)
}

/** A constraint as an option of a layer; none when absent. */
export const constraintOption = (says: string) => named(constraints, { says, what: 'constraint', optional: true })
