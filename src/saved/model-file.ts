/** The model file: one safetensors file, the weights as tensors, all else as JSON in its metadata. No code, a closed list of layers. */
import { FoveaError, locate } from '../base/errors.ts'
import { parseJson } from '../base/json.ts'
import { settle, show } from '../base/options.ts'
import { isPlain } from '../base/realm.ts'
import type { Numbers } from '../compile/engine.ts'
import { settleClassNames } from '../data/class-names.ts'
import type { Preprocessing } from '../data/preprocessing.ts'
import { makesFloats, preprocessingFor } from '../data/preprocessing.ts'
import { readSafetensors, writeSafetensors } from '../files/safetensors.ts'
import type { DType } from '../graph/dtype.ts'
import { asFloat32, isSurfaceDType } from '../graph/dtype.ts'
import { sameShape, shapeText } from '../graph/shape.ts'
import type { Network } from '../network/network.ts'
import { networkWeights, wire } from '../network/network.ts'
import type { ObjectiveOptions } from '../network/objective.ts'
import { objectiveOptions } from '../network/objective.ts'
import type { Head } from '../nn/heads.ts'
import { heads } from '../nn/heads.ts'
import type { Layer, LayerMaker, Tensor } from '../nn/layer.ts'
import { input } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'

/** The newest format that is read. A file says the oldest one that has all it holds, so that an older Fovea reads what it can. */
export const FORMAT_VERSION = 3
/** Since 2, preprocessing has `scale` and `offset`; since 3, each of several inputs says what it learned from. */
const formatOf = ({ network, preprocessing, learnedFrom }: SavedModel): number => {
  if (Object.keys(network.inputs).length > 1 && textOf(learnedFrom, network) !== undefined) return 3
  return preprocessing && makesFloats(preprocessing) ? 2 : 1
}

/** The dtype of the samples that an input learned from, by input, where that is known. */
export type LearnedFrom = Readonly<Record<string, DType>>

/** A model as it is saved. */
export interface SavedModel {
  readonly network: Network
  readonly kind: 'sequential' | 'functional'
  readonly weights: Readonly<Record<string, Numbers>>
  readonly heads: Readonly<Record<string, Head>>
  /** What it was trained for: loss and metrics of `fit`. */
  readonly objective?: ObjectiveOptions | undefined
  readonly classNames?: readonly string[] | undefined
  readonly preprocessing?: Preprocessing | undefined
  readonly learnedFrom?: LearnedFrom | undefined
}

interface CallJson {
  input?: string
  shape?: number[]
  layer?: string
  inputs?: number[]
}
/** The architecture as JSON; calls refer to earlier calls by number, a layer named twice is shared. */
interface NetworkJson {
  name: string
  kind: 'sequential' | 'functional'
  layers: Record<string, { type: string; options: Record<string, unknown>; frozen?: true }>
  calls: CallJson[]
  outputs: Record<string, number>
}

export function networkToJson(
  { name, layers: named, calls, outputs, frozen }: Network,
  kind: NetworkJson['kind'],
): NetworkJson {
  return {
    name,
    kind,
    layers: Object.fromEntries(
      named.map((l) => [
        l.name,
        {
          type: l.layer.type,
          options: jsonOptions(l.layer.options, l.name),
          ...(frozen.has(l.name) && { frozen: true as const }),
        },
      ]),
    ),
    calls: calls.map(({ of, inputs, shape }) =>
      of.kind === 'input' ? { input: of.name, shape: [...shape] } : { layer: of.layer.name, inputs: [...inputs] },
    ),
    outputs: { ...outputs },
  }
}

/** Options of a layer, which may be of a user's own kind; E_OPTION for a value that would come back from JSON as another. */
function jsonOptions(options: Layer['options'], layer: string): Record<string, unknown> {
  for (const [name, value] of Object.entries(options)) wantJson(value, `${layer}: ${name}`)
  return { ...options }
}

function wantJson(value: unknown, where: string, depth = 0): void {
  if (value === undefined && depth === 0) return // what was left out
  if (value === null || ['boolean', 'string'].includes(typeof value) || Number.isFinite(value)) return
  if (!Array.isArray(value) && !isPlain(value)) {
    const expected = 'null, a boolean, finite number, text, list or plain object'
    throw new FoveaError('E_OPTION', { what: 'this option cannot be saved', where, expected, got: show(value) })
  }
  if (depth > MAX_DEPTH) throw unreadable('is nested too deeply', where)
  for (const member of Object.values(value))
    if (member !== undefined || Array.isArray(value)) wantJson(member, where, depth + 1)
}

const record = (value: unknown, what: string): Record<string, unknown> => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new FoveaError('E_FILE', { what: `${what} must be an object`, got: show(value) })
}

export type AnyLayerMaker = Pick<LayerMaker<Record<never, never>>, 'type' | 'row'>

