/** The three graphs of a model: a training step, an evaluation, a prediction. Inputs of programs are named `kind/name`. */
import type { Goals } from '../compile/goals.ts'
import type { Fields } from '../data/dataset.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import { input, nameOf, variable } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import type { Head } from '../nn/heads.ts'
import { heads, logitsOf } from '../nn/heads.ts'
import type { SettledOptimizer } from '../nn/optimizers.ts'
import { add, finite, mul, select, sub, toFloat } from '../ops/elementwise.ts'
import { gradients } from '../ops/gradient.ts'
import { sum } from '../ops/reduction.ts'
import type { Network } from './network.ts'
import { forward, networkVariables, networkWeights } from './network.ts'
import type { Objective } from './objective.ts'
import { meanLoss, measures } from './objective.ts'

/** A batch of `size` samples of a dataset with these fields. */
export interface BatchSpec {
  readonly size: number
  readonly inputs: Fields
  readonly targets: Fields
}

const batched = (kind: string, field: string, spec: TensorSpec, size: number): Node =>
  input(`${kind}/${field}`, [size, ...spec.shape], spec.dtype)

/** Bytes enter as pixels of 0 to 1, unless the layers that read them want them whole; other numbers as they are. */
function scaled(node: Node, { calls }: Network, input: string): Node {
  const entry = calls.findIndex(({ of }) => of.kind === 'input' && of.name === input)
  const readers = calls.flatMap(({ of, inputs }) =>
    of.kind === 'layer' && inputs.includes(entry) ? [of.layer.layer.row] : [],
  )
  const isWhole = readers.length > 0 && readers.every((row) => row.takesBytes)
  if (node.dtype === 'uint8' && !isWhole) return mul(toFloat(node), 1 / 255)
  return node.dtype === 'float32' ? node : toFloat(node)
}

function outputsOf(
  network: Network,
  variables: Readonly<Record<string, Node>>,
  inputs: Readonly<Record<string, string>>,
  batch: Pick<BatchSpec, 'size' | 'inputs'>,
  mode: 'train' | 'infer',
) {
  const nodes = Object.entries(inputs).map(([name, field]) => [
    name,
    scaled(batched('input', field, batch.inputs[field], batch.size), network, name),
  ])
  return forward(network, variables, Object.fromEntries(nodes), { mode, key: input('key', [4], 'int32') })
}

function measured(
  network: Network,
  variables: Readonly<Record<string, Node>>,
  objective: Objective,
  batch: BatchSpec,
  mode: 'train' | 'infer',
) {
  const outputs = outputsOf(network, variables, objective.inputs, batch, mode)
  const targets = objective.goals.map(({ target }) => [
    target,
    batched('target', target, batch.targets[target], batch.size),
  ])
  const [weights, present] = ['weights', 'present'].map((name) => input(name, [batch.size]))
  return measures(objective, outputs, Object.fromEntries(targets), { weights, present })
}

/** Sums of loss and metrics, as `measures` has them. */
export function evaluationGoals(network: Network, objective: Objective, batch: BatchSpec): Partial<Goals> {
  return { outputs: measured(network, networkVariables(network), objective, batch, 'infer') }
}

/** The state's name of an optimizer slot. */
const slotName = (type: string, slot: string, weight: string): string => `optimizer/${type}/${slot}/${weight}`

/** A float32 tensor and what fills it at first. */
export interface Filled {
  readonly shape: Shape
  readonly value: number
}

/** The state that training keeps for a network besides its weights. */
export function trainingSpecs(network: Network, { type, row, options }: SettledOptimizer): Record<string, Filled> {
  const slots = Object.entries(networkWeights(network)).flatMap(([weight, { shape }]) =>
    Object.entries(row.slots(options)).map(([slot, value]) => [
      slotName(type, slot, weight),
      { shape, value: value ?? 0 },
    ]),
  )
  return { ...Object.fromEntries(slots), [HALTED]: { shape: [], value: 0 } }
}

/** The state's name of the flag that a step was refused: it stays up until the next training begins. */
export const HALTED = 'training/halted'

/**
 * One step: sums of loss and metrics, `finite`, and the next weights. The gradient is that of the mean loss of the
 * batch. Where the loss or anything that would become state is not finite, `finite` is 0 and the state stays as it
 * was, to the bit; so it is in the steps that were already under way behind it.
 */
export function trainingGoals(
  network: Network,
  objective: Objective,
  batch: BatchSpec,
  { type, row, options }: SettledOptimizer,
): Goals {
  const variables = networkVariables(network)
  const weights = Object.values(variables)
  const sums = measured(network, variables, objective, batch, 'train')
  const slopes = gradients(meanLoss(sums, batch.size), weights)
  const rates = Object.fromEntries(Object.keys(row.rates(options, 1)).map((rate) => [rate, input(`rate/${rate}`, [])]))
  const next = weights.map((weight, i): [Node, Node][] => {
    const slots = Object.keys(row.slots(options)).map(
      (slot) => [slot, variable(slotName(type, slot, nameOf(weight)), weight.shape)] as const,
    )
    const updated = row.update(weight, slopes[i], Object.fromEntries(slots), rates, options)
    return [[weight, updated.weight], ...slots.map(([slot, old]): [Node, Node] => [old, updated[slot] ?? old])]
  })
  // x - x is 0 for a finite x and NaN for any other
  const zeros = next.map((pairs) => sum(pairs.map(([, value]) => sub(value, value)).reduce((a, b) => add(a, b))))
  const probe = zeros.reduce((a, b) => add(a, b), sub(sums.loss, sums.loss))
  const halted = variable(HALTED, [])
  const ok = mul(finite(probe), sub(1, halted))
  const updates = next.flat().map(([old, value]) => [old, select(ok, value, old)] as const)
  return { outputs: { ...sums, finite: ok }, updates: [...updates, [halted, sub(1, ok)]] }
}

/** Answers: logits through each output's head; a softmax that is there already is not applied twice. */
export function predictionGoals(
  network: Network,
  inputs: Readonly<Record<string, string>>,
  outputHeads: Readonly<Record<string, Head>>,
  batch: Pick<BatchSpec, 'size' | 'inputs'>,
): Partial<Goals> {
  const outputs = outputsOf(network, networkVariables(network), inputs, batch, 'infer')
  const answered = Object.entries(outputs).map(([name, node]) => {
    const head = Object.hasOwn(outputHeads, name) ? outputHeads[name] : 'linear'
    return [name, heads[head](logitsOf(node, head))]
  })
  return { outputs: Object.fromEntries(answered) }
}
