/** Layers: options, weights and a forward graph. A layer called on tensors wires them; called twice it shares its weights. */
import { FoveaError, locate } from '../base/errors.ts'
import type { Options, OptionTable, Settled } from '../base/options.ts'
import { flag, isOption, settle, settleOne, show, text } from '../base/options.ts'
import { isPlain } from '../base/realm.ts'
import { taken } from '../base/taken.ts'
import type { Node } from '../graph/node.ts'
import { input as inputNode, isNode } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { isShape, sizeOf, wantShape } from '../graph/shape.ts'
import type { DrawOptions } from './draws.ts'
import { drawer } from './draws.ts'
import type { Initializer } from './initializers.ts'
import type { Regularizer } from './regularizers.ts'

/** A tensor that a layer owns. */
export interface WeightSpec {
  readonly shape: Shape
  readonly initializer: Initializer
  /** No gradient flows to it; the layer's own updates say what it becomes, as with running statistics. */
  readonly trainable?: false
  /** Adds to the loss in training and evaluation, while the weight is trained. */
  readonly regularizer?: Regularizer | undefined
}

/** What a forward graph may need to know. */
export interface ForwardContext {
  readonly mode: 'train' | 'infer'
  /** False while the layer is frozen: its weights are not trained, and statistics stay as they are. */
  readonly isTrainable: boolean
  /**
   * Random numbers of this shape, axis 0 being the samples: uniform on [0, 1), or standard normal. Every call has numbers of its
   * own, in each use of the layer and in each step; they follow from the seed.
   */
  draw(options: DrawOptions): Node
}

/** What a forward graph gives where it is more than its output. */
export interface Forwarded<W extends string> {
  readonly output: Node
  /** The next values of weights that are not trained. */
  readonly updates?: Readonly<Partial<Record<W, Node>>>
  /** The value to which an activation was applied at the end, where there is one. */
  readonly preactivation?: Node
}

/** All that is known of a kind of layer, in one place. Shapes in `weights` are those of one sample. */
export interface LayerRow<T extends OptionTable, W extends string> {
  /** Keras's class name, which summaries print. */
  readonly className: string
  readonly says: string
  readonly options: T
  /** Keras counts its (no) parameters before it has seen a shape: summaries of unbuilt models print 0. */
  readonly countsUnbuilt?: true
  /**
   * Wants bytes as they are, 0 to 255: a model that begins with it does not divide them by 255. A layer that passes them on
   * leaves that to the layers behind it.
   */
  readonly takesBytes?: true | 'passed on'
  /** A merging layer takes several tensors. */
  readonly inputs?: 'one' | 'several'
  readonly weights?: (
    options: Settled<T>,
    shape: Shape,
    shapes: readonly Shape[],
  ) => Readonly<Partial<Record<W, WeightSpec>>>
  /** From nodes [n, ...shape] to a node (with updates, where there are any); its shape is the layer's output shape. */
  readonly forward: (
    inputs: readonly [Node, ...Node[]],
    weights: Readonly<Record<W, Node>>,
    options: Settled<T>,
    context: ForwardContext,
  ) => Node | Forwarded<W>
}

export type AnyLayerRow = LayerRow<OptionTable, string>

/** Where a tensor comes from. */
export type Source =
  | { readonly kind: 'input'; readonly name: string | undefined }
  | { readonly kind: 'layer'; readonly layer: Layer; readonly inputs: readonly Tensor[] }

/** A value of the network that is being wired: the shape of one sample, without the batch axis. */
export interface Tensor {
  readonly shape: Shape
  readonly source: Source
}

/** A layer: call it on a tensor (a merging layer on several) to put it to use. */
export interface Layer {
  (...inputs: readonly (Tensor | readonly Tensor[])[]): Tensor
  /** Its word in model files. */
  readonly type: string
  readonly row: AnyLayerRow
  /** All options, defaults filled in. */
  readonly options: Settled<OptionTable>
  /** The user's name for it; models name the others. */
  readonly givenName: string | undefined
  /**
   * False: its weights and statistics stay as they are, in every model that has this layer. `model.freeze` sets it too; a training
   * goes by what it is when it begins.
   */
  trainable: boolean
}

