/** Metrics by Keras's names. What a metric is: metrics/row.ts. */
import { FoveaError } from '../base/errors.ts'
import type { Named, NamedRow } from '../base/options.ts'
import { settleNamed, text, withCommon } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { shapeText } from '../graph/shape.ts'
import type { Head } from './heads.ts'
import { agreement } from './metrics/agreement.ts'
import { calibration } from './metrics/calibration.ts'
import { counts } from './metrics/counts.ts'
import { curves } from './metrics/curves.ts'
import { means } from './metrics/means.ts'
import { regression } from './metrics/regression.ts'
import type { Comparison, Judged, MetricRow, Sums } from './metrics/row.ts'

const rows = { ...means, ...counts, ...curves, ...agreement, ...calibration, ...regression } as const

const name = text({ says: 'the name in logs, where another one is wanted', filled: true, without: '/', optional: true })
/** What stands beside logs in the record of an epoch. */
const taken = ['epoch', 'seconds', 'samples', 'learningRate']
const conflict = ({ name = '' }: { readonly name: string | undefined }) =>
  taken.includes(name) || /^val(_|$)/.test(name) ? { what: `a metric cannot have the name '${name}'` } : undefined

export const metrics = withCommon(rows, () => ({ name }), conflict)

export type MetricName = keyof typeof metrics

/** A metric as a user gives it: its name, or its name with options. Plain JSON. */
export type Metric = Named<typeof metrics>

/** A checked metric: plain data. */
export type SettledMetric = NamedRow<MetricName>

/** The metric with all its options; throws E_OPTION for an unknown name or option. */
export const settleMetric = (given: Metric): SettledMetric => settleNamed(metrics, given, 'metric')

const rowOf = ({ type }: SettledMetric): MetricRow => metrics[type] as unknown as MetricRow

/** The name under which a metric is logged. */
export const metricLogName = (metric: SettledMetric): string =>
  (metric.options['name'] as string | undefined) ?? rowOf(metric).logName?.(metric.options) ?? metric.type

/** Is more of a metric better, or less? */
export const isMoreBetter = (metric: SettledMetric): boolean => rowOf(metric).better === 'more'

/** Metrics per sample, [n], where a metric is their mean; undefined for others. */
export function metricPerSample(metric: SettledMetric, judged: Judged): Node | undefined {
  const row = rowOf(metric)
  return 'perSample' in row ? row.perSample(judged, metric.options) : undefined
}

/** Sums over a batch, by name, from which a metric that is no mean follows; a sample counts for `weights` [n]. */
export function metricSums(metric: SettledMetric, judged: Judged, weights: Node): Readonly<Record<string, Node>> {
  const row = rowOf(metric)
  return 'sums' in row ? row.sums(judged, weights, metric.options) : {}
}

/** What follows from such sums over all batches; undefined for a mean over samples. */
export function metricValue(metric: SettledMetric): ((sums: Sums) => number) | undefined {
  const row = rowOf(metric)
  return 'value' in row ? (sums) => row.value(sums, metric.options) : undefined
}

/** What is measured when nothing is asked for. */
const followingFrom: { readonly [H in Head]: MetricName } = {
  softmax: 'accuracy',
  sigmoid: 'accuracy',
  linear: 'meanAbsoluteError',
}

const following = ({ head, judgedBy }: Judgement): MetricName => judgedBy ?? followingFrom[head]

/** An output as its loss leaves it. */
export interface Judgement extends Comparison {
  /** What is measured when nothing is asked for, where that does not follow from the head. */
  readonly judgedBy?: 'accuracy' | undefined
}

/** The metrics asked for, each checked against its output; or the one that follows from the loss. */
export function chooseMetrics(
  asked: readonly Metric[] | undefined,
  judgement: Judgement,
  where: string,
): SettledMetric[] {
  const chosen = (asked ?? [following(judgement)]).map(settleMetric)
  for (const metric of chosen) check(metric, judgement, where)
  return chosen
}

function check(metric: SettledMetric, judgement: Judgement, where: string): void {
  const { fits, needs, misfit } = rowOf(metric)
  const { head, output, target } = judgement
  const got = `${target.dtype} ${shapeText(target.shape)} targets, ${shapeText(output)} outputs, head ${head}`
  if (!fits(judgement)) {
    const hint = `the one that fits is ${following(judgement)}; for several outputs give metrics by name of output`
    throw new FoveaError('E_MISMATCH', {
      what: `${metric.type} does not fit the output`,
      where,
      expected: needs,
      got,
      hint,
    })
  }
  const wrong = misfit?.(metric.options, judgement)
  if (wrong !== undefined)
    throw new FoveaError('E_MISMATCH', { what: `${metric.type}: there is no ${wrong}`, where, got })
}
