/** The graphs of a model: a training step, whole or in two halves, an evaluation, a prediction. Inputs of programs are named `kind/name`. */
import type { Goals } from '../compile/goals.ts'
import type { Fields } from '../data/dataset.ts'
import type { TensorSpec } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import { input, variable } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { shapeText } from '../graph/shape.ts'
import type { Head } from '../nn/heads.ts'
import { heads, logitsOf } from '../nn/heads.ts'
import { lossRow } from '../nn/losses.ts'
import type { SettledOptimizer } from '../nn/optimizers.ts'
import { averageName, nextState, slotName, stepRates, stepSlots } from '../nn/step.ts'
import { add, finite, mul, select, sub, toFloat } from '../ops/elementwise.ts'
import { gradients } from '../ops/gradient.ts'
import { sum } from '../ops/reduction.ts'
import type { Call, Network } from './network.ts'
import { forward, networkVariables, networkWeights, penalties, trainedWeights } from './network.ts'
import type { Objective } from './objective.ts'
import { meanLoss, measures, penalised } from './objective.ts'

/** A batch of `size` samples of a dataset with these fields. */
export interface BatchSpec {
  readonly size: number
  readonly inputs: Fields
  readonly targets: Fields
}

const batched = (kind: string, field: string, spec: TensorSpec, size: number): Node =>
  input(`${kind}/${field}`, [size, ...spec.shape], spec.dtype)

/** Do all layers that read an input take bytes as they are, 0 to 255? What passes them on leaves it to its readers. */
export function readsWhole({ calls }: Network, input: string): boolean {
  const takes = (at: number): boolean => {
    const readers = calls.flatMap(({ of, inputs }, i) =>
      of.kind === 'layer' && inputs.includes(at) ? [{ row: of.layer.layer.row, at: i }] : [],
    )
    return (
      readers.length > 0 &&
      readers.every(({ row, at }) => row.takesBytes === true || (row.takesBytes === 'passed on' && takes(at)))
    )
  }
  return takes(calls.findIndex(({ of }) => of.kind === 'input' && of.name === input))
}

/** Bytes enter as pixels of 0 to 1, unless the layers that read them take bytes as they are; other numbers enter unchanged. */
export function scaled(node: Node, network: Network, input: string): Node {
  if (node.dtype === 'uint8' && !readsWhole(network, input)) return mul(toFloat(node), 1 / 255)
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
  const { outputs, updates, values } = outputsOf(network, variables, objective.inputs, batch, mode)
  const targets = objective.terms.map(({ target }) => [
    target,
    batched('target', target, batch.targets[target], batch.size),
  ])
  const [weights, present] = ['weights', 'present'].map((name) => input(name, [batch.size]))
  const measured = measures(objective, outputs, Object.fromEntries(targets), { weights, present })
  const sums = penalised(measured, penalties(network, variables), present)
  const float32 = objective.terms.map(({ output, loss }) => logitsOf(outputs[output], lossRow(loss).head))
  return { sums, updates, values, float32 }
}

/** Weighted sums of loss and metrics, by the weights or, with `judged`, by other tensors of the state in their place. */
export function evaluationGoals(
  network: Network,
  objective: Objective,
  batch: BatchSpec,
  judged: Readonly<Record<string, string>> = {},
): Partial<Goals> {
  const weights = Object.entries(networkVariables(network))
  const variables = weights.map(([name, weight]) => [
    name,
    name in judged ? variable(judged[name], weight.shape) : weight,
  ])
  return { outputs: measured(network, Object.fromEntries(variables), objective, batch, 'infer').sums }
}

/** The tensors by which a model in training is judged, by its weights: these themselves, or their moving averages. */
export function judgedWeights(network: Network, { type, options }: SettledOptimizer): Record<string, string> {
  const averaged = new Set(options.useEma ? trainedWeights(network) : [])
  const names = Object.keys(networkWeights(network))
  return Object.fromEntries(names.map((name) => [name, averaged.has(name) ? averageName(type, name) : name]))
}