/** Wires a network from JSON of any origin; `custom` are kinds of layers that Fovea does not have itself. */
export function networkFromJson(json: unknown, custom: readonly AnyLayerMaker[] = []): Network {
  const { name, layers: given, calls, outputs } = record(json, 'the architecture')
  const kinds = { ...layers, ...Object.fromEntries(custom.map((make) => [make.type, make])) }
  const described = Object.entries(record(given, 'layers'))
  const made = new Map(described.map(([layerName, layer]) => [layerName, layerFromJson(layerName, layer, kinds)]))
  if (!Array.isArray(calls)) throw new FoveaError('E_FILE', { what: 'calls must be a list', got: show(calls) })
  const tensors: Tensor[] = []
  const inputs = new Map<string, Tensor>()
  const earlier = (index: unknown): Tensor => {
    const tensor = Number.isInteger(index) ? tensors[index as number] : undefined
    if (tensor) return tensor
    throw new FoveaError('E_FILE', {
      what: 'a call refers to no call before it',
      where: `call ${tensors.length}`,
      got: show(index),
    })
  }
  for (const call of calls as CallJson[]) {
    const { input: inputName, shape, layer, inputs: from } = record(call, 'a call') as CallJson
    if (typeof inputName === 'string' && Array.isArray(shape)) {
      if (inputs.has(inputName)) throw new FoveaError('E_FILE', { what: 'two inputs have one name', where: inputName })
      tensors.push(input(shape, { name: inputName }))
      inputs.set(inputName, tensors[tensors.length - 1])
    } else {
      const known = made.get(layer as string)
      if (!known || !Array.isArray(from))
        throw new FoveaError('E_FILE', {
          what: 'a call of an unknown layer',
          where: `call ${tensors.length}`,
          got: show(call),
        })
      tensors.push(known(from.map(earlier)))
    }
  }
  const answered = Object.entries(record(outputs, 'outputs')).map(
    ([output, index]) => [output, earlier(index)] as const,
  )
  if (typeof name !== 'string') throw new FoveaError('E_FILE', { what: 'the name must be a text', got: show(name) })
  return wire(name, Object.fromEntries(inputs), Object.fromEntries(answered))
}

function layerFromJson(name: string, json: unknown, kinds: Readonly<Record<string, AnyLayerMaker>>): Layer {
  const { type, options, frozen } = record(json, `layer ${name}`)
  if (typeof type !== 'string' || !Object.hasOwn(kinds, type)) {
    throw new FoveaError('E_FILE', {
      what: 'an unknown kind of layer',
      where: name,
      expected: Object.keys(kinds).join(', '),
      got: show(type),
      hint: 'a layer of your own: loadModel(path, { customLayers: [it] })',
    })
  }
  const make = kinds[type] as unknown as LayerMaker<Record<string, never>>
  return make({ ...record(options, `options of ${name}`), name, trainable: frozen !== true } as never)
}

/** Deeper than what is read from a file. */
const MAX_DEPTH = 32
const unreadable = (what: string, where: string): FoveaError =>
  new FoveaError('E_LIMIT', { what: `${what}: it could not be loaded again`, where })

/** A value as JSON; throws E_LIMIT where it is larger or deeper than what is read from a file. */
function readable(value: unknown, where: string): string {
  const text = JSON.stringify(value)
  parseJson(text, (what) => unreadable(what, where))
  return text
}

export function modelToBytes(model: SavedModel): Uint8Array {
  const { network, kind, weights, heads: outputHeads, objective, classNames, preprocessing, learnedFrom } = model
  const from = textOf(learnedFrom, network)
  const specs = networkWeights(network)
  const tensors = Object.fromEntries(
    Object.entries(specs).map(([name, { shape }]) => [
      name,
      { shape: [...shape], dtype: 'float32' as const, data: asFloat32(weights[name], name) },
    ]),
  )
  const metadata = {
    format: 'fovea',
    formatVersion: String(formatOf(model)),
    architecture: readable(networkToJson(network, kind), 'the architecture'),
    heads: readable(outputHeads, 'heads'),
    ...(objective && { objective: readable(objective, 'objective') }),
    ...(classNames && { classNames: readable(classNames, 'classNames') }),
    ...(preprocessing && { preprocessing: readable(preprocessing, 'preprocessing') }),
    ...(from !== undefined && { learnedFrom: from }),
  }
  return writeSafetensors({ metadata, tensors })
}

