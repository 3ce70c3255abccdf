/** Metrics of numbers that are no means over samples. */
import { choice } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { sizeOf } from '../../graph/shape.ts'
import { reshape } from '../../ops/broadcasting.ts'
import { div, expression, mul, select, square, sub } from '../../ops/elementwise.ts'
import { sum } from '../../ops/reduction.ts'
import { argument, s } from '../../ops/scalar.ts'
import { meanOfSample, valuesLike, weighed } from '../per-sample.ts'
import { repeated } from './decisions.ts'
import type { Judged, Sums } from './row.ts'
import { defineSummed, isElementwise } from './row.ts'
import { meanOf, ratio, total, totalOf } from './totals.ts'

const NEEDS = "targets of the outputs' shape"
const [first, second] = [argument(0), argument(1)]

/** x rounded to 12 bits (Veltkamp 1968), so that products with whole numbers up to 4096, and with itself, are exact. */
const shortened = s.sub(s.mul(4097, first), s.sub(s.mul(4097, first), first))

/**
 * What the sum and the sum of squares of y follow from, [rows, columns] -> [columns] each. Both are taken about a short number
 * near the mean of the batch: y^2 itself would leave no digits of a small spread far from 0.
 */
function momentSums(y: Node, weights: Node): Record<string, Node> {
  const over = (x: Node): Node => sum(weighed(weights, x), { axes: [0] })
  const count = sum(weights)
  const mean = div(over(y), select(count, count, 1))
  const pivot = expression('pivot', [mean], shortened)
  const away = sub(y, pivot)
  const tilt = over(away)
  const whole = square(pivot)
  const high = expression('high', [whole], shortened)
  return {
    count,
    shift: mul(count, pivot),
    tilt,
    spread: over(square(away)),
    bent: mul(pivot, tilt),
    high: mul(count, high),
    low: mul(count, sub(whole, high)),
  }
}

/** Sums of squared distances from the mean, per column. */
function variationOf(sums: Sums): Float64Array {
  const [[count], shift, tilt, spread, bent, high, low] = [
    ...['count', 'shift', 'tilt', 'spread', 'bent', 'high', 'low'],
  ].map((name) => totalOf(sums, name))
  return spread.map((own, i) => own + 2 * bent[i] + high[i] + low[i] - ratio((shift[i] + tilt[i]) ** 2, count))
}

function inColumns({ answer, target }: Judged, weights: Node) {
  const columns = answer.shape.at(-1) as number
  const shape = [sizeOf(answer.shape) / columns, columns]
  const y = reshape(valuesLike(answer, target), { shape })
  const counts = reshape(repeated(weights, shape[0] / answer.shape[0]), { shape: [shape[0], 1] })
  return { x: reshape(answer, { shape }), y, counts }
}

/** 1 - errors / variation; where nothing varies 1 for no error, else 0. */
const determined = (errors: number, variation: number): number =>
  variation > 0 ? 1 - errors / variation : errors === 0 ? 1 : 0

export const regression = {
  rootMeanSquaredError: defineSummed({
    says: 'Root of the mean of the squares of the errors.',
    better: 'less',
    options: {},
    fits: isElementwise,
    needs: NEEDS,
    sums: ({ answer, target }, weights) => ({
      squares: sum(weighed(weights, meanOfSample(square(sub(answer, valuesLike(answer, target)))))),
      count: sum(weights),
    }),
    value: ({ squares, count }) => Math.sqrt(ratio(squares[0], count[0])),
  }),
  r2Score: defineSummed({
    says: 'Share of the variation of the targets that the answers explain: 1 at best, 0 for their mean.',
    better: 'more',
    options: {
      classAggregation: choice(['uniformAverage', 'varianceWeightedAverage', 'sum'], {
        says: 'of several outputs: the mean of their scores, the mean weighted by how much they vary, or the sum',
        default: 'uniformAverage',
      }),
    },
    fits: isElementwise,
    needs: NEEDS,
    sums: (judged, weights) => {
      const { x, y, counts } = inColumns(judged, weights)
      const error = expression('squaredError', [x, y], s.mul(s.sub(first, second), s.sub(first, second)))
      return { errors: sum(weighed(counts, error), { axes: [0] }), ...momentSums(y, counts) }
    },
    value: (sums, { classAggregation }) => {
      const [errors, variation] = [totalOf(sums, 'errors'), variationOf(sums)]
      const scores = errors.map((own, i) => determined(own, variation[i]))
      if (classAggregation === 'sum') return total(scores)
      if (classAggregation === 'uniformAverage') return meanOf(scores)
      return ratio(total(scores.map((own, i) => own * variation[i])), total(variation))
    },
  }),
} as const
