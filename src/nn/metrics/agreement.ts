/** The confusion matrix, and how far answers and truth agree beyond chance. */
import { choice, number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { mul } from '../../ops/elementwise.ts'
import { gatherGradient } from '../../ops/indexing.ts'
import { fitsDecisions, NEEDS_DECISIONS } from './counts.ts'
import { column, decided, pooled, scored } from './decisions.ts'
import type { Judged, Sums } from './row.ts'
import { classIndex, comparisonOf, defineSummed, saysYesOrNo } from './row.ts'
import { ratio, total, totalOf, totals } from './totals.ts'

/** Rows are the true classes, columns the ones decided for. */
export interface Confusion {
  readonly classes: number
  /** Row by row. */
  readonly counts: Float64Array
}

/** Sums that `confusionOf` reads: of classes the matrix itself, of yes and no what makes one of two classes. */
export function confusionSums(judged: Judged, weights: Node, threshold?: number): Record<string, Node> {
  const all = scored(judged, weights)
  const chosen = decided(judged, all, { threshold })
  if (!saysYesOrNo(comparisonOf(judged))) {
    const rows = mul(chosen, column(all.weights)) // [n, classes]
    return { matrix: gatherGradient(rows, classIndex(judged.target), { rows: chosen.shape[1] }) }
  }
  const one = pooled({ ...all, scores: chosen })
  const count = column(one.weights)
  return {
    ...totals('hits', mul(mul(one.scores, one.truth), count), one),
    ...totals('decided', mul(one.scores, count), one),
    ...totals('support', mul(one.truth, count), one),
    ...totals('count', count, one),
  }
}

export function confusionOf(sums: Sums): Confusion {
  if ('matrix' in sums) {
    const counts = totalOf(sums, 'matrix')
    return { classes: Math.sqrt(counts.length), counts }
  }
  const [hits, decided, support, count] = ['hits', 'decided', 'support', 'count'].map((name) => totalOf(sums, name)[0])
  return { classes: 2, counts: Float64Array.of(count - support - decided + hits, decided - hits, support - hits, hits) }
}

/** Sums of rows and columns: how many are of each class, and how many were decided for each. */
export function marginsOf({ classes, counts }: Confusion): {
  readonly support: Float64Array
  readonly decided: Float64Array
} {
  const [support, decided] = [new Float64Array(classes), new Float64Array(classes)]
  counts.forEach((count, at) => {
    support[Math.floor(at / classes)] += count
    decided[at % classes] += count
  })
  return { support, decided }
}

/** How many were right. */
export const rightOf = ({ classes, counts }: Confusion): number =>
  total(Array.from({ length: classes }, (_, i) => counts[i * classes + i]))

const distances = {
  none: (i: number, j: number) => (i === j ? 0 : 1),
  linear: (i: number, j: number) => Math.abs(i - j),
  quadratic: (i: number, j: number) => (i - j) ** 2,
}

/** Cohen 1960, 1968: 1 - observed / expected disagreement; 0 where no disagreement can be expected. */
function kappaOf(confusion: Confusion, weighting: keyof typeof distances): number {
  const { classes, counts } = confusion
  const { support, decided } = marginsOf(confusion)
  const all = total(counts)
  let [observed, expected] = [0, 0]
  counts.forEach((count, at) => {
    const [i, j] = [Math.floor(at / classes), at % classes]
    const distance = distances[weighting](i, j)
    observed += distance * count
    expected += ratio(distance * support[i] * decided[j], all)
  })
  return expected === 0 ? 0 : 1 - observed / expected
}

/** Gorodkin 2004, the correlation of several classes; of two it is that of Matthews 1975. */
function correlationOf(confusion: Confusion): number {
  const { support, decided } = marginsOf(confusion)
  const all = total(confusion.counts)
  const dot = (a: Float64Array, b: Float64Array): number => total(a.map((x, i) => x * b[i]))
  const spread = (a: Float64Array): number => all * all - dot(a, a)
  return ratio(rightOf(confusion) * all - dot(support, decided), Math.sqrt(spread(support) * spread(decided)))
}

const threshold = number({
  says: 'answers above it say yes; those of several classes go by the largest',
  optional: true,
})

export const agreement = {
  cohenKappa: defineSummed({
    says: "Cohen's kappa: agreement beyond chance; 1 where all is right, 0 by chance.",
    better: 'more',
    options: {
      weighting: choice(['none', 'linear', 'quadratic'], {
        says: 'what a confusion counts for: 1, the distance of the classes, or its square',
        default: 'none',
      }),
      threshold,
    },
    fits: fitsDecisions,
    needs: NEEDS_DECISIONS,
    sums: (judged, weights, options) => confusionSums(judged, weights, options.threshold),
    value: (sums, { weighting }) => kappaOf(confusionOf(sums), weighting),
  }),
  matthewsCorrelation: defineSummed({
    says: 'Correlation of answers and truth, -1 to 1, which counts all classes alike, rare as they may be.',
    better: 'more',
    options: { threshold },
    fits: fitsDecisions,
    needs: NEEDS_DECISIONS,
    sums: (judged, weights, options) => confusionSums(judged, weights, options.threshold),
    value: (sums) => correlationOf(confusionOf(sums)),
  }),
} as const
