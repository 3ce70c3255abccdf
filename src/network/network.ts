/** A network: named layers, wired. Pure data and graphs; it holds no numbers. */
import { FoveaError, locate } from '../base/errors.ts'
import { inOrder } from '../base/order.ts'
import type { Node } from '../graph/node.ts'
import { variable } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { shapeText } from '../graph/shape.ts'
import { drawer } from '../nn/draws.ts'
import type { Layer, Tensor, WeightSpec } from '../nn/layer.ts'
import { forwarded, input, weightsOf } from '../nn/layer.ts'
import { penaltyOf } from '../nn/regularizers.ts'
import { add } from '../ops/elementwise.ts'

/** A layer with its name in the network, and where it is used. */
export interface NamedLayer {
  readonly name: string
  readonly layer: Layer
  /** Shapes of one sample that its first use takes. */
  readonly inputShapes: readonly Shape[]
  readonly weights: Readonly<Record<string, WeightSpec>>
}

/** One use of a layer, or an input; `inputs` are numbers of earlier calls. */
export interface Call {
  readonly of:
    | { readonly kind: 'input'; readonly name: string }
    | { readonly kind: 'layer'; readonly layer: NamedLayer }
  readonly inputs: readonly number[]
  readonly shape: Shape
  /** What was wired: more can be wired onto it. */
  readonly tensor: Tensor
}

export interface Network {
  readonly name: string
  /** In the order in which they are first used. */
  readonly layers: readonly NamedLayer[]
  readonly calls: readonly Call[]
  readonly inputs: Readonly<Record<string, Shape>>
  readonly outputs: Readonly<Record<string, number>>
  /** Names of layers whose weights stay as they are in training: those that were not `trainable` when this was written. */
  readonly frozen: ReadonlySet<string>
}

/** Is this what `wire` gives? */
export function isNetwork(value: unknown): value is Network {
  const { layers, calls } = (value ?? {}) as Partial<Network>
  return Array.isArray(layers) && Array.isArray(calls)
}

/** Names of layers that are not `trainable` now. */
export const frozenNow = (layers: readonly NamedLayer[]): ReadonlySet<string> =>
  new Set(layers.flatMap(({ name, layer }) => (layer.trainable ? [] : [name])))

/** Keras's snake case of a class name: MaxPooling2D -> max_pooling2d. */
export const snakeCase = (className: string): string =>
  className
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()

/** Names as Keras gives them: the class in snake case, then _1, _2. */
export class Namer {
  readonly #taken = new Set<string>()
  readonly #counts = new Map<string, number>()

