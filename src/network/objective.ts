/** What a network is trained for and judged by: a loss and metrics per output, matched with the fields of a dataset. */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { choice, either, list, named, record } from '../base/options.ts'
import type { Dataset, Fields } from '../data/dataset.ts'
import type { Node } from '../graph/node.ts'
import { input } from '../graph/node.ts'
import { sameShape, shapeText } from '../graph/shape.ts'
import type { ActivationName } from '../nn/activations.ts'
import type { Head } from '../nn/heads.ts'
import { endOf, heads, logitsOf } from '../nn/heads.ts'
import type { Loss, LossName, SettledLoss } from '../nn/losses.ts'
import { chooseLoss, losses, lossNames, lossPerSample, lossRow } from '../nn/losses.ts'
import type { Metric, SettledMetric } from '../nn/metrics.ts'
import { chooseMetrics, metricLogName, metricPerSample, metrics } from '../nn/metrics.ts'
import { weighed } from '../nn/per-sample.ts'
import { add, div, mul, select } from '../ops/elementwise.ts'
import { sum } from '../ops/reduction.ts'
import type { Network } from './network.ts'
import { forward, networkVariables } from './network.ts'

/** A loss for all outputs, or one per output by name. */
export type LossChoice = Loss | Readonly<Record<string, Loss>>
/** Metrics for all outputs, or lists per output by name. */
export type MetricsChoice = readonly Metric[] | Readonly<Record<string, readonly Metric[]>>

/** A loss of its own, `{ type, ... }`, rather than losses by name of output. */
function isOneLoss(value: LossChoice): value is Loss {
  if (typeof value === 'string') return true
  const { type, ...rest } = value as Readonly<Record<string, unknown>>
  // an output may be called 'type': then the others have losses too, which no option is
  return typeof type === 'string' && !Object.values(rest).some(isLoss)
}
const isLoss = (value: unknown): boolean =>
  lossNames.includes(value as LossName) || typeof (value as { type?: unknown } | null | undefined)?.type === 'string'

const loss = named(losses, { says: 'a loss', what: 'loss' })
const metricList = list(named(metrics, { says: 'a metric', what: 'metric' }), { says: 'metrics' })

/** What a model is trained for and judged by: options of `fit` and `evaluate`, kept with the model. */
export const objectiveOptions = {
  loss: either([loss, record(loss, { says: 'losses', keys: 'output' })], {
    says: 'what is minimised, for all outputs or by name of output; follows from the targets when absent',
    optional: true,
  }),
  metrics: either([metricList, record(metricList, { says: 'lists', keys: 'output' })], {
    says: 'what is measured besides the loss, for all outputs or by name of output; follows from the loss when absent',
    optional: true,
  }),
  lossReduction: choice(['sumOverBatchSize', 'meanWithSampleWeight'], {
    says: 'weighted losses are divided by the number of samples (Keras) or by the sum of the weights (PyTorch)',
    default: 'sumOverBatchSize',
  }),
}
export type ObjectiveOptions = Options<typeof objectiveOptions>

/** What one output is trained for and judged by. */
interface Term {
  readonly output: string
  /** The dataset's field. */
  readonly target: string
  readonly loss: SettledLoss
  readonly metrics: readonly SettledMetric[]
}

/** Plain data: it is part of a program's key. */
export interface Objective {
  /** The dataset's field for every input of the network. */
  readonly inputs: Readonly<Record<string, string>>
  readonly terms: readonly Term[]
  readonly lossReduction: NonNullable<ObjectiveOptions['lossReduction']>
}

/** Pairs names: equal ones, or the only one with the only one. */
function pair(wanted: readonly string[], fields: Fields, what: string, where: string): Record<string, string> {
  const given = Object.keys(fields)
  if (wanted.length === 1 && given.length === 1) return { [wanted[0]]: given[0] }
  const missing = wanted.find((name) => !given.includes(name))
  if (missing === undefined) return Object.fromEntries(wanted.map((name) => [name, name]))
  throw new FoveaError('E_MISMATCH', {
    what: `the data has no ${what} '${missing}'`,
    where,
    expected: wanted.join(', '),
    got: given.join(', '),
  })
}

