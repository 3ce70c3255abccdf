/** Losses of numbers: of the difference of answers and targets, of their directions, of counts. */
import type { OptionTable, Settled } from '../../base/options.ts'
import { number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { abs, elementwiseOps, expression, maximum, mul, neg, square, sub } from '../../ops/elementwise.ts'
import { sum } from '../../ops/reduction.ts'
import { argument, log1p, s } from '../../ops/scalar.ts'
import { areAlike, meanOfSample, valuesLike } from '../per-sample.ts'
import type { LossRow } from './row.ts'
import { complaintOf, defineLoss } from './row.ts'

const [x, y] = [argument(0), argument(1)]

/** Huber 1964, of an error x: x^2 / 2 up to delta, a straight line of that slope beyond. */
const huberLoss = (delta: number) => {
  const near = s.min(s.abs(x), delta)
  return { f: s.mul(near, s.sub(s.abs(x), s.mul(0.5, near))), df: [s.max(s.min(x, delta), -delta)] }
}

/** log(cosh(x)) of an error x; near 0 by tanh, whose digits do not cancel. */
const logCosh = {
  f: s.select(
    s.less(s.abs(x), 1),
    s.mul(-0.5, log1p(s.neg(s.mul(s.tanh(x), s.tanh(x))))),
    s.add(s.abs(x), s.sub(log1p(s.exp(s.mul(-2, s.abs(x)))), Math.LN2)),
  ),
  df: [s.tanh(x)],
}

/** Keras's epsilon: the logarithm of an answer of 0 is finite. */
const EPSILON = 1e-7
const poisson = {
  f: s.sub(x, s.mul(y, s.log(s.add(x, EPSILON)))),
  df: [s.sub(1, s.div(y, s.add(x, EPSILON))), s.neg(s.log(s.add(x, EPSILON)))],
}

/** Targets that are numbers. */
const numberTargets = {
  head: 'linear',
  fits: ({ shape, dtype }, output) => dtype === 'float32' && areAlike(shape, output),
  needs: "float32 numbers of the outputs' shape",
  complaint: complaintOf('finite numbers', Number.isFinite),
} satisfies Partial<LossRow>

/** What all losses of a difference share: a loss of the error, element by element. */
const regression = <const T extends OptionTable>(
  row: Pick<LossRow<T>, 'says' | 'options' | 'follows'> & { of: (error: Node, options: Settled<T>) => Node },
): LossRow<T> => ({
  ...row,
  ...numberTargets,
  perSample: (logits, target, options) => meanOfSample(row.of(sub(logits, valuesLike(logits, target)), options)),
})

/** Rows of length 1; those shorter than 1e-6 become shorter than that, as in Keras. */
function unit(rows: Node): Node {
  const squares = sum(square(rows), { axes: [-1], keepDims: true })
  return mul(rows, elementwiseOps.rsqrt(maximum(squares, 1e-12)))
}

export const differences = {
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
  logCosh: regression({
    says: 'log(cosh(error)): squares of small errors, absolute values of large ones, without a bend.',
    options: {},
    of: (error) => expression('logCosh', [error], logCosh.f, logCosh.df),
  }),
  cosineSimilarity: defineLoss({
    says: 'Minus the cosine of the angle between answer and target, along the last axis: -1 for the same direction.',
    ...numberTargets,
    options: {},
    perSample: (logits, target) =>
      meanOfSample(neg(sum(mul(unit(logits), unit(valuesLike(logits, target))), { axes: [-1] }))),
  }),
  poisson: defineLoss({
    says: 'For counts: answer - target log(answer), the answers being rates above 0, as after exponential or softplus.',
    options: {},
    head: 'linear',
    fits: ({ shape }, output) => areAlike(shape, output),
    needs: "numbers >= 0 of the outputs' shape",
    complaint: complaintOf('a finite number >= 0', (count) => count >= 0 && count < Infinity),
    perSample: (logits, target) =>
      meanOfSample(expression('poisson', [logits, valuesLike(logits, target)], poisson.f, poisson.df)),
  }),
} as const
