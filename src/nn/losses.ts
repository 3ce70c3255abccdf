/** Losses by Keras's names: one number per sample, from logits. The head that turns logits into answers follows from the loss. */
import { FoveaError } from '../base/errors.ts'
import type { Named, NamedRow, OptionTable, Settled } from '../base/options.ts'
import { number, settleNamed } from '../base/options.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { sameShape, shapeText, sizeOf } from '../graph/shape.ts'
import { abs, add, expression, mul, neg, square, sub, toFloat } from '../ops/elementwise.ts'
import { oneHot } from '../ops/indexing.ts'
import { logSoftmax } from '../ops/normalization.ts'
import { sum } from '../ops/reduction.ts'
import { argument, s, step } from '../ops/scalar.ts'
import type { ActivationName } from './activations.ts'
import type { Head } from './heads.ts'
import { areAlike, meanOfSample, valuesLike, weighed } from './per-sample.ts'

type Values = ArrayLike<number>

export interface LossRow<T extends OptionTable = OptionTable> {
  readonly says: string
  readonly options: T
  /** What `predict` applies to the logits; where the model ends in it, the loss looks through it. */
  readonly head: Head
  /**
   * Where no loss is asked for and the model ends in plain numbers: does this loss follow from targets that fit? The first
   * such row is taken. Where the model ends in softmax or sigmoid, that decides among the rows that have `follows`.
   */
  readonly follows?: (target: TensorSpec, output: Shape) => boolean
  /** Does it take targets like these (of one sample)? */
  readonly fits: (target: TensorSpec, output: Shape) => boolean
  readonly needs: string
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
const define = <const T extends OptionTable>(row: LossRow<T>): LossRow<T> => row

const labelSmoothing = number({
  says: 'share of each target that is spread evenly over the classes',
  min: 0,
  max: 1,
  ends: 'right-open',
  default: 0,
})
/** Szegedy et al. 2016: y (1 - smoothing) + smoothing / classes. */
const smoothed = (target: Node, classes: number, smoothing: number): Node =>
  smoothing === 0 ? target : add(mul(target, 1 - smoothing), smoothing / classes)

const crossEntropy = (logits: Node, probabilities: Node, options: { labelSmoothing: number }): Node => {
  const target = smoothed(probabilities, logits.shape.at(-1) as number, options.labelSmoothing)
  return neg(sum(weighed(target, logSoftmax(logits)), { axes: [-1] }))
}

const [x, y] = [argument(0), argument(1)]
/**
 * x ((0 < x) - y) + log(1 + exp(-|x|)): -y log(p) - (1 - y) log(1 - p) of p = sigmoid(x), which never overflows. The product
 * is 0 where y is what x says, however large x is.
 */
const missed = s.sub(step(x), y)
const logisticLoss = {
  f: s.add(s.select(s.equal(missed, 0), 0, s.mul(x, missed)), s.log(s.add(1, s.exp(s.neg(s.abs(x)))))),
  df: [s.sub(s.div(1, s.add(1, s.exp(s.neg(x)))), y), s.neg(x)],
}

/** Huber 1964, of an error x: x^2 / 2 up to delta, a straight line of that slope beyond. */
const huberLoss = (delta: number) => {
  const near = s.min(s.abs(x), delta)
  return { f: s.mul(near, s.sub(s.abs(x), s.mul(0.5, near))), df: [s.max(s.min(x, delta), -delta)] }
}

/** What all losses of a difference share: a loss of the error, element by element. */
const regression = <const T extends OptionTable>(
  row: Pick<LossRow<T>, 'says' | 'options' | 'follows'> & { of: (error: Node, options: Settled<T>) => Node },
): LossRow<T> => ({
  ...row,
  head: 'linear',
  fits: ({ shape, dtype }, output) => dtype === 'float32' && areAlike(shape, output),
  needs: "float32 numbers of the outputs' shape",
  complaint: (target) => {
    const wrong = Array.from(target).find((value) => !Number.isFinite(value))
    return wrong === undefined ? undefined : `expected finite numbers, got ${wrong}`
  },
  perSample: (logits, target, options) => meanOfSample(row.of(sub(logits, valuesLike(logits, target)), options)),
})

export const losses = {
  sparseCategoricalCrossentropy: define({
    says: 'Cross-entropy with one class index per sample.',
    options: { labelSmoothing },
    head: 'softmax',
    follows: () => true,
    fits: ({ shape, dtype }, output) => dtype === 'int32' && output.length === 1 && output[0] > 1 && shape.length === 0,
    needs: 'one int32 class index per sample, and outputs [classes]',
    complaint: ({ 0: label }, [classes]) =>
      label >= 0 && label < classes ? undefined : `expected 0 to ${classes - 1}, got ${label}`,
    classes: { count: ([classes]) => classes, of: ({ 0: label }) => label },
    perSample: (logits, target, options) => crossEntropy(logits, oneHot(target, { depth: logits.shape[1] }), options),
  }),
  categoricalCrossentropy: define({
    says: 'Cross-entropy with one row of probabilities (one-hot) per sample.',
    options: { labelSmoothing },
    head: 'softmax',
    follows: () => true,
    fits: ({ shape }, output) => output.length === 1 && output[0] > 1 && sameShape(shape, output),
    needs: 'a row [classes] per sample, and outputs [classes]',
    complaint: (row) => {
      const total = Array.from(row).reduce((sum, p) => sum + (p >= 0 ? p : Number.NaN), 0)
      return Math.abs(total - 1) <= 1e-3 ? undefined : `expected numbers >= 0 that sum to 1, got a sum of ${total}`
    },
    hint: "for several labels per sample, loss: 'binaryCrossentropy'; for numbers, loss: 'meanSquaredError'",
    classes: {
      count: ([classes]) => classes,
      of: (row) => Array.from(row).reduce((best, p, i) => (p > row[best] ? i : best), 0),
    },
    perSample: (logits, target, options) => crossEntropy(logits, toFloat(target), options),
  }),
  binaryCrossentropy: define({
    says: 'Cross-entropy of yes and no: one class of two, or any number of labels per sample.',
    options: { labelSmoothing },
    head: 'sigmoid',
    follows: ({ dtype }) => dtype !== 'float32',
    fits: ({ shape }, output) => areAlike(shape, output),
    needs: "numbers from 0 to 1 of the outputs' shape, or one 0 or 1 per sample and outputs [1]",
    complaint: (target) => {
      const wrong = Array.from(target).find((p) => !(p >= 0 && p <= 1))
      return wrong === undefined ? undefined : `expected 0 to 1, got ${wrong}`
    },
    classes: { count: (output) => (sizeOf(output) === 1 ? 2 : undefined), of: ({ 0: p }) => (p > 0.5 ? 1 : 0) },
    perSample: (logits, target, options) => {
      const { f, df } = logisticLoss
      const wanted = smoothed(valuesLike(logits, target), 2, options.labelSmoothing)
      return meanOfSample(expression('binaryCrossentropy', [logits, wanted], f, df))
    },
  }),
  meanSquaredError: regression({
    says: 'Mean of the squares of the errors.',
    options: {},
    follows: () => true,
    of: square,
  }),
  meanAbsoluteError: regression({
    says: 'Mean of the absolute errors.',
    options: {},
    of: abs,
  }),
  huber: regression({
    says: 'Squares of small errors, absolute values of large ones: outliers count less.',
    options: { delta: number({ says: 'error at which the square ends', min: 0, ends: 'open', default: 1 }) },
    of: (error, { delta }) => {
      const { f, df } = huberLoss(delta)
      return expression('huber', [error], f, df)
    },
  }),
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
  const following = lossNames.find((type) => fits(type) && isMeant(lossRow({ type })))
  const isTaken = following !== undefined && takes(lossRow({ type: following }).head, end)
  const chosen = asked ?? (isTaken ? following : undefined)
  const settled = chosen && settleLoss(chosen)
  if (settled && fits(settled.type)) return settled
  const meant = lossNames.filter((type) => !isHead || lossRow({ type }).head === end)
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
    ...hintFor(target, shape, lossNames.filter(fits)),
  })
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
