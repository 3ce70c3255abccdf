/** Regularizers by Keras's names: a penalty on a weight, or on what a layer gives, which is added to the loss. */
import type { Named, NamedEntry, OptionTable, Settled } from '../base/options.ts'
import { named, number, settleNamed } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { abs, add, mul } from '../ops/elementwise.ts'
import { sum } from '../ops/reduction.ts'
import { sumOfSample } from './per-sample.ts'

export interface RegularizerRow<T extends OptionTable = OptionTable> extends NamedEntry<T> {
  /** The penalty on x; `total` sums over a weight, or over each sample of what a layer gives. */
  readonly penalty: (options: Settled<T>, x: Node, total: Total) => Node
}
type Total = (x: Node) => Node
const define = <const T extends OptionTable>(row: RegularizerRow<T>) => row

const factor = (of: string, value: number) => number({ says: `what ${of} is multiplied by`, min: 0, default: value })
const absolutes = (x: Node, total: Total): Node => total(abs(x))
const squares = (x: Node, total: Total): Node => total(mul(x, x))

export const regularizers = {
  l1: define({
    says: 'l1 times the sum of the absolute values: many weights become 0.',
    options: { l1: factor('the sum of absolute values', 0.01) },
    penalty: ({ l1 }, x, total) => mul(absolutes(x, total), l1),
  }),
  l2: define({
    says: 'l2 times the sum of the squares (not half of it): weights stay small.',
    options: { l2: factor('the sum of squares', 0.01) },
    penalty: ({ l2 }, x, total) => mul(squares(x, total), l2),
  }),
  l1L2: define({
    says: 'Both: 0.01 of each when only its name is given, and 0 of what its options leave out.',
    options: { l1: factor('the sum of absolute values', 0), l2: factor('the sum of squares', 0) },
    named: { l1: 0.01, l2: 0.01 },
    penalty: ({ l1, l2 }, x, total) => add(mul(absolutes(x, total), l1), mul(squares(x, total), l2)),
  }),
} as const

export type RegularizerName = keyof typeof regularizers

/** A regularizer: its name, or `{ type, ...options }` such as `{ type: 'l2', l2: 1e-4 }`. Plain JSON. */
export type Regularizer = Named<typeof regularizers>

function penalty(regularizer: Regularizer, x: Node, total: Total): Node {
  const { type, options } = settleNamed(regularizers, regularizer, 'regularizer')
  return (regularizers[type] as unknown as RegularizerRow).penalty(options, x, total)
}

/** The penalty on a weight: a scalar. */
export const penaltyOf = (regularizer: Regularizer, weight: Node): Node => penalty(regularizer, weight, (x) => sum(x))

/** What a layer gives, with a penalty [n] on its output where a regularizer asks for one. */
export const penalised = <F extends { readonly output: Node }>(given: F, regularizer: Regularizer | undefined) =>
  regularizer === undefined ? given : { ...given, penalty: penalty(regularizer, given.output, sumOfSample) }

/** A regularizer as an option of a layer; none when absent. */
export const regularizerOption = (says: string) => named(regularizers, { says, what: 'regularizer', optional: true })

/** The same of what the layer gives. */
export const activityRegularizerOption = regularizerOption(
  "penalty on the layer's output; its mean over the samples counts",
)
