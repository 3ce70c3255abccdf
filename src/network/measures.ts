/** What a program sums up over a batch, and what is read from sums over many: losses and metrics by the names of logs. */
import type { Node } from '../graph/node.ts'
import { heads, logitsOf } from '../nn/heads.ts'
import { lossPerSample, lossRow } from '../nn/losses.ts'
import { confusionSums } from '../nn/metrics/agreement.ts'
import { countSums } from '../nn/metrics/counts.ts'
import type { Sums } from '../nn/metrics/row.ts'
import type { SettledMetric } from '../nn/metrics.ts'
import { isMoreBetter, metricLogName, metricPerSample, metricSums, metricValue } from '../nn/metrics.ts'
import { weighed } from '../nn/per-sample.ts'
import { add, div, mul, select } from '../ops/elementwise.ts'
import { sum } from '../ops/reduction.ts'
import type { Objective, Term } from './objective.ts'

/** What samples count for, as inputs of a program: [n] each. */
export interface SampleWeights {
  /** In the loss and in weighted metrics: sample and class weights; 0 for a sample that is not there. */
  readonly weights: Node
  /** In metrics: 1 for a sample that is there, 0 for one that only fills the batch. */
  readonly present: Node
}

/** The name of the sum by which another is divided; no log is called so. */
export const divisorOf = (name: string): string => `${name}/weight`
/** The name of one of several sums that a log follows from. */
const partOf = (log: string, part: string): string => `${log}/${part}`

/** A log of one of several outputs: `digit_loss`; `val/loss` for one called `val`, since `val_loss` is that of validation. */
const outputLog = (output: string, log: string): string => `${output}${/^val(_|$)/.test(output) ? '/' : '_'}${log}`

interface Logged {
  readonly log: string
  readonly term: Term
  readonly metric: SettledMetric
  readonly isWeighted: boolean
}

/** The metrics by their logs. A weighted one is `weighted_` where the plain name is taken, others are numbered, as in Keras. */
function logged({ terms }: Objective): Logged[] {
  const taken = new Set(['loss', ...terms.map(({ output }) => outputLog(output, 'loss'))])
  const free = (name: string): string => {
    let log = name
    for (let count = 1; taken.has(log); count++) log = `${name}_${count}`
    taken.add(log)
    return log
  }
  const logOf = (output: string, name: string): string => (terms.length > 1 ? outputLog(output, name) : name)
  const plain = terms.flatMap((term) =>
    term.metrics.map((metric) => ({
      term,
      metric,
      log: free(logOf(term.output, metricLogName(metric))),
      isWeighted: false,
    })),
  )
  const weighted = terms.flatMap((term) =>
    (term.weightedMetrics ?? []).map((metric) => {
      const [name, other] = ['', 'weighted_'].map((word) => logOf(term.output, `${word}${metricLogName(metric)}`))
      return { term, metric, log: free(taken.has(name) ? other : name), isWeighted: true }
    }),
  )
  return [...plain, ...weighted]
}

/**
 * Sums over a batch as nodes, by the names that logs use: `loss`, `accuracy`; with several outputs also `digit_loss`,
 * `digit_accuracy`. Losses are weighted, metrics are not, unless asked for. A mean is the sum `name` over the sum `name/weight`, or
 * where there is none over the number of samples that are present: `meanLoss` within a step, `readingsOf` over many. A
 * metric that is no mean has sums of its own, of any shape: `auc/truePositives`.
 */
export function measures(
  objective: Objective,
  outputs: Readonly<Record<string, Node>>,
  targets: Readonly<Record<string, Node>>,
  { weights, present }: SampleWeights,
): Record<string, Node> & { readonly loss: Node } {
  const { terms, lossReduction } = objective
  const result: Record<string, Node> = {}
  const addLoss = (name: string, value: Node): void => {
    result[name] = value
    if (lossReduction === 'meanWithSampleWeight') result[divisorOf(name)] = sum(weights)
  }
  const addParts = (log: string, parts: Readonly<Record<string, Node>>): void => {
    for (const [part, node] of Object.entries(parts)) result[partOf(log, part)] = node
  }
  const judgedOf = ({ output, target, loss }: Term) => {
    const { head, yesAbove } = lossRow(loss)
    const logits = logitsOf(outputs[output], head)
    return { logits, answer: heads[head](logits), target: targets[target], head, yesAbove }
  }
  const judged = new Map(terms.map((term) => [term, judgedOf(term)]))
  let total: Node | undefined
  for (const [{ output, loss, lossWeight = 1, counted }, seen] of judged) {
    const own = sum(weighed(weights, lossPerSample(loss, seen.logits, seen.target)))
    const share = lossWeight === 1 ? own : mul(own, lossWeight)
    total = total ? add(total, share) : share
    if (terms.length > 1) addLoss(outputLog(output, 'loss'), own)
    if (counted) addParts(COUNTED, { classes: confusionSums, labels: countSums }[counted](seen, weights))
  }
  for (const { term, metric, log, isWeighted } of logged(objective)) {
    const counted = isWeighted ? weights : present
    const seen = judged.get(term) as ReturnType<typeof judgedOf>
    const perSample = metricPerSample(metric, seen)
    if (perSample) {
      result[log] = sum(mul(perSample, counted))
      if (isWeighted) result[divisorOf(log)] = sum(weights)
    }
    addParts(log, metricSums(metric, seen, counted))
  }
  addLoss('loss', total as Node)
  return result as Record<string, Node> & { readonly loss: Node }
}

/** What logs are, by their names, from sums of `measures` over batches of so many samples in all. */
export type Readings = Readonly<Record<string, (sums: Sums, samples: number) => number>>

function readMean(name: string): Readings[string] {
  const divisor = divisorOf(name)
  return (sums, samples) => {
    const count = sums[divisor]?.[0] ?? samples
    return count === 0 ? 0 : sums[name][0] / count
  }
}

function readMetric({ metric, log }: Logged): Readings[string] {
  const value = metricValue(metric)
  if (!value) return readMean(log)
  return (sums) => value(partsOf(sums, log))
}

/** The sums that a log follows from, by their own names. */
function partsOf(sums: Sums, log: string): Sums {
  const start = partOf(log, '')
  const own = Object.entries(sums).filter(([name]) => name.startsWith(start))
  return Object.fromEntries(own.map(([name, values]) => [name.slice(start.length), values]))
}

/** Decisions that were counted, as no log is called. */
const COUNTED = '/counted'
export const countedIn = (sums: Sums): Sums => partsOf(sums, COUNTED)

/** How every log of an objective is read, in the order of their names. */
export function readingsOf(objective: Objective): Readings {
  const { terms } = objective
  const losses = ['loss', ...(terms.length > 1 ? terms.map(({ output }) => outputLog(output, 'loss')) : [])]
  const all: Record<string, Readings[string]> = Object.fromEntries(losses.map((name) => [name, readMean(name)]))
  for (const one of logged(objective)) all[one.log] = readMetric(one)
  return Object.fromEntries(
    Object.keys(all)
      .sort()
      .map((name) => [name, all[name]]),
  )
}

/** The logs of which more is better: those of metrics whose rows say so. */
export const logsToRaise = (objective: Objective): string[] =>
  logged(objective)
    .filter(({ metric }) => isMoreBetter(metric))
    .map(({ log }) => log)

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