/** Options of a layer, with those that all layers have. */
export type LayerOptions<T extends OptionTable> = Options<T> & Options<typeof commonOptions>
export type LayerMaker<T extends OptionTable> = (Record<never, never> extends Options<T>
  ? (options?: LayerOptions<T>) => Layer
  : (options: LayerOptions<T>) => Layer) & {
  /** Its word in model files. */
  readonly type: string
  readonly row: AnyLayerRow
}

const nameTable = {
  name: text({ says: 'name of the layer, unique in its model', without: '/', filled: true, optional: true }),
}

/** Options of every layer. Names without / never meet the names that Fovea gives to what is its own. */
export const commonOptions = {
  ...nameTable,
  trainable: flag({ says: 'whether its weights are trained', default: true }),
}

const control = /\p{Cc}/u

function wantRow(type: string, row: AnyLayerRow): void {
  const { className, says, options, forward, weights = forward } = (row ?? {}) as Partial<AnyLayerRow>
  const areWords = [type, className, says].every(
    (word) => typeof word === 'string' && word !== '' && !control.test(word),
  )
  const areFunctions = [forward, weights].every((part) => typeof part === 'function')
  const areOptions = Object.values(options ?? { missing: undefined }).every((option) => isOption(option))
  if (areWords && areFunctions && areOptions) return
  const expected = 'a word without control characters, and { className, says, options, weights?, forward }'
  const got = `${show(type)} and ${show(row)}`
  throw new FoveaError('E_OPTION', { what: 'a layer cannot be made from this', where: 'defineLayer', expected, got })
}

/** Defines a kind of layer; the result makes layers from options. */
export function defineLayer<const T extends OptionTable, W extends string = never>(
  type: string,
  row: LayerRow<T, W>,
): LayerMaker<T> {
  wantRow(type, row as unknown as AnyLayerRow)
  const taken = Object.keys(row.options).find((name) => Object.hasOwn(commonOptions, name))
  if (taken !== undefined) {
    const hint = `every layer already has the options ${Object.keys(commonOptions).join(' and ')}`
    throw new FoveaError('E_OPTION', { what: `'${taken}' cannot be the name of an option`, where: type, hint })
  }
  const prototype: object = Object.getPrototypeOf(row)
  const own: AnyLayerRow = Object.freeze(Object.assign(Object.create(prototype), row, { options: { ...row.options } }))
  const table = Object.freeze({ ...own.options, ...commonOptions })
  const make = (given: object = {}): Layer => {
    const { name, trainable, ...options } = settle(table, given, type) as Settled<T> & Settled<typeof commonOptions>
    const layer = (...inputs: readonly (Tensor | readonly Tensor[])[]): Tensor =>
      connect(layer as Layer, inputs.flat() as Tensor[])
    return withTrainable(
      Object.assign(layer, { type, row: own, options: settled(options), givenName: name }),
      trainable,
    )
  }
  return Object.assign(make, { type, row: own }) as unknown as LayerMaker<T>
}

/** Options of a layer that nobody can change any more: its weights and its file follow from them. */
const settled = (options: object): Layer['options'] =>
  Object.freeze(Object.fromEntries(Object.entries(options).map(([name, value]) => [name, taken(value)])))

/** Gives a layer its `trainable`, which refuses all but true and false. */
function withTrainable<L extends object>(layer: L, first: boolean): L & Pick<Layer, 'trainable'> {
  let trainable = first
  return Object.defineProperty(layer, 'trainable', {
    enumerable: true,
    get: () => trainable,
    set(value: unknown) {
      trainable = settleOne(commonOptions.trainable, value, 'trainable', nameOf(layer as unknown as Layer))
    },
  }) as L & Pick<Layer, 'trainable'>
}

const nameOf = ({ givenName, type }: Layer): string => givenName ?? type

/** Is this what a maker of layers gives? */
export const isLayer = (value: unknown): value is Layer =>
  typeof value === 'function' && 'row' in value && 'options' in value

/** Is this what `input`, or a layer called on tensors, gives? */
export function isTensor(value: unknown): value is Tensor {
  const { shape, source } = (value ?? {}) as Partial<Tensor>
  return Array.isArray(shape) && (source?.kind === 'input' || source?.kind === 'layer')
}

