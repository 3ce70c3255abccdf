/** Focal losses, Lin et al. 2017: what is easy counts less, by (1 - p)^gamma of the probability p of what is so. */
import { either, flag, list, number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { constant } from '../../graph/node.ts'
import type { Shape } from '../../graph/shape.ts'
import { expression, mul, toFloat } from '../../ops/elementwise.ts'
import { oneHot } from '../../ops/indexing.ts'
import { logSoftmax } from '../../ops/normalization.ts'
import { sum } from '../../ops/reduction.ts'
import type { Scalar } from '../../ops/scalar.ts'
import { argument, derivative, s, scalar } from '../../ops/scalar.ts'
import { meanOfSample, valuesLike } from '../per-sample.ts'
import { labelSmoothing, logisticLoss, smoothed } from './cross-entropy.ts'
import { defineLoss, indexTargets, rowTargets, yesNoTargets } from './row.ts'

const gamma = number({ says: 'how much less what is easy counts: (1 - p)^gamma', min: 0, default: 2 })

const [x, y] = [argument(0), argument(1)]
const logistic = (x: Scalar): Scalar => s.div(1, s.add(1, s.exp(s.neg(x))))
/** 1 + e^x, which does not overflow. */
const grown = (x: Scalar): Scalar => s.add(1, s.exp(s.min(x, 80)))

/**
 * Of a logit x and a target y from 0 to 1: q^gamma L, L the cross-entropy and q = y (1 - p) + (1 - y) p what is missed. The
 * slope of q^gamma is gamma q^gamma (1 - 2y) / (y (1 + e^-x) + (1 - y) (1 + e^x)): no power below gamma, which would be
 * infinite where q is 0.
 */
function binaryFocal(gamma: number, balance: number | undefined) {
  const weight = balance === undefined ? scalar(1) : s.add(s.mul(y, balance), s.mul(s.sub(1, y), 1 - balance))
  const missed = s.add(s.mul(y, logistic(s.neg(x))), s.mul(s.sub(1, y), logistic(x)))
  const focus = s.mul(weight, s.pow(missed, gamma))
  const turn = s.div(s.sub(1, s.mul(2, y)), s.add(s.mul(y, grown(s.neg(x))), s.mul(s.sub(1, y), grown(x))))
  const f = s.mul(focus, logisticLoss.f)
  const slope = s.mul(focus, s.add(logisticLoss.df[0], s.mul(s.mul(gamma, turn), logisticLoss.f)))
  return { f, df: [slope, derivative(f, 1)] }
}

/** Of the logarithm x of a probability and a target y: -y (1 - e^x)^gamma x, and 0 where y is 0. */
function categoricalFocal(gamma: number) {
  const missed = s.sub(1, s.exp(x))
  const focus = s.pow(missed, gamma)
  const inner = s.select(s.equal(missed, 0), 0, s.mul(s.mul(gamma, s.pow(missed, gamma - 1)), s.mul(s.exp(x), x)))
  const where = (value: Scalar): Scalar => s.select(s.equal(y, 0), 0, value)
  return {
    f: where(s.mul(s.neg(y), s.mul(focus, x))),
    df: [where(s.mul(s.neg(y), s.sub(focus, inner))), s.neg(s.mul(focus, x))],
  }
}

const categoricalOptions = {
  alpha: either(
    [
      number({ says: 'for all classes', min: 0 }),
      list(number({ says: 'a factor', min: 0 }), { says: 'one per class', length: { min: 2 } }),
    ],
    { says: 'what the loss is multiplied by: one factor, or one per class', default: 0.25 },
  ),
  gamma,
  labelSmoothing,
}

interface FocalOptions {
  readonly alpha: number | readonly number[]
  readonly gamma: number
  readonly labelSmoothing: number
}

function focalPerSample(logits: Node, probabilities: Node, { alpha, gamma, labelSmoothing }: FocalOptions): Node {
  const target = smoothed(probabilities, logits.shape[1], labelSmoothing)
  const { f, df } = categoricalFocal(gamma)
  const byClass = expression('focal', [logSoftmax(logits), target], f, df)
  const factors = typeof alpha === 'number' ? alpha : constant(Float32Array.from(alpha), [alpha.length])
  return sum(mul(byClass, factors), { axes: [-1] })
}

const misfit = ({ alpha }: Pick<FocalOptions, 'alpha'>, [classes]: Shape): string | undefined =>
  typeof alpha === 'number' || alpha.length === classes
    ? undefined
    : `${alpha.length} factors alpha for ${classes} classes`

export const focalLosses = {
  binaryFocalCrossentropy: defineLoss({
    says: 'binaryCrossentropy in which easy samples count less: for few of one class among many of the other.',
    ...yesNoTargets,
    options: {
      applyClassBalancing: flag({ says: 'weigh class 1 by alpha, class 0 by 1 - alpha', default: false }),
      alpha: number({ says: 'weight of class 1', min: 0, max: 1, default: 0.25 }),
      gamma,
      labelSmoothing,
    },
    head: 'sigmoid',
    perSample: (logits, target, { applyClassBalancing, alpha, gamma, labelSmoothing }) => {
      const { f, df } = binaryFocal(gamma, applyClassBalancing ? alpha : undefined)
      const wanted = smoothed(valuesLike(logits, target), 2, labelSmoothing)
      return meanOfSample(expression('binaryFocal', [logits, wanted], f, df))
    },
  }),
  categoricalFocalCrossentropy: defineLoss({
    says: 'categoricalCrossentropy in which easy samples count less.',
    ...rowTargets,
    options: categoricalOptions,
    misfit,
    head: 'softmax',
    perSample: (logits, target, options) => focalPerSample(logits, toFloat(target), options),
  }),
  sparseCategoricalFocalCrossentropy: defineLoss({
    says: 'sparseCategoricalCrossentropy in which easy samples count less.',
    ...indexTargets,
    options: categoricalOptions,
    misfit,
    head: 'softmax',
    perSample: (logits, target, options) => focalPerSample(logits, oneHot(target, { depth: logits.shape[1] }), options),
  }),
} as const