/** A float32 tensor and what fills it at first: a number, or a copy of another tensor of the state. */
export interface Filled {
  readonly shape: Shape
  readonly value: number | { readonly copyOf: string }
}

/** The state that training keeps for a network besides its weights. */
export function trainingSpecs(network: Network, optimizer: SettledOptimizer): Record<string, Filled> {
  const specs = networkWeights(network)
  const slots = trainedWeights(network).flatMap((weight) =>
    Object.entries(stepSlots(optimizer)).map(([slot, value]) => [
      slotName(optimizer.type, slot, weight),
      { shape: specs[weight].shape, value: value === 'weight' ? { copyOf: weight } : value },
    ]),
  )
  return { ...Object.fromEntries(slots), [HALTED]: { shape: [], value: 0 } }
}

/** The state's name of the flag that a step was refused: it stays up until the next training begins. */
export const HALTED = '/training/halted'

/** What a step computes before anything is changed. */
interface Derived {
  readonly sums: ReturnType<typeof measures>
  /** Of the mean loss of the batch, by weight that is trained. */
  readonly gradients: Readonly<Record<string, Node>>
  /** The next values of weights that are not trained, such as running means. */
  readonly statistics: Readonly<Record<string, Node>>
}

type Variables = Readonly<Record<string, Node>>

function derived(network: Network, variables: Variables, objective: Objective, batch: BatchSpec) {
  const names = trainedWeights(network)
  const { sums, updates: statistics, values, float32 } = measured(network, variables, objective, batch, 'train')
  const slopes = gradients(
    meanLoss(sums, batch.size),
    names.map((name) => variables[name]),
  )
  const byWeight = Object.fromEntries(names.map((name, i) => [name, slopes[i]]))
  return { derived: { sums, gradients: byWeight, statistics } satisfies Derived, values, float32 }
}

/**
 * The updates that a step makes, and `finite`. Where the loss or anything that would become state is not finite, `finite`
 * is 0 and the state stays as it was, to the bit; so it is in the steps that were already under way behind it.
 */
function applied(
  variables: Variables,
  optimizer: SettledOptimizer,
  { loss, gradients, statistics }: Omit<Derived, 'sums'> & { readonly loss: Node },
): { readonly finite: Node; readonly updates: Goals['updates'] } {
  const rateNames = Object.keys(stepRates(optimizer, { step: 0, total: 1 }))
  const rates = Object.fromEntries(rateNames.map((rate) => [rate, input(`rate/${rate}`, [])]))
  const trained = Object.entries(gradients).map(([name, gradient]) => {
    const weight = variables[name]
    const slots = Object.keys(stepSlots(optimizer)).map((slot) => [
      slot,
      variable(slotName(optimizer.type, slot, name), weight.shape),
    ])
    return { name, weight, gradient, slots: Object.fromEntries(slots) as Record<string, Node> }
  })
  const next = nextState(optimizer, trained, rates).map(({ weight, slots }, i): [Node, Node][] => [
    [trained[i].weight, weight],
    ...Object.entries(trained[i].slots).map(([slot, old]): [Node, Node] => [old, slots[slot]]),
  ])
  const kept = Object.entries(statistics).map(([name, value]): [Node, Node] => [variables[name], value])
  next.push(...Object.values(Object.groupBy(kept, ([, { shape }]) => shapeText(shape))).map((pairs) => pairs ?? []))
  // x - x is 0 for a finite x and NaN for any other
  const zeros = next.map((pairs) => sum(pairs.map(([, value]) => sub(value, value)).reduce((a, b) => add(a, b))))
  const probe = zeros.reduce((a, b) => add(a, b), sub(loss, loss))
  const halted = variable(HALTED, [])
  const ok = mul(finite(probe), sub(1, halted))
  const updates = next.flat().map(([old, value]) => [old, select(ok, value, old)] as const)
  return { finite: ok, updates: [...updates, [halted, sub(1, ok)]] }
}

