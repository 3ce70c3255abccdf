/** Cross-entropies, and the divergence of Kullback and Leibler. */
import { number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { add, expression, mul, neg, toFloat } from '../../ops/elementwise.ts'
import { oneHot } from '../../ops/indexing.ts'
import { logSoftmax } from '../../ops/normalization.ts'
import { sum } from '../../ops/reduction.ts'
import { argument, s, step } from '../../ops/scalar.ts'
import { meanOfSample, valuesLike, weighed } from '../per-sample.ts'
import { defineLoss, indexTargets, rowTargets, yesNoTargets } from './row.ts'

export const labelSmoothing = number({
  says: 'share of each target that is spread evenly over the classes',
  min: 0,
  max: 1,
  ends: 'right-open',
  default: 0,
})
/** Szegedy et al. 2016: y (1 - smoothing) + smoothing / classes. */
export const smoothed = (target: Node, classes: number, smoothing: number): Node =>
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
export const logisticLoss = {
  f: s.add(s.select(s.equal(missed, 0), 0, s.mul(x, missed)), s.log(s.add(1, s.exp(s.neg(s.abs(x)))))),
  df: [s.sub(s.div(1, s.add(1, s.exp(s.neg(x)))), y), s.neg(x)],
}

/** y log(y / p) of p = exp(x), and 0 where y is 0. */
const divergence = {
  f: s.select(s.equal(y, 0), 0, s.mul(y, s.sub(s.log(y), x))),
  df: [s.neg(y), s.select(s.equal(y, 0), 0, s.add(s.sub(s.log(y), x), 1))],
}

export const crossEntropies = {
  sparseCategoricalCrossentropy: defineLoss({
    says: 'Cross-entropy with one class index per sample.',
    ...indexTargets,
    options: { labelSmoothing },
    head: 'softmax',
    follows: () => true,
    perSample: (logits, target, options) => crossEntropy(logits, oneHot(target, { depth: logits.shape[1] }), options),
  }),
  categoricalCrossentropy: defineLoss({
    says: 'Cross-entropy with one row of probabilities (one-hot) per sample.',
    ...rowTargets,
    options: { labelSmoothing },
    head: 'softmax',
    follows: () => true,
    perSample: (logits, target, options) => crossEntropy(logits, toFloat(target), options),
  }),
  binaryCrossentropy: defineLoss({
    says: 'Cross-entropy of yes and no: one class of two, or any number of labels per sample.',
    ...yesNoTargets,
    options: { labelSmoothing },
    head: 'sigmoid',
    follows: ({ dtype }) => dtype !== 'float32',
    perSample: (logits, target, options) => {
      const { f, df } = logisticLoss
      const wanted = smoothed(valuesLike(logits, target), 2, options.labelSmoothing)
      return meanOfSample(expression('binaryCrossentropy', [logits, wanted], f, df))
    },
  }),
} as const

export const divergences = {
  /** Kullback and Leibler 1951. */
  klDivergence: defineLoss({
    says: 'How far the probabilities are from those of the target: cross-entropy less the entropy of the target.',
    ...rowTargets,
    options: {},
    head: 'softmax',
    perSample: (logits, target) => {
      const { f, df } = divergence
      return sum(expression('klDivergence', [logSoftmax(logits), toFloat(target)], f, df), { axes: [-1] })
    },
  }),
} as const