const outputShape = (network: Network, output: string) => network.calls[network.outputs[output]].shape

const ends = new WeakMap<Network, Record<string, ActivationName>>()

/** The activation that every output ends in, by the forward graph of one sample. */
function endsOf(network: Network): Record<string, ActivationName> {
  const known = ends.get(network)
  if (known) return known
  const inputs = Object.entries(network.inputs).map(([name, shape]) => [name, input(name, [1, ...shape])])
  const context = { mode: 'infer', key: input('key', [4], 'int32') } as const
  const { outputs } = forward(network, networkVariables(network), Object.fromEntries(inputs), context)
  const found = Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, endOf(output)]))
  ends.set(network, found)
  return found
}

/** Fields for the inputs, their shapes checked. */
export function pairInputs(network: Network, fields: Fields, where: string): Record<string, string> {
  const inputs = pair(Object.keys(network.inputs), fields, 'input', where)
  for (const [name, field] of Object.entries(inputs)) {
    const expected = network.inputs[name]
    if (sameShape(expected, fields[field].shape)) continue
    throw new FoveaError('E_SHAPE', {
      what: `the samples do not fit the model's input '${name}'`,
      where,
      expected: shapeText(expected),
      got: shapeText(fields[field].shape),
      hint: 'change the inputShape of the model, or put a reshape layer first',
    })
  }
  return inputs
}

/** What is said of an output, by one for all or by name. */
function saidOf<T>(said: T | Readonly<Record<string, T>> | undefined, isOneForAll: boolean, output: string) {
  if (said === undefined || isOneForAll) return said as T | undefined
  const byName = said as Readonly<Record<string, T>>
  return Object.hasOwn(byName, output) ? byName[output] : undefined
}

/** Matches a network with the fields of a dataset. */
export function objectiveFor(
  network: Network,
  data: Pick<Dataset, 'inputs' | 'targets' | 'name'>,
  { loss, metrics, lossReduction = 'sumOverBatchSize' }: ObjectiveOptions = {},
): Objective {
  const inputs = pairInputs(network, data.inputs, data.name)
  const isOneForAll = { loss: loss !== undefined && isOneLoss(loss), metrics: Array.isArray(metrics) }
  for (const [option, said] of Object.entries({ loss, metrics })) {
    if (said === undefined || isOneForAll[option as 'loss']) continue
    const stray = Object.keys(said).find((name) => !Object.hasOwn(network.outputs, name))
    const expected = Object.keys(network.outputs).join(', ')
    if (stray !== undefined)
      throw new FoveaError('E_OPTION', { what: `'${option}' names no output of the model`, expected, got: stray })
  }
  const targets = pair(Object.keys(network.outputs), data.targets, 'target', data.name)
  const terms = Object.entries(targets).map(([output, target]) => {
    const [spec, shape, where] = [data.targets[target], outputShape(network, output), `${data.name}: ${target}`]
    const asked = saidOf<Loss>(loss, isOneForAll.loss, output)
    const chosen = chooseLoss(asked, spec, { shape, end: asked ? 'linear' : endsOf(network)[output] }, where)
    const place = { head: lossRow(chosen).head, output: shape, target: spec }
    const wanted = saidOf<readonly Metric[]>(metrics, isOneForAll.metrics, output)
    return { output, target, loss: chosen, metrics: chooseMetrics(wanted, place, where) }
  })
  return { inputs, terms, lossReduction }
}

/** What turns each output's logits into answers. */
export const headsOf = ({ terms }: Objective): Record<string, Head> =>
  Object.fromEntries(terms.map(({ output, loss }) => [output, lossRow(loss).head]))

/**
 * What the answers of each output are: probabilities where the loss has made them so, where the network ends in softmax, and
 * where it ends in sigmoid and has not learned anything else.
 */
