/** Do answers that are given with a probability of 0.8 come true in 8 of 10 cases? */
import { integer } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { constant } from '../../graph/node.ts'
import { sizeOf } from '../../graph/shape.ts'
import { equal, expression, greater, maximum, sub } from '../../ops/elementwise.ts'
import { argmax, max } from '../../ops/reduction.ts'
import type { Scalar } from '../../ops/scalar.ts'
import { argument, s } from '../../ops/scalar.ts'
import { fitsDecisions, NEEDS_DECISIONS, noProbabilities } from './counts.ts'
import { column, pooled, scored } from './decisions.ts'
import type { Judged } from './row.ts'
import { classIndex, comparisonOf, defineSummed, saysYesOrNo } from './row.ts'
import { inBlocks, total, totalOf, totals } from './totals.ts'

/** The probability of what was decided for, and whether that is so: [rows, 1] each, with what a row counts for. */
function sureness(judged: Judged, weights: Node) {
  const { answer, target, logits } = judged
  if (!saysYesOrNo(comparisonOf(judged))) {
    const all = { samples: answer.shape[0], weights }
    return {
      ...all,
      confidence: column(max(answer, { axes: [-1] })),
      right: column(equal(argmax(logits), classIndex(target))),
    }
  }
  const { scores, truth, ...all } = pooled(scored(judged, weights))
  return { ...all, confidence: maximum(scores, sub(1, scores)), right: equal(greater(scores, 0.5), truth) }
}

const [value, isRight, weight, low, high] = [0, 1, 2, 3, 4].map(argument)
/** A bin has its upper end, not its lower one. */
const isIn = s.mul(s.less(low, value), s.lessEqual(value, high))

export const calibration = {
  /** Naeini et al. 2015; Guo et al. 2017: the mean distance of confidence and accuracy over bins, by how full they are. */
  expectedCalibrationError: defineSummed({
    says: 'Mean distance between the probability of what was decided for and how often that is right, over bins of probability.',
    better: 'less',
    options: { bins: integer({ says: 'bins of equal width from 0 to 1', min: 1, default: 15 }) },
    fits: fitsDecisions,
    needs: NEEDS_DECISIONS,
    misfit: (_, comparison) => noProbabilities(comparison),
    sums: (judged, weights, { bins }) => {
      const { confidence, right, ...all } = sureness(judged, weights)
      const operands = [confidence, right, column(all.weights)]
      return inBlocks({ count: bins, each: sizeOf(confidence.shape) }, (from, size) => {
        const endsOf = (first: number): Node =>
          constant(
            Float32Array.from({ length: size }, (_, i) => (first + i) / bins),
            [1, size],
          )
        const summed = (name: string, what: Scalar) =>
          totals(name, expression(name, [...operands, endsOf(from), endsOf(from + 1)], s.mul(isIn, what)), all)
        return {
          ...summed('count', weight),
          ...summed('confidence', s.mul(weight, value)),
          ...summed('right', s.mul(weight, isRight)),
        }
      })
    },
    value: (sums) => {
      const [count, confidence, right] = ['count', 'confidence', 'right'].map((name) => totalOf(sums, name))
      const all = total(count)
      return all === 0 ? 0 : total(confidence.map((sum, i) => Math.abs(sum - right[i]))) / all
    },
  }),
} as const