function connect(layer: Layer, inputs: readonly Tensor[]): Tensor {
  const where = layer.givenName ?? layer.type
  const stranger = inputs.findIndex((x) => !isTensor(x))
  if (stranger >= 0) {
    const hint = 'call it on the result of input(...) or of another layer'
    throw new FoveaError('E_MODEL', {
      what: 'is called on something that is not a tensor',
      where,
      got: show(inputs[stranger]),
      hint,
    })
  }
  const several = layer.row.inputs === 'several'
  if (several ? inputs.length < 2 : inputs.length !== 1) {
    throw new FoveaError('E_MODEL', {
      what: 'is called on the wrong number of tensors',
      where: layer.givenName ?? layer.type,
      expected: several ? 'two or more' : 'one',
      got: `${inputs.length}`,
    })
  }
  return {
    shape: outputShape(
      layer,
      inputs.map((x) => x.shape),
      layer.givenName ?? layer.type,
    ),
    source: { kind: 'layer', layer, inputs },
  }
}

/** Where values enter: the shape of one sample. Without a name it is called `input_layer`. */
export function input(shape: Shape, options: { name?: string | undefined } = {}): Tensor {
  const { name } = settle(nameTable, options, 'input')
  wantShape(shape, name ?? 'input')
  return { shape: Object.freeze([...shape]), source: { kind: 'input', name } }
}

/** The weights that a layer has for inputs of these shapes. */
export function weightsOf(layer: Layer, shapes: readonly Shape[]): Readonly<Record<string, WeightSpec>> {
  const { className, weights } = layer.row
  if (!weights) return {}
  const specs: unknown = weights(layer.options, shapes[0], shapes)
  if (isPlain(specs) && Object.values(specs).every(isWeightSpec)) return specs as Record<string, WeightSpec>
  const facts = {
    expected: "weights by name, as in { kernel: { shape: [3, 2], initializer: 'zeros' } }",
    got: show(specs),
  }
  throw new FoveaError('E_GRAPH', { what: `weights of ${className} gives no specs`, ...facts })
}

const isWeightSpec = (spec: unknown): boolean => isPlain(spec) && isShape(spec['shape']) && 'initializer' in spec

/** The shape of one sample that a layer gives: that of its forward graph for a batch of two. */
export function outputShape(layer: Layer, shapes: readonly Shape[], where: string): Shape {
  return locate(where, () => {
    const inputs = shapes.map((shape, i) => inputNode(`x${i}`, [2, ...shape])) as [Node, ...Node[]]
    const weights = Object.entries(weightsOf(layer, shapes)).map(([name, { shape }]) => [name, inputNode(name, shape)])
    const context = { mode: 'infer', isTrainable: true, draw: drawer(inputNode('key', [4], 'int32'), () => 0) } as const
    const [batch, ...shape] = forwarded(layer, inputs, Object.fromEntries(weights), context).output.shape
    if (batch === 2) return shape
    throw new FoveaError('E_SHAPE', {
      what: 'a layer must not mix samples',
      expected: '[n, ...]',
      got: 'another first axis',
    })
  })
}

/** The forward graph of a layer, with its updates. */
export function forwarded(
  { row, options }: Layer,
  inputs: readonly [Node, ...Node[]],
  weights: Readonly<Record<string, Node>>,
  context: ForwardContext,
): Required<Forwarded<string>> {
  const result: unknown = row.forward(inputs, weights, options, context)
  const given = isNode(result) ? result : (result as Forwarded<string> | undefined | null)?.output
  if (!isNode(given)) {
    const hint = 'does it return what it computes?'
    const facts = { expected: 'a node, or { output, updates? }', got: show(result), hint }
    throw new FoveaError('E_GRAPH', { what: `forward of ${row.className} gives no node`, ...facts })
  }
  const {
    output,
    updates = {},
    preactivation = output,
  } = (isNode(result) ? { output: result } : result) as Forwarded<string>
  return { output, updates, preactivation }
}

/** Parameters of a set of weights. */
export const countOf = (weights: readonly WeightSpec[]): number =>
  weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
