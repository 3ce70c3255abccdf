/** Metrics over many thresholds: the area under a curve, and the best of one rate where another is high enough. */
import { choice, flag, integer, number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { constant } from '../../graph/node.ts'
import { reshape } from '../../ops/broadcasting.ts'
import { expression } from '../../ops/elementwise.ts'
import { argument, s } from '../../ops/scalar.ts'
import { fitsDecisions, NEEDS_DECISIONS, noProbabilities, noSuchClass } from './counts.ts'
import type { Scored } from './decisions.ts'
import { column, pooled, scored } from './decisions.ts'
import type { Judged, Sums } from './row.ts'
import { defineSummed } from './row.ts'
import { inBlocks, meanOf, ratio, totalOf, totals } from './totals.ts'

const numThresholds = integer({ says: 'thresholds from 0 to 1, evenly spaced', min: 2, default: 200 })
const classId = integer({ says: 'only this class or label', min: 0, optional: true })

/** 0 to 1, a little beyond both ends as in Keras, so that every answer is above the first and none above the last. */
const thresholdsOf = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => {
    const isEnd = i === 0 ? -1e-7 : i === count - 1 ? 1e-7 : 0
    return i / (count - 1) + isEnd
  })

const [score, isCounted, least] = [0, 1, 2].map(argument)
/** What a score above the threshold counts for. */
const above = s.mul(s.less(least, score), isCounted)

/** What is above each threshold, of those that are so and of the others: [thresholds, columns]; and all of both: [columns]. */
function curveSums(all: Scored, count: number): Record<string, Node> {
  const [rows, columns] = all.scores.shape
  const thresholds = thresholdsOf(count)
  const [truth, weights] = [argument(0), argument(1)]
  const [so, other] = [truth, s.sub(1, truth)].map((of) =>
    expression('counted', [all.truth, column(all.weights)], s.mul(of, weights)),
  )
  const sums = inBlocks({ count, each: rows * columns }, (from, size) => {
    const across = (x: Node): Node => reshape(x, { shape: [rows, 1, columns] })
    const ends = constant(thresholds.slice(from, from + size), [size, 1])
    const aboveOf = (name: string, counted: Node) =>
      totals(name, expression('above', [across(all.scores), across(counted), ends], above), all)
    return { ...aboveOf('truePositives', so), ...aboveOf('falsePositives', other) }
  })
  return { ...sums, ...totals('positives', so, all), ...totals('negatives', other, all) }
}

/** A curve of one class, label or all together, by falling numbers above the thresholds. */
interface Curve {
  readonly truePositives: Float64Array
  readonly falsePositives: Float64Array
  readonly positives: number
  readonly negatives: number
}

/** A curve per column. */
function curvesOf(sums: Sums): Curve[] {
  const [truePositives, falsePositives] = ['truePositives', 'falsePositives'].map((name) => totalOf(sums, name))
  const [positives, negatives] = ['positives', 'negatives'].map((name) => totalOf(sums, name))
  const columns = positives.length
  const own = (values: Float64Array, i: number): Float64Array => values.filter((_, at) => at % columns === i)
  return Array.from(positives, (_, i) => ({
    truePositives: own(truePositives, i),
    falsePositives: own(falsePositives, i),
    positives: positives[i],
    negatives: negatives[i],
  }))
}

type Summation = 'interpolation' | 'minoring' | 'majoring'

const sumOver = (count: number, of: (i: number) => number): number => {
  let total = 0
  for (let i = 0; i < count; i++) total += of(i)
  return total
}

/** The area under y over x, where x falls from one threshold to the next. */
const areaUnder = (x: Float64Array, y: Float64Array, how: Summation): number =>
  sumOver(x.length - 1, (i) => {
    const heights = {
      interpolation: (y[i] + y[i + 1]) / 2,
      minoring: Math.min(y[i], y[i + 1]),
      majoring: Math.max(y[i], y[i + 1]),
    }
    return (x[i] - x[i + 1]) * heights[how]
  })

const truePositiveRates = (curve: Curve): Float64Array =>
  curve.truePositives.map((hits) => ratio(hits, curve.positives))
const falsePositiveRates = (curve: Curve): Float64Array =>
  curve.falsePositives.map((wrong) => ratio(wrong, curve.negatives))
const precisions = ({ truePositives, falsePositives }: Curve): Float64Array =>
  truePositives.map((hits, i) => ratio(hits, hits + falsePositives[i]))

/**
 * Davis and Goadrich 2006, section 4: between two thresholds true and false positives grow in proportion, so that precision is
 * no straight line over recall. With p = truePositives + falsePositives, the integral of precision over recall from a to b is
 * slope (dtp + intercept log(p_a / p_b)) / positives.
 */
