/** What a network is trained for and judged by: a loss and metrics per output, matched with the fields of a dataset. */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { choice, either, list, named, number, record } from '../base/options.ts'
import type { Dataset, Fields } from '../data/dataset.ts'
import { input } from '../graph/node.ts'
import { sameShape, shapeText } from '../graph/shape.ts'
import type { ActivationName } from '../nn/activations.ts'
import type { Head } from '../nn/heads.ts'
import { endOf } from '../nn/heads.ts'
import type { Loss, LossName, SettledLoss } from '../nn/losses.ts'
import { chooseLoss, losses, lossNames, lossRow } from '../nn/losses.ts'
import { decides, saysYesOrNo } from '../nn/metrics/row.ts'
import type { Metric, SettledMetric } from '../nn/metrics.ts'
import { chooseMetrics, metrics } from '../nn/metrics.ts'
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
  weightedMetrics: either([metricList, record(metricList, { says: 'lists', keys: 'output' })], {
    says: 'what is measured with each sample counting for its weight, for all outputs or by name of output',
    optional: true,
  }),
  lossWeights: record(number({ says: 'a factor' }), {
    says: "what each output's loss is multiplied by in their sum; 1 for outputs that are not named",
    keys: 'output',
    optional: true,
  }),
  lossReduction: choice(['sumOverBatchSize', 'meanWithSampleWeight'], {
    says: 'weighted losses are divided by the number of samples (Keras) or by the sum of the weights (PyTorch)',
    default: 'sumOverBatchSize',
  }),
}
export type ObjectiveOptions = Options<typeof objectiveOptions>

/** What a training was told of its objective: as a model keeps it. */
export function objectiveIn(settings: ObjectiveOptions): ObjectiveOptions {
  const { loss, metrics, weightedMetrics, lossWeights, lossReduction } = settings
  return {
    loss,
    metrics,
    ...(weightedMetrics && { weightedMetrics }),
    ...(lossWeights && { lossWeights }),
    lossReduction,
  }
}

/** What one output is trained for and judged by. */
export interface Term {
  readonly output: string
  /** The dataset's field. */
  readonly target: string
  readonly loss: SettledLoss
  readonly metrics: readonly SettledMetric[]
  readonly weightedMetrics?: readonly SettledMetric[]
  /** What the loss is multiplied by in the sum of losses. */
  readonly lossWeight?: number
  /** What is decided is counted too: of classes in a matrix, of several labels each for itself. */
  readonly counted?: 'classes' | 'labels'
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

/** Refuses names of outputs that there are not. */
function checkOutputs({ outputs }: Network, said: Readonly<Record<string, object | undefined>>): void {
  for (const [option, byName = {}] of Object.entries(said)) {
    const stray = Object.keys(byName).find((name) => !Object.hasOwn(outputs, name))
    const expected = Object.keys(outputs).join(', ')
    if (stray !== undefined)
      throw new FoveaError('E_OPTION', { what: `'${option}' names no output of the model`, expected, got: stray })
  }
}

/** Matches a network with the fields of a dataset. */
export function objectiveFor(
  network: Network,
  data: Pick<Dataset, 'inputs' | 'targets' | 'name'>,
  options: ObjectiveOptions = {},
): Objective {
  const { loss, metrics, weightedMetrics, lossWeights, lossReduction = 'sumOverBatchSize' } = options
  const inputs = pairInputs(network, data.inputs, data.name)
  const isOneForAll = loss !== undefined && isOneLoss(loss)
  const byName = <T>(said: T) => (Array.isArray(said) ? undefined : (said as object | undefined))
  checkOutputs(network, {
    loss: isOneForAll ? undefined : byName(loss),
    metrics: byName(metrics),
    weightedMetrics: byName(weightedMetrics),
    lossWeights,
  })
  const targets = pair(Object.keys(network.outputs), data.targets, 'target', data.name)
  const terms = Object.entries(targets).map(([output, target]): Term => {
    const [spec, shape, where] = [data.targets[target], outputShape(network, output), `${data.name}: ${target}`]
    const asked = saidOf<Loss>(loss, isOneForAll, output)
    const chosen = chooseLoss(asked, spec, { shape, end: asked ? 'linear' : endsOf(network)[output] }, where)
    const judgement = { ...lossRow(chosen), output: shape, target: spec }
    const wanted = (said: MetricsChoice | undefined) => saidOf<readonly Metric[]>(said, Array.isArray(said), output)
    const weighted = wanted(weightedMetrics)
    const lossWeight = saidOf<number>(lossWeights, false, output)
    return {
      output,
      target,
      loss: chosen,
      metrics: chooseMetrics(wanted(metrics), judgement, where),
      ...(weighted && { weightedMetrics: chooseMetrics(weighted, judgement, where) }),
      ...(lossWeight !== undefined && { lossWeight }),
    }
  })
  return { inputs, terms, lossReduction }
}

/** How an output's decisions are counted, where it makes any. */
function countedAs(
  { network, fields }: { readonly network: Network; readonly fields: Fields },
  { output, target, loss }: Term,
): Term['counted'] | undefined {
  const comparison = { ...lossRow(loss), output: outputShape(network, output), target: fields[target] }
  if (!decides(comparison)) return undefined
  return saysYesOrNo(comparison) && (comparison.output.at(-1) ?? 1) > 1 ? 'labels' : 'classes'
}

/** The only term whose output decides between classes or labels, or that of the output asked for; and the objective that counts it. */
export function counted(
  network: Network,
  { data, objective }: { readonly data: Pick<Dataset, 'targets' | 'name'>; readonly objective: Objective },
  output?: string,
): readonly [Term & Required<Pick<Term, 'counted'>>, Objective] {
  const found = objective.terms.flatMap((term) => {
    const counted = countedAs({ network, fields: data.targets }, term)
    return counted && (output === undefined || term.output === output) ? [{ ...term, counted }] : []
  })
  if (found.length !== 1) {
    const expected = 'an output with a loss of classes or of yes and no'
    const got =
      output ?? (found.map((term) => term.output).join(', ') || objective.terms.map(({ loss }) => loss.type).join(', '))
    const hint = found.length > 1 ? "say which one: { output: '...' }" : undefined
    const what = found.length > 1 ? 'several outputs say classes' : 'there are no classes to report on'
    throw new FoveaError('E_MISMATCH', { what, where: data.name, expected, got, ...(hint && { hint }) })
  }
  const [own] = found
  return [own, { ...objective, terms: objective.terms.map((term) => (term.output === own.output ? own : term)) }]
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
