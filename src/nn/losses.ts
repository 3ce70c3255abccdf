/** Losses by Keras's names: one number per sample, from logits. The head that turns logits into answers follows from the loss. */
import { FoveaError } from '../base/errors.ts'
import type { Named, NamedRow } from '../base/options.ts'
import { settleNamed } from '../base/options.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { shapeText, sizeOf } from '../graph/shape.ts'
import type { ActivationName } from './activations.ts'
import type { Head } from './heads.ts'
import { crossEntropies, divergences } from './losses/cross-entropy.ts'
import { differences } from './losses/differences.ts'
import { focalLosses } from './losses/focal.ts'
import { hinges } from './losses/hinge.ts'
import { overlaps } from './losses/overlap.ts'
import type { LossRow } from './losses/row.ts'

export const losses = {
  ...crossEntropies,
  ...differences,
  ...focalLosses,
  ...divergences,
  ...hinges,
  ...overlaps,
} as const

export type LossName = keyof typeof losses
export const lossNames = Object.keys(losses) as LossName[]

/** A loss as a user gives it: its name, or its name with options. Plain JSON. */
export type Loss = Named<typeof losses>

/** A checked loss. Plain data: it is part of a program's key. */
export type SettledLoss = NamedRow<LossName>

/** The loss with all its options; throws E_OPTION for an unknown name or option. */
export const settleLoss = (given: Loss): SettledLoss => settleNamed(losses, given, 'loss')

/** The row of a loss, its options forgotten. */
export const lossRow = ({ type }: Pick<SettledLoss, 'type'>): LossRow => losses[type] as unknown as LossRow

/** Losses per sample: [n]. */
export const lossPerSample = (loss: SettledLoss, logits: Node, target: Node): Node =>
  lossRow(loss).perSample(logits, target, loss.options)

/** Those that may follow from targets; the others are for those who name them. */
const usual = lossNames.filter((type) => lossRow({ type }).follows)

/** What a model gives for a sample: its shape, and the activation that it ends in ('linear' for plain numbers). */
export interface Ending {
  readonly shape: Shape
  readonly end: ActivationName
}

/** Are numbers that went through this activation what a loss of this head takes? logSoftmax changes nothing for softmax. */
const takes = (head: Head, end: ActivationName): boolean =>
  head === 'linear' || end === 'linear' || head === end || (head === 'softmax' && end === 'logSoftmax')

/**
 * The loss asked for, checked against the targets; or the one that follows from them and from what the model ends in.
 * Throws E_MISMATCH where it does not fit, or where none follows: the hint says how to name one.
 */
export function chooseLoss(
  asked: Loss | undefined,
  target: TensorSpec,
  { shape, end }: Ending,
  where: string,
): SettledLoss {
  const fits = (type: LossName): boolean => lossRow({ type }).fits(target, shape)
  const isHead = end === 'softmax' || end === 'sigmoid'
  const isMeant = ({ head, follows }: LossRow): boolean =>
    isHead ? head === end && follows !== undefined : follows?.(target, shape) === true
  const following = usual.find((type) => fits(type) && isMeant(lossRow({ type })))
  const isTaken = following !== undefined && takes(lossRow({ type: following }).head, end)
  const chosen = asked ?? (isTaken ? following : undefined)
  const settled = chosen && settleLoss(chosen)
  if (settled && fits(settled.type)) return fitted(settled, shape, where)
  const meant = usual.filter((type) => !isHead || lossRow({ type }).head === end)
  const areMaps = asked === undefined && needsFlat(target.shape, shape)
  const allNeeds = areMaps ? ['outputs of one axis, as [classes]'] : meant.map((type) => lossRow({ type }).needs)
  const needed = settled ? [lossRow(settled).needs] : allNeeds
  const expected = following && !isTaken ? ['outputs that end in plain numbers, softmax or sigmoid'] : needed
  const tail = end === 'linear' ? '' : ` that end in ${end}`
  throw new FoveaError('E_MISMATCH', {
    what: settled ? `${settled.type} does not fit the targets` : `no loss follows from the targets and outputs${tail}`,
    where,
    expected: [...new Set(expected)].join('; or '),
    got: `${target.dtype} ${shapeText(target.shape)} targets, ${shapeText(shape)} outputs`,
    ...hintFor(target, shape, usual.filter(fits)),
  })
}

/** The loss as it is, unless its options do not fit the outputs. */
function fitted(loss: SettledLoss, output: Shape, where: string): SettledLoss {
  const wrong = lossRow(loss).misfit?.(loss.options, output)
  if (wrong === undefined) return loss
  throw new FoveaError('E_MISMATCH', { what: `${loss.type} does not fit the outputs: ${wrong}`, where })
}

/** Do outputs of several axes meet targets of one or none? */
const needsFlat = (target: Shape, output: Shape): boolean => output.length > 1 && target.length <= 1

/** The way out where no loss follows: those that could be named. */
function hintFor({ dtype, shape }: TensorSpec, output: Shape, named: readonly LossName[]): { hint?: string } {
  if (needsFlat(shape, output))
    return { hint: 'end the model in flatten(), or a global pooling, and dense({ units: the number of classes })' }
  if (dtype === 'uint8' && sizeOf(shape) === 1)
    return { hint: 'class indices are int32, as in Int32Array.from(labels)' }
  if (named.length === 0) return {}
  return { hint: `if this is what you want, name the loss: ${named.map((type) => `loss: '${type}'`).join(' or ')}` }
}
