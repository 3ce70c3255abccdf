/** A network's graph, to be extended: nodes by name, and goals over them as a program can be fed. */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { choice, integer, show } from '../base/options.ts'
import { split64 } from '../base/random.ts'
import { isPlain } from '../base/realm.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Goals } from '../compile/goals.ts'
import type { DType, TypedArray } from '../graph/dtype.ts'
import { dtypeOf } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import { input, inputOp, isA, isNode, makeNode, nameOf, topological } from '../graph/node.ts'
import { shapeText, sizeOf } from '../graph/shape.ts'
import type { Head } from '../nn/heads.ts'
import { heads, logitsOf } from '../nn/heads.ts'
import { scaled } from './graphs.ts'
import type { Network } from './network.ts'
import { forward, networkVariables } from './network.ts'
import type { Session } from './session.ts'

export const graphOptions = {
  batch: integer({ says: 'samples that go through at once', min: 1, default: 1 }),
  mode: choice(['infer', 'train'], {
    says: 'as in predict, or as in a step of fit: dropout active, statistics of the batch',
    default: 'infer',
  }),
}
export type GraphOptions = Options<typeof graphOptions>

export const runOptions = {
  seed: integer({ says: 'seed of what layers draw', min: 0, default: 0 }),
}
export type RunOptions = Options<typeof runOptions>

/** One use of a layer. */
export interface LayerUse {
  readonly inputs: readonly Node[]
  /** What the layer's activation is applied to; the output itself where there is none. */
  readonly preactivation: Node
  readonly output: Node
}

/** A layer in a graph: its last use, as in `model.tensor`, and all of them in their order. */
export interface LayerNodes extends LayerUse {
  readonly uses: readonly LayerUse[]
}

/** Nodes by name; values are [batch, ...shape]. */
export interface ModelGraph {
  /** What the layers are given, as float32: bytes have become pixels of 0 to 1 before. */
  readonly inputs: Readonly<Record<string, Node>>
  readonly layers: Readonly<Record<string, LayerNodes>>
  /** Every weight, by the names of `model.weights()`. */
  readonly weights: Readonly<Record<string, Node>>
  /** What comes before the final softmax or sigmoid of each output; the output itself where there is none. */
  readonly logits: Readonly<Record<string, Node>>
  /** What `predict` answers. */
  readonly outputs: Readonly<Record<string, Node>>
  /** In mode `'train'`: running statistics and their next values, for goals that update them. */
  readonly updates: Goals['updates']
}

/** Attribute of a leaf that `model.run` feeds from the input of this name; no leaf of a user's has it. */
const FEEDS = 'feeds'
const leafFor = (name: string, shape: readonly number[], dtype: DType, feeds: string): Node =>
  inputOp({ name, shape, dtype, [FEEDS]: feeds })

/** Whose graph a leaf was made for: names are not enough, as every model has a `dense/kernel`. */
const owners = new WeakMap<Node, object>()

const nameIn = (name: string): string => `input/${name}`
const nameGiven = (name: string): string => `given/${name}`
const KEY = 'key'

/** The graph of a network over its weights, which live with `owner`: only goals of the same owner can be run on it. */
export function modelGraph(
  network: Network,
  outputHeads: Readonly<Record<string, Head>>,
  { batch, mode, owner }: { readonly batch: number; readonly mode: 'infer' | 'train'; readonly owner: object },
): ModelGraph {
  const weights = networkVariables(network)
  const inputs = Object.fromEntries(
    Object.entries(network.inputs).map(([name, shape]) => [
      name,
      leafFor(nameIn(name), [batch, ...shape], 'float32', nameIn(name)),
    ]),
  )
  const key = leafFor(KEY, [4], 'int32', KEY)
  for (const leaf of [...Object.values(inputs), ...Object.values(weights), key]) owners.set(leaf, owner)
  const { outputs, values, preactivations, updates } = forward(network, weights, inputs, { mode, key })
  const uses = network.calls.flatMap(({ of, inputs: from }, i) =>
    of.kind === 'input'
      ? []
      : [{ of: of.layer, inputs: from.map((j) => values[j]), preactivation: preactivations[i], output: values[i] }],
  )
  const layers = network.layers.map((layer) => {
    const own: LayerUse[] = uses.filter((use) => use.of === layer).map(({ of: _, ...use }) => use)
    return [layer.name, { ...own[own.length - 1], uses: own }]
  })
  const ends = Object.entries(outputs).map(([name, node]) => {
    const head = Object.hasOwn(outputHeads, name) ? outputHeads[name] : undefined
    const answer = head ? heads[head](logitsOf(node, head)) : node
    return { name, answer, logits: head ? logitsOf(node, head) : beforeHead(node) }
  })
  return {
    inputs,
    layers: Object.fromEntries(layers),
    weights,
    logits: Object.fromEntries(ends.map(({ name, logits }) => [name, logits])),
    outputs: Object.fromEntries(ends.map(({ name, answer }) => [name, answer])),
    updates: Object.entries(updates).map(([name, next]) => [weights[name], next]),
  }
}