  claim(name: string): string {
    if (this.#taken.has(name)) throw new FoveaError('E_MODEL', { what: `two layers are called '${name}'` })
    this.#taken.add(name)
    return name
  }

  make(className: string): string {
    const stem = snakeCase(className)
    for (;;) {
      const count = this.#counts.get(stem) ?? 0
      this.#counts.set(stem, count + 1)
      const name = count === 0 ? stem : `${stem}_${count}`
      if (!this.#taken.has(name)) return this.claim(name)
    }
  }
}

/** Collects what leads from the inputs to the outputs, and names it. */
export function wire(
  name: string,
  inputs: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<string, Tensor>>,
): Network {
  const places = new Map<Tensor, number>()
  const calls: Call[] = []
  const known = new Map<Layer, NamedLayer>()
  const namer = new Namer()
  for (const [inputName, tensor] of Object.entries(inputs)) {
    if (tensor.source.kind !== 'input') {
      throw new FoveaError('E_MODEL', { what: 'an input of a model must come from input(...)', where: inputName })
    }
    places.set(
      tensor,
      calls.push({ of: { kind: 'input', name: namer.claim(inputName) }, inputs: [], shape: tensor.shape, tensor }) - 1,
    )
  }
  checkEnds([...Object.keys(inputs), ...Object.keys(outputs)])
  if (Object.keys(outputs).length === 0) throw new FoveaError('E_MODEL', { what: 'has no output', where: name })
  const order = inOrder(Object.values(outputs), ({ source }) => (source.kind === 'layer' ? source.inputs : []))
  for (const { source } of order) {
    const given = source.kind === 'layer' ? source.layer.givenName : undefined
    if (source.kind === 'layer' && given && !known.has(source.layer))
      known.set(source.layer, named(source.layer, namer.claim(given), source.inputs))
  }
  const layers = new Set<NamedLayer>()
  for (const tensor of order) {
    const { source } = tensor
    if (source.kind === 'input') {
      if (places.has(tensor)) continue
      throw new FoveaError('E_MODEL', {
        what: 'an output depends on an input that the model does not name',
        where: source.name ?? 'input',
      })
    }
    const layer = known.get(source.layer) ?? named(source.layer, namer.make(source.layer.row.className), source.inputs)
    known.set(source.layer, layer)
    checkShared(layer, source.inputs)
    layers.add(layer)
    const from = source.inputs.map((x) => places.get(x) as number)
    places.set(tensor, calls.push({ of: { kind: 'layer', layer }, inputs: from, shape: tensor.shape, tensor }) - 1)
  }
  return {
    name,
    layers: [...layers],
    calls,
    inputs: Object.fromEntries(Object.entries(inputs).map(([key, tensor]) => [key, tensor.shape])),
    outputs: Object.fromEntries(Object.entries(outputs).map(([key, tensor]) => [key, places.get(tensor) as number])),
    frozen: frozenNow([...layers]),
  }
}

/** Names of inputs and outputs, which become properties: one of them cannot. */
export function checkEnds(names: readonly string[]): void {
  for (const name of names)
    if (name === '__proto__') throw new FoveaError('E_MODEL', { what: 'this name is taken by JavaScript', where: name })
}

/** A stack of layers. */
export function chain(name: string, layers: readonly Layer[], inputShape: Shape): Network {
  const start = input(inputShape, { name: 'input_layer' })
  const end = layers.reduce((tensor, layer, i) => {
    const call = () => layer(tensor)
    return layer.givenName === undefined ? locate(`layer ${i + 1} of ${layers.length}`, call) : call()
  }, start)
  return wire(name, { input_layer: start }, { output: end })
}

function named(layer: Layer, name: string, inputs: readonly Tensor[]): NamedLayer {
  const inputShapes = inputs.map((x) => x.shape)
  return { name, layer, inputShapes, weights: locate(name, () => weightsOf(layer, inputShapes)) }
}

/** A layer that is used again must have the same weights there. */
function checkShared({ name, layer, weights }: NamedLayer, inputs: readonly Tensor[]): void {
  const here = weightsOf(
    layer,
    inputs.map((x) => x.shape),
  )
  for (const [weight, { shape }] of Object.entries(weights)) {
    const got = Object.hasOwn(here, weight) ? shapeText(here[weight].shape) : 'none'
    if (got === shapeText(shape)) continue
    throw new FoveaError('E_SHAPE', {
      what: `a shared layer would need another ${weight}`,
      where: name,
      expected: shapeText(shape),
      got,
    })
  }
}

/** The state's name of a weight. */
export const weightName = (layer: string, weight: string): string => `${layer}/${weight}`

/** Every weight of a network by its name in the state, in the order of the layers. */
export function networkWeights({ layers }: Network): Record<string, WeightSpec> {
  return Object.fromEntries(
    layers.flatMap(({ name, weights }) =>
      Object.entries(weights).map(([weight, spec]) => [weightName(name, weight), spec]),
    ),
  )
}

/** Every weight as a variable, by its name in the state. */
export const networkVariables = (network: Network): Record<string, Node> =>
  Object.fromEntries(Object.entries(networkWeights(network)).map(([name, { shape }]) => [name, variable(name, shape)]))

/** What comes of a pass: nodes [n, ...shape] per output and per call, and the next values of weights that are not trained. */
export interface Passed {
  readonly outputs: Readonly<Record<string, Node>>
  readonly values: readonly Node[]
  /** Per call the value before its activation, or the value itself. */
  readonly preactivations: readonly Node[]
  readonly updates: Readonly<Record<string, Node>>
  /** [n]: what layers add to the loss of each sample, where there is anything. */
  readonly penalty: Node | undefined
}

/**
 * Numbers of random streams: a layer's own at its first draw in its first use, and for every other draw the next that no layer
 * has. So all draws of a pass have their own.
 */
function streamNumbers({ layers }: Network): (layer: NamedLayer) => () => number {
  const own = new Map(layers.map((layer, index) => [layer, index]))
  let next = layers.length
  return (layer) => () => {
    const first = own.get(layer)
    own.delete(layer)
    return first ?? next++
  }
}

/** The forward graph. A layer that is used twice sees at its second use what the first has made of its statistics. */
export function forward(
  network: Network,
  variables: Readonly<Record<string, Node>>,
  inputs: Readonly<Record<string, Node>>,
  { mode, key }: { readonly mode: 'train' | 'infer'; readonly key: Node },
): Passed {
  const values: Node[] = []
  const preactivations: Node[] = []
  const updates: Record<string, Node> = {}
  let penalty: Node | undefined
  const streamsOf = streamNumbers(network)
  for (const { of, inputs: from } of network.calls) {
    if (of.kind === 'input') {
      values.push(inputs[of.name])
      preactivations.push(inputs[of.name])
    } else {
      const { name, layer, weights } = of.layer
      const own = Object.keys(weights).map((weight) => {
        const full = weightName(name, weight)
        return [weight, updates[full] ?? variables[full]]
      })
      const given = from.map((i) => values[i]) as [Node, ...Node[]]
      const context = { mode, isTrainable: !network.frozen.has(name), draw: drawer(key, streamsOf(of.layer)) }
      const result = locate(name, () => forwarded(layer, given, Object.fromEntries(own), context))
      values.push(result.output)
      preactivations.push(result.preactivation)
      if (result.penalty) penalty = penalty ? add(penalty, result.penalty) : result.penalty
      for (const [weight, next] of Object.entries(result.updates)) updates[weightName(name, weight)] = next as Node
    }
  }
  const outputs = Object.fromEntries(Object.entries(network.outputs).map(([name, call]) => [name, values[call]]))
  return { outputs, values, preactivations, updates, penalty }
}

/** Names of the weights that training changes by gradients. */
export const trainedWeights = ({ layers, frozen }: Network): string[] =>
  layers.flatMap(({ name, weights }) =>
    frozen.has(name)
      ? []
      : Object.entries(weights).flatMap(([weight, { trainable = true }]) =>
          trainable ? [weightName(name, weight)] : [],
        ),
  )

/** What regularizers add to the loss: the sum of the penalties on the weights that are trained, where there are any. */
export function penalties(network: Network, variables: Readonly<Record<string, Node>>): Node | undefined {
  const specs = networkWeights(network)
  const terms = trainedWeights(network).flatMap((name) => {
    const { regularizer } = specs[name]
    return regularizer === undefined ? [] : [penaltyOf(regularizer, variables[name])]
  })
  return terms.length > 0 ? terms.reduce((a, b) => add(a, b)) : undefined
}