/** Reads a model file; anything that does not fit is refused with the file's name. */
export function modelFromBytes(bytes: Uint8Array, file: string, custom: readonly AnyLayerMaker[] = []): SavedModel {
  const { metadata, tensors } = readSafetensors(bytes, file)
  return asFileErrors(file, () => {
    const { format, formatVersion } = metadata
    if (format !== 'fovea') {
      throw new FoveaError('E_FILE', {
        what: 'is a safetensors file, but not a model of Fovea: its metadata does not say so',
        expected: 'format: fovea',
        got: show(format),
      })
    }
    const version = /^[1-9]\d{0,8}$/.test(formatVersion ?? '') ? Number(formatVersion) : 0
    if (version === 0)
      throw new FoveaError('E_FILE', { what: 'formatVersion is not a number', got: show(formatVersion) })
    if (version > FORMAT_VERSION) {
      throw new FoveaError('E_VERSION', {
        what: 'was written by a newer Fovea',
        expected: `format ${FORMAT_VERSION} or older`,
        got: `${version}`,
        hint: 'update Fovea',
      })
    }
    const json = (key: string): unknown => parsed(metadata[key], key)
    const architecture = record(json('architecture'), 'architecture')
    const network = locate('architecture', () => networkFromJson(architecture, custom))
    const weights: Record<string, Numbers> = {}
    for (const [name, { shape }] of Object.entries(networkWeights(network))) {
      const tensor = tensors[name]
      if (!tensor)
        throw new FoveaError('E_FILE', { what: 'a tensor is missing', where: name, expected: shapeText(shape) })
      if (tensor.dtype !== 'float32' || !sameShape(tensor.shape, shape)) {
        throw new FoveaError('E_FILE', {
          what: 'a tensor does not fit its layer',
          where: name,
          expected: `float32 ${shapeText(shape)}`,
          got: `${tensor.dtype} ${shapeText(tensor.shape)}`,
        })
      }
      weights[name] = tensor.data
    }
    const unknown = Object.keys(tensors).find((name) => !Object.hasOwn(weights, name))
    if (unknown !== undefined) throw new FoveaError('E_FILE', { what: 'a tensor belongs to no layer', where: unknown })
    const learnedFrom = learnedIn(metadata['learnedFrom'], network)
    return {
      network,
      kind: kindOf(architecture['kind']),
      weights,
      heads: words(json('heads'), 'heads', Object.keys(heads), network) as Record<string, Head>,
      objective:
        metadata['objective'] === undefined
          ? undefined
          : locate('objective', () => settle(objectiveOptions, json('objective'), 'fit')),
      classNames: metadata['classNames'] === undefined ? undefined : settleClassNames(json('classNames'), 'classNames'),
      preprocessing:
        metadata['preprocessing'] === undefined ? undefined : fitting(json('preprocessing'), network, learnedFrom),
      learnedFrom,
    }
  })
}

/** What is wrong in a file is E_FILE, whatever check found it. */
function asFileErrors<T>(file: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (!(error instanceof FoveaError)) throw error
    const { where } = error.complaint
    const code = error.code === 'E_VERSION' || error.code === 'E_LIMIT' ? error.code : 'E_FILE'
    throw new FoveaError(code, { ...error.complaint, where: where ? `${file}: ${where}` : file, cause: error })
  }
}

function kindOf(value: unknown): NetworkJson['kind'] {
  if (value === 'sequential' || value === 'functional') return value
  throw new FoveaError('E_FILE', {
    what: 'an unknown kind of model',
    expected: 'sequential, functional',
    got: show(value),
  })
}

/** Preprocessing that makes what the only input takes. */
function fitting(json: unknown, { inputs }: Network, learnedFrom: LearnedFrom): Preprocessing {
  const fields = Object.entries(inputs).map(([name, shape]) => [name, { shape, dtype: learnedFrom[name] }])
  return preprocessingFor(json, Object.fromEntries(fields), 'preprocessing')
}

/** What inputs learned from, where it was no bytes: a dtype for the only one, or JSON by input. */
function textOf(learnedFrom: LearnedFrom = {}, { inputs }: Network): string | undefined {
  const numbers = Object.entries(learnedFrom).filter(([, dtype]) => dtype !== 'uint8')
  if (numbers.length === 0) return undefined
  return Object.keys(inputs).length === 1 ? numbers[0][1] : JSON.stringify(Object.fromEntries(numbers))
}

function learnedIn(text: string | undefined, { inputs }: Network): LearnedFrom {
  if (text === undefined) return {}
  const names = Object.keys(inputs)
  const said = names.length === 1 ? { [names[0]]: text } : record(parsed(text, 'learnedFrom'), 'learnedFrom')
  for (const [name, dtype] of Object.entries(said)) {
    if (!names.includes(name)) throw new FoveaError('E_FILE', { what: 'learnedFrom names no input', got: show(name) })
    if (isSurfaceDType(dtype)) continue
    const facts = { expected: 'float32 or int32', got: show(dtype) }
    throw new FoveaError('E_FILE', { what: 'learnedFrom is not a dtype', ...facts })
  }
  return said as LearnedFrom
}

function parsed(text: string | undefined, key: string): unknown {
  if (text === undefined) throw new FoveaError('E_FILE', { what: `the metadata has no ${key}` })
  return parseJson(text, (what, at) => {
    return new FoveaError('E_FILE', { what: `${key} in the metadata ${what}`, got: `character ${at}` })
  })
}

/** A word per output of the network. */
function words(value: unknown, what: string, known: readonly string[], { outputs }: Network): Record<string, string> {
  const stray = Object.keys(record(value, what)).find((name) => !Object.hasOwn(outputs, name))
  if (stray !== undefined) throw new FoveaError('E_FILE', { what: `${what} names no output`, got: show(stray) })
  for (const word of Object.values(record(value, what))) {
    if (!known.includes(word as string))
      throw new FoveaError('E_FILE', {
        what: `${what} holds an unknown word`,
        expected: known.join(', '),
        got: show(word),
      })
  }
  return value as Record<string, string>
}