/** One step as one program: sums of loss and metrics, `finite`, and the next weights by the gradient of the mean loss. */
export function trainingGoals(
  network: Network,
  objective: Objective,
  batch: BatchSpec,
  optimizer: SettledOptimizer,
): Goals {
  const variables = networkVariables(network)
  const { derived: own, float32 } = derived(network, variables, objective, batch)
  const { finite, updates } = applied(variables, optimizer, { loss: own.sums.loss, ...own })
  return { outputs: { ...own.sums, finite }, updates, float32 }
}

/** What a step computes, by kind: outputs of `gradientGoals` are called `kind/name`, and so are inputs of `applyGoals`. */
export const derivedKinds = ['sums', 'gradients', 'statistics'] as const

/** The first half of a step: what it computes, and nothing is changed. */
export function gradientGoals(network: Network, objective: Objective, batch: BatchSpec): Partial<Goals> {
  const { derived: own, float32 } = derived(network, networkVariables(network), objective, batch)
  const outputs = derivedKinds.flatMap((kind) =>
    Object.entries(own[kind]).map(([name, node]) => [`${kind}/${name}`, node] as const),
  )
  return { outputs: Object.fromEntries(outputs), float32 }
}

/** The second half: what is made of gradients, next statistics and the loss once they are given, in any batch size. */
export function applyGoals(
  network: Network,
  optimizer: SettledOptimizer,
  computed: Readonly<Record<string, TensorSpec>>,
): Goals {
  const given = (kind: (typeof derivedKinds)[number]): Record<string, Node> => {
    const own = Object.entries(computed).filter(([name]) => name.startsWith(`${kind}/`))
    return Object.fromEntries(own.map(([name, { shape }]) => [name.slice(kind.length + 1), input(name, shape)]))
  }
  const { loss } = given('sums')
  const halves = { loss, gradients: given('gradients'), statistics: given('statistics') }
  const { finite, updates } = applied(networkVariables(network), optimizer, halves)
  return { outputs: { finite }, updates }
}

/** 1 where every element is finite, else 0: x - x is 0 for a finite x and NaN for any other. */
const probe = (x: Node): Node => finite(sum(sub(x, x)))

/** What a training step computes, in its order and in words, each with a probe: weights, outputs of layers, loss, gradients. */
export function diagnosisGoals(network: Network, objective: Objective, batch: BatchSpec): Partial<Goals> {
  const variables = networkVariables(network)
  const { derived: own, values, float32 } = derived(network, variables, objective, batch)
  const probed = [
    ...Object.entries(variables).map(([name, x]) => [`the weight ${name}`, x] as const),
    ...network.calls.map((_, i) => [calledIn(network.calls, i), values[i]] as const),
    ['the loss', own.sums.loss] as const,
    ...Object.entries(own.gradients)
      .map(([name, slope]) => [`the gradient for ${name}`, slope] as const)
      .reverse(),
  ]
  return { outputs: Object.fromEntries(probed.map(([words, x]) => [words, probe(x)])), float32 }
}

/** The value of a call in words; a layer that is used again is said with the number of its use. */
function calledIn(calls: readonly Call[], at: number): string {
  const { of } = calls[at]
  if (of.kind === 'input') return `the input ${of.name}`
  const earlier = calls.slice(0, at).filter((call) => call.of.kind === 'layer' && call.of.layer === of.layer).length
  return `the output of ${of.layer.name}${earlier > 0 ? ` in its use ${earlier + 1}` : ''}`
}

/** Answers: logits through each output's head; where the model already ends in a softmax, none is added. */
export function predictionGoals(
  network: Network,
  inputs: Readonly<Record<string, string>>,
  outputHeads: Readonly<Record<string, Head>>,
  batch: Pick<BatchSpec, 'size' | 'inputs'>,
): Partial<Goals> {
  const { outputs } = outputsOf(network, networkVariables(network), inputs, batch, 'infer')
  const answered = Object.entries(outputs).map(([name, node]) => {
    const head = Object.hasOwn(outputHeads, name) ? outputHeads[name] : 'linear'
    return [name, heads[head](logitsOf(node, head))]
  })
  return { outputs: Object.fromEntries(answered) }
}