/** What comes before the head of an output whose loss is not known. */
function beforeHead(output: Node): Node {
  const found = (['softmax', 'sigmoid'] as const).map((head) => logitsOf(output, head)).find((x) => x !== output)
  return found ?? output
}

/** Goals over the nodes of a model's graph, and your own placeholders. */
export interface GraphGoals<Outputs extends Goals['outputs'] = Goals['outputs']>
  extends Partial<Omit<Goals, 'outputs'>> {
  readonly outputs: Outputs
}

type GivenValues = Readonly<Record<string, TypedArray>>

/** Goals as they are now, whatever is done to the object later. Throws E_OPTION for what cannot be goals. */
export function takeGoals(goals: unknown, where: string): Goals {
  const { outputs, updates = [], float32 = [] } = (goals ?? {}) as Readonly<Record<string, unknown>>
  const refuse = (what: string, got: unknown, expected: string): never => {
    const hint = 'as in { outputs: { y: model.graph().outputs.output } }'
    throw new FoveaError('E_OPTION', { what, where, expected, got: show(got), hint })
  }
  if (!isPlain(outputs)) return refuse('these are no goals', goals, '{ outputs: nodes by name, updates }')
  if (!Array.isArray(updates)) return refuse("'updates' is no list", updates, 'pairs [weight, next value]')
  if (!Array.isArray(float32)) return refuse("'float32' is no list", float32, 'nodes')
  const node = (what: string, value: unknown): Node =>
    isNode(value) ? value : refuse(`${what} is no node`, value, 'a node')
  const pair = (value: unknown): readonly [Node, Node] =>
    Array.isArray(value) && value.length === 2
      ? [node('what is updated', value[0]), node('the next value of an update', value[1])]
      : refuse('an update is no pair', value, '[weight, next value]')
  return {
    outputs: Object.fromEntries(
      Object.entries(outputs).map(([name, one]) => [name, node(`the output '${name}'`, one)]),
    ),
    updates: Array.from(updates, pair),
    float32: Array.from(float32, (one) => node("one of 'float32'", one)),
  }
}

/** What a run is given. `owner` has the weights: the same that the graph of the goals was made for. */
interface Given {
  readonly given: GivenValues
  readonly seed: number
  readonly owner: object
}

/** Runs goals over the state of a session. The program is planned once for the same nodes and kinds of values. */
export async function runGoals(
  session: Session,
  goals: Goals,
  run: Given,
): Promise<{ readonly results: Promise<Record<string, Numbers>> }> {
  const { network } = session
  const { given, seed } = run
  const kinds = Object.entries(given).map(([name, values]) => [name, dtypeOf(values)])
  const key = `goals ${JSON.stringify([...goalsKey(session, goals), kinds])}`
  const program = await session.program(key, () => boundGoals(goals, network, run))
  const drawn = Int32Array.from([...split64(seed), 0, 0])
  const inputs = { ...fedValues(program, network, given), ...(KEY in program.inputs && { [KEY]: drawn }) }
  const results = program.run(inputs)
  results.catch(() => {}) // whoever awaits them gets the error
  return { results }
}

const goalsKey = (session: Session, { outputs, updates, float32 = [] }: Goals): unknown[] => [
  Object.entries(outputs).map(([name, node]) => [name, session.nodeKey(node)]),
  updates.map((pair) => pair.map((node) => session.nodeKey(node))),
  float32.map((node) => session.nodeKey(node)),
]

