/** Heads: what `predict` applies to the logits. The head follows from the loss and is saved with the model. */
import type { Node } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { sizeOf } from '../graph/shape.ts'
import { reshape } from '../ops/broadcasting.ts'
import { sigmoid } from '../ops/elementwise.ts'
import { softmax } from '../ops/normalization.ts'
import type { ActivationName } from './activations.ts'
import { activate, activationNames } from './activations.ts'

export const heads = { softmax, sigmoid, linear: (x: Node): Node => x } as const
export type Head = keyof typeof heads

/** Do two nodes apply the same function? */
const isAlike = (applied: Node, output: Node): boolean =>
  applied.op === output.op && applied.attrs['f'] === output.attrs['f']

/**
 * What a head is applied to: an output, or what comes before the head where the output already ends in it, also behind
 * a reshape, so that it is never applied twice. Another activation at the end is part of the model.
 */
export function logitsOf(output: Node, head: Head): Node {
  const applied = heads[head](output)
  if (applied === output) return output
  if (isAlike(applied, output)) return output.inputs[0]
  if (output.op.row.kind !== 'view') return output
  const [x] = output.inputs
  const isSeenThrough = applied.op.row.kind === 'elementwise' || x.shape.at(-1) === output.shape.at(-1)
  const logits = isSeenThrough ? logitsOf(x, head) : x
  return logits === x ? output : reshape(logits, { shape: output.shape })
}

/**
 * The activation that a batch of outputs ends in: a head that a loss looks through, another one that it does not, also
 * behind reshapes, or `linear`.
 */
export const endOf = (output: Node): ActivationName =>
  (['softmax', 'sigmoid'] as const).find((head) => output.shape.length > 1 && logitsOf(output, head) !== output) ??
  otherEnd(output)

function otherEnd(output: Node): ActivationName {
  if (output.op.row.kind === 'view') return otherEnd(output.inputs[0])
  const isLast = (name: ActivationName): boolean => {
    const { op, attrs } = activate(output, name)
    return op === output.op && attrs['label'] === output.attrs['label'] // whatever its options
  }
  return activationNames.find((name) => !Object.hasOwn(heads, name) && isLast(name)) ?? 'linear'
}

/** Does one number of the output, the probability of class 1, stand for two classes? */
export const isBinary = (head: Head, output: Shape): boolean => head === 'sigmoid' && sizeOf(output) === 1

/** How many classes an output has. */
export const classesOf = (head: Head, output: Shape): number => (isBinary(head, output) ? 2 : sizeOf(output))
