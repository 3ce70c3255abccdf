/** Losses by Keras's names: one number per sample, from logits. The head that turns logits into answers follows from the loss. */
import { FoveaError } from '../base/errors.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import { isA } from '../graph/node.ts'
import { sameShape } from '../graph/shape.ts'
import { reshape } from '../ops/broadcasting.ts'
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
  /** What is wrong with the target of a sample, in words, or undefined. */
  readonly complaint: (target: ArrayLike<number>, output: readonly number[]) => string | undefined
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
    complaint: ({ 0: label }, [classes]) =>
      label >= 0 && label < classes ? undefined : `expected 0 to ${classes - 1}, got ${label}`,
    perSample: (logits, target) => crossEntropy(logits, oneHot(target, { depth: logits.shape[1] })),
  },
  categoricalCrossentropy: {
    says: 'Cross-entropy with one row of probabilities (one-hot) per sample.',
    head: 'softmax',
    fits: ({ shape, dtype }, output) => dtype === 'float32' && output.length === 1 && sameShape(shape, output),
    wants: 'a float32 row [classes] per sample, and outputs [classes]',
    complaint: (row) => {
      const total = Array.from(row).reduce((sum, p) => sum + (p >= 0 ? p : Number.NaN), 0)
      return Math.abs(total - 1) <= 1e-3 ? undefined : `expected numbers >= 0 that sum to 1, got a sum of ${total}`
    },
    perSample: crossEntropy,
  },
} as const satisfies Record<string, LossRow>

export type LossName = keyof typeof losses
export const lossNames = Object.keys(losses) as LossName[]

/** The logits of an output: a final softmax is looked through, also behind a reshape, so that it is never applied twice. */
export function logitsOf(output: Node): Node {
  if (isA(output, softmax)) return output.inputs[0]
  const [x] = output.inputs
  const keepsRows = output.op.row.kind === 'view' && x.shape.at(-1) === output.shape.at(-1)
  const logits = keepsRows ? logitsOf(x) : x
  return keepsRows && logits !== x ? reshape(logits, { shape: output.shape }) : output
}

/** The loss asked for, checked against the targets; or the one that follows from them. */
export function chooseLoss(
  name: LossName | undefined,
  target: TensorSpec,
  output: readonly number[],
  where: string,
): LossName {
  const rows: Record<LossName, LossRow> = losses
  if (name !== undefined && !lossNames.includes(name)) {
    throw new FoveaError('E_OPTION', { what: 'unknown loss', where, expected: lossNames.join(', '), got: String(name) })
  }
  const chosen = name ?? lossNames.find((candidate) => rows[candidate].fits(target, output))
  if (chosen && rows[chosen].fits(target, output)) return chosen
  const got = `${target.dtype} [${target.shape.join(', ')}] targets, [${output.join(', ')}] outputs`
  const hint = target.dtype === 'uint8' ? 'class indices are int32, as in Int32Array.from(labels)' : undefined
  const facts = { where, got, ...(hint && { hint }) }
  if (chosen)
    throw new FoveaError('E_MISMATCH', {
      what: `${chosen} does not fit the targets`,
      expected: rows[chosen].wants,
      ...facts,
    })
  const expected = lossNames.map((l) => rows[l].wants).join('; or ')
  throw new FoveaError('E_MISMATCH', { what: 'no loss fits the targets', expected, ...facts })
}
