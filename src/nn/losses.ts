/** Losses by Keras's names: one number per sample, from logits. The head that turns logits into answers follows from the loss. */
import { FoveaError } from '../base/errors.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import { isA } from '../graph/node.ts'
import { sameShape } from '../graph/shape.ts'
import { mul, neg } from '../ops/elementwise.ts'
import { oneHot } from '../ops/indexing.ts'
import { logSoftmax, softmax } from '../ops/normalization.ts'
import { sum } from '../ops/reduction.ts'

/** What `predict` applies to the logits. */
export const heads = { softmax, linear: (x: Node): Node => x } as const
export type Head = keyof typeof heads

export interface LossRow {
  readonly says: string
  readonly head: Head
  /** Does it take targets like these (of one sample)? */
  readonly fits: (target: TensorSpec, output: readonly number[]) => boolean
  readonly wants: string
  /** [n] from logits [n, ...] and targets. */
  readonly perSample: (logits: Node, target: Node) => Node
}

const crossEntropy = (logits: Node, probabilities: Node): Node =>
  neg(sum(mul(probabilities, logSoftmax(logits)), { axes: [-1] }))

export const losses = {
  sparseCategoricalCrossentropy: {
    says: 'Cross-entropy with one class index per sample.',
    head: 'softmax',
    fits: ({ shape, dtype }, output) => dtype === 'int32' && output.length === 1 && shape.length === 0,
    wants: 'one int32 class index per sample, and outputs [classes]',
    perSample: (logits, target) => crossEntropy(logits, oneHot(target, { depth: logits.shape[1] })),
  },
  categoricalCrossentropy: {
    says: 'Cross-entropy with one row of probabilities (one-hot) per sample.',
    head: 'softmax',
    fits: ({ shape, dtype }, output) => dtype === 'float32' && output.length === 1 && sameShape(shape, output),
    wants: 'a float32 row [classes] per sample, and outputs [classes]',
    perSample: crossEntropy,
  },
} as const satisfies Record<string, LossRow>

export type LossName = keyof typeof losses
export const lossNames = Object.keys(losses) as LossName[]

/** The logits of an output: a final softmax is looked through, so that it is never applied twice. */
export const logitsOf = (output: Node): Node => (isA(output, softmax) ? output.inputs[0] : output)

/** The loss asked for, checked against the targets; or the one that follows from them. */
export function chooseLoss(
  name: LossName | undefined,
  target: TensorSpec,
  output: readonly number[],
  where: string,
): LossName {
  const rows: Record<LossName, LossRow> = losses
  const chosen = name ?? lossNames.find((candidate) => rows[candidate].fits(target, output))
  if (chosen && rows[chosen].fits(target, output)) return chosen
  const got = `${target.dtype} [${target.shape.join(', ')}] targets, [${output.join(', ')}] outputs`
  const hint = target.dtype === 'uint8' ? 'class indices are int32, as in Int32Array.from(labels)' : undefined
  const facts = { where, got, ...(hint && { hint }) }
  if (chosen)
    throw new FoveaError('E_DATA', {
      what: `${chosen} does not fit the targets`,
      expected: rows[chosen].wants,
      ...facts,
    })
  const expected = lossNames.map((l) => rows[l].wants).join('; or ')
  throw new FoveaError('E_DATA', { what: 'no loss fits the targets', expected, ...facts })
}
