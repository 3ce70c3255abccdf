/** What a metric is: a mean of one number per sample, or a number that follows from sums over all samples. */
import type { Conflict, OptionTable, Settled } from '../../base/options.ts'
import type { TensorSpec } from '../../graph/dtype.ts'
import type { Node } from '../../graph/node.ts'
import type { Shape } from '../../graph/shape.ts'
import { sameShape } from '../../graph/shape.ts'
import { toFloat } from '../../ops/elementwise.ts'
import { argmax } from '../../ops/reduction.ts'
import type { Head } from '../heads.ts'
import { areAlike } from '../per-sample.ts'

/** What a metric sees of an output: [n, ...] each. */
export interface Judged {
  readonly logits: Node
  /** What `predict` would say: the logits through the head. */
  readonly answer: Node
  readonly target: Node
  readonly head: Head
  /** Answers above it say yes, where the loss has settled that; those of a sigmoid above 0.5. */
  readonly yesAbove?: number | undefined
}

/** An output and what it is compared with. */
export interface Comparison extends Pick<Judged, 'head' | 'yesAbove'> {
  readonly output: Shape
  readonly target: TensorSpec
}

interface Common<T extends OptionTable> {
  readonly says: string
  /** Which way is better: what callbacks that watch its log go by. */
  readonly better: 'more' | 'less'
  readonly options: T
  readonly conflict?: (options: Settled<T>) => Conflict | undefined
  readonly fits: (comparison: Comparison) => boolean
  readonly needs: string
  /** What is wrong with the options for such outputs, in words. */
  readonly misfit?: (options: Settled<T>, comparison: Comparison) => string | undefined
  /** The name in logs, where it is another one. */
  readonly logName?: (options: Settled<T>) => string
}

export interface MeanRow<T extends OptionTable = OptionTable> extends Common<T> {
  /** [n] */
  readonly perSample: (judged: Judged, options: Settled<T>) => Node
}

/** Sums over all samples, by name; each of one size whatever the batch. */
export type Sums = Readonly<Record<string, ArrayLike<number>>>

export interface SummedRow<T extends OptionTable = OptionTable> extends Common<T> {
  /** Over a batch, where a sample counts for `weights` [n], 0 for none: they are added up over batches, in float64. */
  readonly sums: (judged: Judged, weights: Node, options: Settled<T>) => Readonly<Record<string, Node>>
  readonly value: (sums: Sums, options: Settled<T>) => number
}

export type MetricRow = MeanRow | SummedRow

export const defineMean = <const T extends OptionTable>(row: MeanRow<T>): MeanRow<T> => row
export const defineSummed = <const T extends OptionTable>(row: SummedRow<T>): SummedRow<T> => row

/** One class index per sample, rather than a row. */
const isClassIndex = ({ dtype, shape }: TensorSpec): boolean => dtype === 'int32' && shape.length === 0

/** Rows of scores for more than one class, and a class index or such a row to meet. */
export const tellsClasses = ({ output, target }: Comparison): boolean =>
  output.length === 1 && output[0] > 1 && (isClassIndex(target) || sameShape(target.shape, output))

export const isElementwise = ({ output, target }: Comparison): boolean => areAlike(target.shape, output)

/** Does every number say yes or no for itself, rather than a row choose one of its classes? */
export const saysYesOrNo = (comparison: Comparison): boolean =>
  comparison.head === 'sigmoid' || comparison.yesAbove !== undefined || !tellsClasses(comparison)

/** Does an output say classes, or yes and no, rather than numbers? */
export const decides = (comparison: Comparison): boolean =>
  comparison.head === 'sigmoid' || comparison.yesAbove !== undefined
    ? isElementwise(comparison)
    : tellsClasses(comparison)

/** The comparison of a batch, without the axis of samples. */
export const comparisonOf = ({ logits, target, head, yesAbove }: Judged): Comparison => ({
  output: logits.shape.slice(1),
  target: { shape: target.shape.slice(1), dtype: target.dtype as TensorSpec['dtype'] },
  head,
  yesAbove,
})

/** Of targets [n], or [n, classes]. */
export const classIndex = (target: Node): Node => (target.shape.length === 1 ? target : argmax(toFloat(target)))