/** Goals as a program: inputs of the model enter as the values given are stored, other placeholders under names apart. */
function boundGoals({ outputs, updates, float32 = [] }: Goals, network: Network, { given, owner }: Given): Goals {
  const names = Object.keys(outputs)
  const roots = [...Object.values<Node>(outputs), ...updates.flat(), ...float32]
  const bound = new Map<Node, Node>()
  for (const node of topological(roots)) {
    checkOwner(node, owner, network)
    const inputs = node.inputs.map((x) => bound.get(x) as Node)
    const isSame = inputs.every((x, i) => x === node.inputs[i])
    bound.set(
      node,
      isA(node, inputOp) ? fedLeaf(node, network, given) : isSame ? node : makeNode(node.op, inputs, node.attrs),
    )
  }
  const nodes = roots.map((root) => bound.get(root) as Node)
  return {
    outputs: Object.fromEntries(names.map((name, i) => [name, nodes[i]])),
    updates: updates.map((_, i) => [nodes[names.length + 2 * i], nodes[names.length + 2 * i + 1]]),
    float32: nodes.slice(names.length + 2 * updates.length),
  }
}

function checkOwner(leaf: Node, owner: object, { name: where }: Network): void {
  const own = owners.get(leaf)
  if (own === undefined || own === owner) return
  const what = `'${nameOf(leaf)}' belongs to the graph of another model`
  const hint = 'goals are run by the model whose graph they belong to'
  throw new FoveaError('E_GRAPH', { what, where, hint })
}

function fedLeaf(leaf: Node, network: Network, given: GivenValues): Node {
  const { shape, dtype } = leaf
  const feeds = leaf.attrs[FEEDS]
  if (feeds === undefined) {
    if (!Object.hasOwn(network.inputs, nameOf(leaf))) return input(nameGiven(nameOf(leaf)), shape, dtype as DType)
    const what = `the placeholder '${nameOf(leaf)}' has the name of an input of the model`
    const hint = 'give the placeholder another name, or use the node in graph().inputs'
    throw new FoveaError('E_GRAPH', { what, where: network.name, hint })
  }
  if (feeds === KEY) return input(KEY, shape, 'int32')
  const name = Object.keys(network.inputs).find((one) => nameIn(one) === feeds)
  if (name === undefined) {
    const hint = 'goals are run by the model whose graph they were made from'
    throw new FoveaError('E_GRAPH', { what: `has no input ${String(feeds)}`, where: network.name, hint })
  }
  const stored = Object.hasOwn(given, name) ? dtypeOf(given[name]) : undefined
  return scaled(input(nameIn(name), shape, stored ?? 'float32'), network, name)
}

/** What the values given are called in a program with these inputs; what is missing, too much or of another size is refused. */
function fedValues(
  program: { readonly inputs: Readonly<Record<string, { readonly shape: readonly number[]; readonly dtype: DType }>> },
  network: Network,
  given: GivenValues,
): GivenValues {
  const isInput = (name: string): boolean => Object.hasOwn(network.inputs, name)
  const full = Object.entries(given).map(([name, values]) => ({
    name,
    values,
    at: isInput(name) ? nameIn(name) : nameGiven(name),
  }))
  for (const { name, values, at } of full) {
    const spec = Object.hasOwn(program.inputs, at) ? program.inputs[at] : undefined
    if (!spec && isInput(name)) continue // these goals do not depend on it
    if (spec && values.length === sizeOf(spec.shape)) continue
    const expected = spec
      ? `${spec.dtype} ${shapeText(spec.shape)}`
      : [...Object.keys(network.inputs), ...placeholders(program)].join(', ')
    const what = spec ? `the values of '${name}' do not fit the graph` : `the goals know nothing of '${name}'`
    throw new FoveaError('E_SHAPE', { what, where: network.name, expected, got: `${values.length} values` })
  }
  const missing = Object.keys(program.inputs).find((at) => at !== KEY && !full.some((one) => one.at === at))
  if (missing === undefined)
    return Object.fromEntries(full.filter(({ at }) => at in program.inputs).map(({ at, values }) => [at, values]))
  const what = `needs values for '${missing.slice(missing.indexOf('/') + 1)}'`
  throw new FoveaError('E_MISMATCH', {
    what,
    where: network.name,
    expected: shapeText(program.inputs[missing].shape),
    got: 'nothing',
  })
}

const placeholders = (program: { readonly inputs: object }): string[] =>
  Object.keys(program.inputs).flatMap((at) => (at.startsWith(nameGiven('')) ? [at.slice(nameGiven('').length)] : []))