export function headsOfAnswers(network: Network, known: Readonly<Record<string, Head>>): Record<string, Head> {
  const headOf = (output: string): Head => {
    const head = Object.hasOwn(known, output) ? known[output] : undefined
    if (head === 'softmax' || head === 'sigmoid') return head
    const end = endsOf(network)[output]
    return end === 'softmax' || (end === 'sigmoid' && head === undefined) ? end : 'linear'
  }
  return Object.fromEntries(Object.keys(network.outputs).map((output) => [output, headOf(output)]))
}

/** What samples count for, as inputs of a program: [n] each. */
export interface SampleWeights {
  /** In the loss: sample and class weights; 0 for a sample that is not there. */
  readonly weights: Node
  /** In metrics: 1 for a sample that is there, 0 for one that only fills the batch. */
  readonly present: Node
}

/** The name of the sum by which another is divided; no log is called so. */
export const divisorOf = (name: string): string => `${name}/weight`
export const isDivisor = (name: string): boolean => name.endsWith(divisorOf(''))

/** A log of one of several outputs: `digit_loss`; `val/loss` for one called `val`, since `val_loss` is that of validation. */
const outputLog = (output: string, log: string): string => `${output}${/^val(_|$)/.test(output) ? '/' : '_'}${log}`

/**
 * Sums over a batch as nodes, by the names that logs use: `loss`, `accuracy`; with several outputs also `digit_loss`,
 * `digit_accuracy`. Losses are weighted, metrics are not. A mean is the sum `name` over the sum `name/weight`, or where
 * there is none over the number of samples that are present: `meanLoss` within a step, `Tally` over many.
 */
export function measures(
  { terms, lossReduction }: Objective,
  outputs: Readonly<Record<string, Node>>,
  targets: Readonly<Record<string, Node>>,
  { weights, present }: SampleWeights,
): Record<string, Node> & { readonly loss: Node } {
  const result: Record<string, Node> = {}
  const addLoss = (name: string, value: Node): void => {
    result[name] = value
    if (lossReduction === 'meanWithSampleWeight') result[divisorOf(name)] = sum(weights)
  }
  const logOf = (output: string, log: string) => (terms.length > 1 ? outputLog(output, log) : log)
  let total: Node | undefined
  for (const { output, target, loss, metrics } of terms) {
    const { head } = lossRow(loss)
    const logits = logitsOf(outputs[output], head)
    const judged = { logits, answer: heads[head](logits), target: targets[target], head }
    const own = sum(weighed(weights, lossPerSample(loss, logits, targets[target])))
    total = total ? add(total, own) : own
    if (terms.length > 1) addLoss(outputLog(output, 'loss'), own)
    for (const metric of metrics)
      result[logOf(output, metricLogName(metric))] = sum(mul(metricPerSample(metric, judged), present))
  }
  addLoss('loss', total as Node)
  return result as Record<string, Node> & { readonly loss: Node }
}

/** The loss that a step minimises: the mean over a batch of `size` samples; 0 where all weights are 0. */
export function meanLoss(sums: ReturnType<typeof measures>, size: number): Node {
  const weight = sums[divisorOf('loss')]
  return weight ? div(sums.loss, select(weight, weight, 1)) : mul(sums.loss, 1 / size)
}

/** What is added to the mean loss: penalties on weights, a scalar, and on what layers give, [n]. */
interface Penalties {
  readonly weights: Node | undefined
  readonly samples: Node | undefined
  readonly present: Node
}

/** The sums with penalties added to the loss of every sample, so that the mean has them once; samples that only fill the batch have none. */
export function penalised(
  sums: ReturnType<typeof measures>,
  { weights, samples, present }: Penalties,
): ReturnType<typeof measures> {
  if (!weights && !samples) return sums
  const [divisor, count] = [sums[divisorOf('loss')], sum(present)]
  const total = samples && sum(weighed(present, samples))
  // where the divisor is not the number of samples, the mean is taken before
  const own = total && (divisor ? mul(div(total, count), divisor) : total)
  const shared = weights && mul(weights, divisor ?? count)
  return { ...sums, loss: [own, shared].reduce<Node>((loss, part) => (part ? add(loss, part) : loss), sums.loss) }
}