function interpolatedPrecision({ truePositives, falsePositives, positives }: Curve): number {
  const all = truePositives.map((hits, i) => hits + falsePositives[i])
  return sumOver(all.length - 1, (i) => {
    const gained = truePositives[i] - truePositives[i + 1]
    const slope = ratio(gained, all[i] - all[i + 1])
    const intercept = truePositives[i + 1] - slope * all[i + 1]
    const growth = all[i] > 0 && all[i + 1] > 0 ? Math.log(all[i] / all[i + 1]) : 0
    return ratio(slope * (gained + intercept * growth), positives)
  })
}

function areaOf(curve: Curve, kind: 'ROC' | 'PR', how: Summation): number {
  if (kind === 'ROC') return areaUnder(falsePositiveRates(curve), truePositiveRates(curve), how)
  return how === 'interpolation'
    ? interpolatedPrecision(curve)
    : areaUnder(truePositiveRates(curve), precisions(curve), how)
}

/** All classes and labels together, or each for itself. */
const columnsOf = (judged: Judged, weights: Node, isEach: boolean): Scored => {
  const all = scored(judged, weights)
  return isEach ? all : pooled(all)
}

/** The largest of one rate where another is at least `least`; 0 where it never is. */
const bestWhere = (rate: Float64Array, other: Float64Array, least: number): number =>
  rate.reduce((best, value, i) => (other[i] >= least ? Math.max(best, value) : best), 0)

const rates = {
  precision: precisions,
  recall: truePositiveRates,
  sensitivity: truePositiveRates,
  specificity: (curve: Curve) => falsePositiveRates(curve).map((rate) => 1 - rate),
}
type Rate = keyof typeof rates

/** One rate at the thresholds where another is high enough: `precisionAtRecall` has the option `recall`. */
const rateAt = <const A extends Rate>(rate: Rate, at: A, type: string) => {
  const least = number({ says: `${at} that must be reached`, min: 0, max: 1 })
  return defineSummed({
    says: `The highest ${rate} of all thresholds whose ${at} is high enough.`,
    better: 'more',
    options: { [at]: least, numThresholds, classId } as { readonly [N in A]: typeof least } & {
      readonly numThresholds: typeof numThresholds
      readonly classId: typeof classId
    },
    fits: fitsDecisions,
    needs: NEEDS_DECISIONS,
    misfit: (options, comparison) =>
      noProbabilities(comparison) ?? noSuchClass(options.classId as number | undefined, comparison),
    logName: (options) => (options.classId === undefined ? type : `${type}_${options.classId as number}`),
    sums: (judged, weights, options) =>
      curveSums(columnsOf(judged, weights, options.classId !== undefined), options.numThresholds as number),
    value: (sums, options) => {
      const curve = curvesOf(sums)[(options.classId as number | undefined) ?? 0]
      return bestWhere(rates[rate](curve), rates[at](curve), options[at] as number)
    },
  })
}

export const curves = {
  auc: defineSummed({
    says: 'Area under the curve of true over false positives (ROC), or of precision over recall (PR), by sums at thresholds.',
    better: 'more',
    options: {
      curve: choice(['ROC', 'PR'], { says: 'which curve', default: 'ROC' }),
      numThresholds,
      summationMethod: choice(['interpolation', 'minoring', 'majoring'], {
        says: 'between two thresholds: a line (for PR that of Davis and Goadrich 2006), the lower or the higher value',
        default: 'interpolation',
      }),
      multiLabel: flag({
        says: 'the mean of the areas of all classes or labels, not the area of all together',
        default: false,
      }),
      classId,
    },
    fits: fitsDecisions,
    needs: NEEDS_DECISIONS,
    misfit: (options, comparison) => noProbabilities(comparison) ?? noSuchClass(options.classId, comparison),
    logName: (options) => (options.classId === undefined ? 'auc' : `auc_${options.classId}`),
    sums: (judged, weights, options) =>
      curveSums(columnsOf(judged, weights, options.multiLabel || options.classId !== undefined), options.numThresholds),
    value: (sums, { curve: kind, summationMethod, classId }) => {
      const areas = curvesOf(sums).map((curve) => areaOf(curve, kind, summationMethod))
      return classId === undefined ? meanOf(areas) : areas[classId]
    },
  }),
  precisionAtRecall: rateAt('precision', 'recall', 'precisionAtRecall'),
  recallAtPrecision: rateAt('recall', 'precision', 'recallAtPrecision'),
  sensitivityAtSpecificity: rateAt('sensitivity', 'specificity', 'sensitivityAtSpecificity'),
  specificityAtSensitivity: rateAt('specificity', 'sensitivity', 'specificityAtSensitivity'),
} as const
