/** What a loss is: one number per sample, from logits. */
import type { OptionTable, Settled } from '../../base/options.ts'
import type { TensorSpec } from '../../graph/dtype.ts'
import type { Node } from '../../graph/node.ts'
import type { Shape } from '../../graph/shape.ts'
import { sameShape, sizeOf } from '../../graph/shape.ts'
import type { Head } from '../heads.ts'
import { areAlike } from '../per-sample.ts'

export type Values = ArrayLike<number>

export interface LossRow<T extends OptionTable = OptionTable> {
  readonly says: string
  readonly options: T
  /** What `predict` applies to the logits; where the model ends in it, the loss looks through it. */
  readonly head: Head
  /** Answers above it say yes, number by number, where that is not 0.5 behind a sigmoid. */
  readonly yesAbove?: number
  /** What is measured when nothing is asked for, where that does not follow from the head. */
  readonly judgedBy?: 'accuracy'
  /**
   * Where no loss is asked for and the model ends in plain numbers: does this loss follow from targets that fit? The first
   * such row is taken. Where the model ends in softmax or sigmoid, that decides among the rows that have `follows`.
   */
  readonly follows?: (target: TensorSpec, output: Shape) => boolean
  /** Does it take targets like these (of one sample)? */
  readonly fits: (target: TensorSpec, output: Shape) => boolean
  readonly needs: string
  /** What is wrong with the options for such outputs, in words. */
  readonly misfit?: (options: Settled<T>, output: Shape) => string | undefined
  /** What is wrong with the target of a sample, in words, or undefined. */
  readonly complaint: (target: Values, output: Shape) => string | undefined
  /** What else such targets may be. */
  readonly hint?: string
  /** Where targets say classes: how many there are (undefined where they do not), and the one of a sample. */
  readonly classes?: {
    readonly count: (output: Shape) => number | undefined
    readonly of: (target: Values) => number
  }
  /** [n] from logits [n, ...] and targets [n, ...]. */
  readonly perSample: (logits: Node, target: Node, options: Settled<T>) => Node
}
export const defineLoss = <const T extends OptionTable>(row: LossRow<T>): LossRow<T> => row

/** Is it a class index per sample, for outputs of one axis? */
export const isIndex = ({ shape, dtype }: TensorSpec, output: Shape): boolean =>
  dtype === 'int32' && output.length === 1 && output[0] > 1 && shape.length === 0

/** Is it a row of a number per class, for outputs of one axis? */
export const isRow = ({ shape }: TensorSpec, output: Shape): boolean =>
  output.length === 1 && output[0] > 1 && sameShape(shape, output)

/** The words for a number that is not what all should be. */
export const complaintOf =
  (expected: string, isRight: (value: number) => boolean) =>
  (target: Values): string | undefined => {
    const wrong = Array.from(target).find((value) => !isRight(value))
    return wrong === undefined ? undefined : `expected ${expected}, got ${wrong}`
  }

/** Targets that are one class index. */
export const indexTargets = {
  fits: isIndex,
  needs: 'one int32 class index per sample, and outputs [classes]',
  complaint: ({ 0: label }: Values, [classes]: Shape): string | undefined =>
    label >= 0 && label < classes ? undefined : `expected 0 to ${classes - 1}, got ${label}`,
  classes: { count: ([classes]: Shape): number => classes, of: ({ 0: label }: Values): number => label },
}

/** Targets that are a row of probabilities. */
export const rowTargets = {
  fits: isRow,
  needs: 'a row [classes] per sample, and outputs [classes]',
  complaint: (row: Values): string | undefined => {
    const total = Array.from(row).reduce((sum, p) => sum + (p >= 0 ? p : Number.NaN), 0)
    return Math.abs(total - 1) <= 1e-3 ? undefined : `expected numbers >= 0 that sum to 1, got a sum of ${total}`
  },
  hint: "for several labels per sample, loss: 'binaryCrossentropy'; for numbers, loss: 'meanSquaredError'",
  classes: {
    count: ([classes]: Shape): number => classes,
    of: (row: Values): number => Array.from(row).reduce((best, p, i) => (p > row[best] ? i : best), 0),
  },
}

/** Targets that say yes or no, or something between, number by number. */
export const yesNoTargets = {
  fits: ({ shape }: TensorSpec, output: Shape): boolean => areAlike(shape, output),
  needs: "numbers from 0 to 1 of the outputs' shape, or one 0 or 1 per sample and outputs [1]",
  complaint: complaintOf('0 to 1', (p) => p >= 0 && p <= 1),
  classes: {
    count: (output: Shape): number | undefined => (sizeOf(output) === 1 ? 2 : undefined),
    of: ({ 0: p }: Values): number => (p > 0.5 ? 1 : 0),
  },
}
