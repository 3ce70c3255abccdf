/** Metrics by Keras's names: one number per sample, averaged over samples. */
import { FoveaError } from '../base/errors.ts'
import type { Named, NamedRow, OptionTable, Settled } from '../base/options.ts'
import { integer, number, settleNamed } from '../base/options.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { sameShape, shapeText } from '../graph/shape.ts'
import { abs, equal, greater, less, lessEqual, select, square, sub, toFloat } from '../ops/elementwise.ts'
import { oneHot } from '../ops/indexing.ts'
import { argmax, sum } from '../ops/reduction.ts'
import type { Head } from './heads.ts'
import { areAlike, meanOfSample, valuesLike } from './per-sample.ts'

/** What a metric sees of an output: [n, ...] each. */
export interface Judged {
  readonly logits: Node
  /** What `predict` would say: the logits through the head. */
  readonly answer: Node
  readonly target: Node
  readonly head: Head
}

/** An output and what it is compared with. */
interface Comparison {
  readonly head: Head
  readonly output: Shape
  readonly target: TensorSpec
}

export interface MetricRow<T extends OptionTable = OptionTable> {
  readonly says: string
  readonly options: T
  readonly fits: (comparison: Comparison) => boolean
  readonly needs: string
  /** The name in logs, where it is another one. */
  readonly logName?: (options: Settled<T>) => string
  /** [n] */
  readonly perSample: (judged: Judged, options: Settled<T>) => Node
}
const define = <const T extends OptionTable>(row: MetricRow<T>): MetricRow<T> => row

/** One class index per sample, rather than a row. */
const isClassIndex = ({ dtype, shape }: TensorSpec): boolean => dtype === 'int32' && shape.length === 0

/** Rows of scores for more than one class, and a class index or such a row to meet. */
const tellsClasses = ({ output, target }: Comparison): boolean =>
  output.length === 1 && output[0] > 1 && (isClassIndex(target) || sameShape(target.shape, output))

const isElementwise = ({ output, target }: Comparison): boolean => areAlike(target.shape, output)

/** Of targets [n], or [n, classes]. */
const classIndex = (target: Node): Node => (target.shape.length === 1 ? target : argmax(toFloat(target)))

const largestIsRight = ({ logits, target }: Judged): Node => equal(argmax(logits), classIndex(target))
const sideIsRight = ({ answer, target }: Judged, threshold: number): Node =>
  meanOfSample(equal(greater(answer, threshold), greater(valuesLike(answer, target), 0.5)))

/** What all metrics of a difference share. */
const ofErrors = (says: string, of: (error: Node) => Node) =>
  define({
    says,
    options: {},
    fits: isElementwise,
    needs: "targets of the outputs' shape",
    perSample: ({ answer, target }) => meanOfSample(of(sub(answer, valuesLike(answer, target)))),
  })

export const metrics = {
  accuracy: define({
    says: 'Share that is right: the largest output, or the side of 0.5 where the loss is binaryCrossentropy.',
    options: {},
    fits: (comparison) => (comparison.head === 'sigmoid' ? isElementwise(comparison) : tellsClasses(comparison)),
    needs: 'classes: outputs [classes], or the loss binaryCrossentropy',
    perSample: (judged) => (judged.head === 'sigmoid' ? sideIsRight(judged, 0.5) : largestIsRight(judged)),
  }),
  binaryAccuracy: define({
    says: 'Share of answers that are on the right side of a threshold.',
    options: { threshold: number({ says: 'answers above it mean 1', default: 0.5 }) },
    fits: isElementwise,
    needs: "targets of the outputs' shape",
    perSample: (judged, { threshold }) => sideIsRight(judged, threshold),
  }),
  /** Ties count for the sample, as in TensorFlow's in_top_k: only larger outputs rank above the right class. */
  topKAccuracy: define({
    says: 'Share of samples with fewer than k outputs larger than that of the right class.',
    options: { k: integer({ says: 'places that count as right', min: 1, default: 5 }) },
    fits: tellsClasses,
    needs: 'outputs [classes]',
    logName: ({ k }) => `top${k}Accuracy`,
    perSample: ({ logits, target }, { k }) => {
      const classes = logits.shape[1]
      const own = sum(select(oneHot(classIndex(target), { depth: classes }), logits, 0), { axes: [-1], keepDims: true })
      const notLarger = sum(lessEqual(logits, own), { axes: [-1] }) // none where it is NaN
      return less(sub(classes, notLarger), k)
    },
  }),
  meanSquaredError: ofErrors('Mean of the squares of the errors.', square),
  meanAbsoluteError: ofErrors('Mean of the absolute errors.', abs),
} as const

export type MetricName = keyof typeof metrics
export const metricNames = Object.keys(metrics) as MetricName[]

/** A metric as a user gives it: its name, or its name with options. Plain JSON. */
export type Metric = Named<typeof metrics>

/** A checked metric: plain data. */
export type SettledMetric = NamedRow<MetricName>

/** The metric with all its options; throws E_OPTION for an unknown name or option. */
export const settleMetric = (given: Metric): SettledMetric => settleNamed(metrics, given, 'metric')

const rowOf = ({ type }: SettledMetric): MetricRow => metrics[type] as unknown as MetricRow

/** The name under which a metric is logged. */
export const metricLogName = (metric: SettledMetric): string => rowOf(metric).logName?.(metric.options) ?? metric.type

/** Metrics per sample: [n]. */
export const metricPerSample = (metric: SettledMetric, judged: Judged): Node =>
  rowOf(metric).perSample(judged, metric.options)

/** What is measured when nothing is asked for. */
const followingFrom: { readonly [H in Head]: MetricName } = {
  softmax: 'accuracy',
  sigmoid: 'accuracy',
  linear: 'meanAbsoluteError',
}

/** The metrics asked for, each checked against its output; or the one that follows from the head. */
export function chooseMetrics(
  asked: readonly Metric[] | undefined,
  comparison: Comparison,
  where: string,
): SettledMetric[] {
  const chosen = (asked ?? [followingFrom[comparison.head]]).map(settleMetric)
  for (const metric of chosen) {
    const { fits, needs } = rowOf(metric)
    if (fits(comparison)) continue
    const { head, output, target } = comparison
    throw new FoveaError('E_MISMATCH', {
      what: `${metric.type} does not fit the output`,
      where,
      expected: needs,
      got: `${target.dtype} ${shapeText(target.shape)} targets, ${shapeText(output)} outputs, head ${head}`,
      hint: `the one that fits is ${followingFrom[head]}; for several outputs give metrics by name of output`,
    })
  }
  return chosen
}
