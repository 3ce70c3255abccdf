/** Precision, recall and F-scores: by counts of what was decided and what is so, per class or label. */
import type { Settled } from '../../base/options.ts'
import { choice, integer, number } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { mul } from '../../ops/elementwise.ts'
import type { Rule } from './decisions.ts'
import { column, decided, scored } from './decisions.ts'
import type { Comparison, Judged, Sums } from './row.ts'
import { defineSummed, isElementwise, tellsClasses } from './row.ts'
import { meanOf, ratio, total, totalOf, totals } from './totals.ts'

/** Of one class or label, or of several: how many were decided for it and right, decided for it, and are of it. */
export interface Counts {
  readonly hits: number
  readonly decided: number
  readonly support: number
}

export const precisionOf = ({ hits, decided }: Counts): number => ratio(hits, decided)
export const recallOf = ({ hits, support }: Counts): number => ratio(hits, support)
/** (1 + beta^2) precision recall / (beta^2 precision + recall). */
export const fBetaOf = ({ hits, decided, support }: Counts, beta = 1): number =>
  ratio((1 + beta * beta) * hits, beta * beta * support + decided)

const scoreOptions = {
  average: choice(['macro', 'micro', 'weighted'], {
    says: 'over classes or labels: the mean of theirs, that of all counts together, or the mean weighted by support',
    default: 'macro',
  }),
  classId: integer({ says: 'only this class or label', min: 0, optional: true }),
  threshold: number({
    says: 'answers above it are decided for; when absent the largest of several classes, or above 0.5',
    optional: true,
  }),
  topK: integer({ says: 'the so many largest answers are decided for', min: 1, optional: true }),
}
type ScoreOptions = Settled<typeof scoreOptions>

/** What is wrong with a class that there is not. */
export function noSuchClass(classId: number | undefined, { output }: Comparison): string | undefined {
  const classes = output.at(-1) ?? 1
  return classId === undefined || classId < classes ? undefined : `classId ${classId} of ${classes} classes`
}

/** What compares answers with rates from 0 to 1 has no use for others. */
export const noProbabilities = ({ yesAbove }: Comparison): string | undefined =>
  yesAbove === 0 ? 'answers of a hinge loss, which are no probabilities' : undefined

export const fitsDecisions = (comparison: Comparison): boolean => tellsClasses(comparison) || isElementwise(comparison)
export const NEEDS_DECISIONS = "classes: outputs [classes], or yes and no of the outputs' shape"

/** Sums that `countsOf` reads, per class or label. */
export function countSums(judged: Judged, weights: Node, options: Rule = {}): Record<string, Node> {
  const all = scored(judged, weights)
  const [chosen, counts] = [decided(judged, all, options), column(all.weights)]
  return {
    ...totals('hits', mul(mul(chosen, all.truth), counts), all),
    ...totals('decided', mul(chosen, counts), all),
    ...totals('support', mul(all.truth, counts), all),
  }
}

/** Of every class or label. */
export function countsOf(sums: Sums): Counts[] {
  const [hits, decided, support] = ['hits', 'decided', 'support'].map((name) => totalOf(sums, name))
  return Array.from(hits, (_, i) => ({ hits: hits[i], decided: decided[i], support: support[i] }))
}

export type Average = ScoreOptions['average']

/** A score of all classes as one number. */
export function averaged(all: readonly Counts[], average: Average, score: (counts: Counts) => number): number {
  const sumOf = (of: keyof Counts): number => total(all.map((counts) => counts[of]))
  if (average === 'micro') return score({ hits: sumOf('hits'), decided: sumOf('decided'), support: sumOf('support') })
  if (average === 'macro') return meanOf(all.map(score))
  return ratio(total(all.map((counts) => score(counts) * counts.support)), sumOf('support'))
}

function scoreOf(sums: Sums, { average, classId }: ScoreOptions, score: (counts: Counts) => number): number {
  const all = countsOf(sums)
  return classId === undefined ? averaged(all, average, score) : score(all[classId])
}

const scoreRow = (type: string, says: string, score: (counts: Counts) => number) =>
  defineSummed({
    says,
    better: 'more',
    options: scoreOptions,
    fits: fitsDecisions,
    needs: NEEDS_DECISIONS,
    misfit: ({ classId }, comparison) => noSuchClass(classId, comparison),
    logName: ({ classId }) => (classId === undefined ? type : `${type}_${classId}`),
    sums: countSums,
    value: (sums, options) => scoreOf(sums, options, score),
  })

export const counts = {
  precision: scoreRow('precision', 'Share of what was decided for that is so; 0 where nothing was.', precisionOf),
  recall: scoreRow('recall', 'Share of what is so that was decided for; 0 where nothing is.', recallOf),
  f1Score: scoreRow('f1Score', 'Harmonic mean of precision and recall.', (counts) => fBetaOf(counts)),
  fBetaScore: defineSummed({
    ...scoreRow('fBetaScore', 'F-score in which recall counts beta times as much as precision.', fBetaOf),
    options: {
      ...scoreOptions,
      beta: number({ says: 'what recall counts for beside precision', min: 0, ends: 'open', default: 1 }),
    },
    value: (sums, options) => scoreOf(sums, options, (counts) => fBetaOf(counts, options.beta)),
  }),
} as const
