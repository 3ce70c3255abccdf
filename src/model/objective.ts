/** What a network is trained for and judged by: a loss and metrics per output, matched with the fields of a dataset. */
import { FoveaError } from '../base/errors.ts'
import type { Dataset, Fields } from '../data/dataset.ts'
import type { Node } from '../graph/node.ts'
import { sameShape, shapeText } from '../graph/shape.ts'
import type { Head, LossName } from '../nn/losses.ts'
import { chooseLoss, logitsOf, losses } from '../nn/losses.ts'
import type { MetricName } from '../nn/metrics.ts'
import { defaultMetrics, metrics } from '../nn/metrics.ts'
import { add, mul } from '../ops/elementwise.ts'
import { sum } from '../ops/reduction.ts'
import type { Network } from './network.ts'

/** A loss by name for all outputs, or one per output. */
export type LossChoice = LossName | Readonly<Record<string, LossName>>

interface Goal {
  readonly output: string
  /** The dataset's field. */
  readonly target: string
  readonly loss: LossName
  readonly metrics: readonly MetricName[]
}

export interface Objective {
  /** The dataset's field for every input of the network. */
  readonly inputs: Readonly<Record<string, string>>
  readonly goals: readonly Goal[]
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

/** Matches a network with the fields of a dataset. */
export function objectiveFor(
  network: Network,
  data: Pick<Dataset, 'inputs' | 'targets' | 'name'>,
  loss?: LossChoice,
): Objective {
  const inputs = pairInputs(network, data.inputs, data.name)
  const astray =
    typeof loss === 'object' ? Object.keys(loss).find((name) => !Object.hasOwn(network.outputs, name)) : undefined
  if (astray !== undefined) {
    const expected = Object.keys(network.outputs).join(', ')
    throw new FoveaError('E_OPTION', { what: "'loss' names no output of the model", expected, got: astray })
  }
  const targets = pair(Object.keys(network.outputs), data.targets, 'target', data.name)
  const goals = Object.entries(targets).map(([output, target]) => {
    const asked = typeof loss === 'object' ? loss[output] : loss
    const chosen = chooseLoss(asked, data.targets[target], outputShape(network, output), `${data.name}: ${target}`)
    return { output, target, loss: chosen, metrics: defaultMetrics[chosen] }
  })
  return { inputs, goals }
}

/** What turns each output's logits into answers. */
export const headsOf = ({ goals }: Objective): Record<string, Head> =>
  Object.fromEntries(goals.map(({ output, loss }) => [output, losses[loss].head]))

/**
 * Weighted sums over a batch as nodes, by the names that logs use: `loss`, `accuracy`; with several outputs also
 * `digit_loss`, `digit_accuracy`.
 */
export function measures(
  { goals }: Objective,
  outputs: Readonly<Record<string, Node>>,
  targets: Readonly<Record<string, Node>>,
  weights: Node,
): Record<string, Node> & { readonly loss: Node } {
  const result: Record<string, Node> = {}
  const prefix = (output: string) => (goals.length > 1 ? `${output}_` : '')
  let total: Node | undefined
  for (const { output, target, loss, metrics: names } of goals) {
    const logits = logitsOf(outputs[output])
    const weighted = (values: Node): Node => sum(mul(values, weights))
    const own = weighted(losses[loss].perSample(logits, targets[target]))
    total = total ? add(total, own) : own
    if (goals.length > 1) result[`${output}_loss`] = own
    for (const name of names)
      result[`${prefix(output)}${name}`] = weighted(metrics[name].perSample(logits, targets[target]))
  }
  return { ...result, loss: total as Node }
}
