/** Model files of small networks, wired at random from the table of layers and the tables of their options. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { FoveaError } from '../../src/base/errors.ts'
import type { Option } from '../../src/base/options.ts'
import { digitPictures, settlePreprocessing } from '../../src/data/preprocessing.ts'
import { readSafetensors, writeSafetensors } from '../../src/files/safetensors.ts'
import { input as inputNode } from '../../src/graph/node.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { forward, networkVariables, networkWeights, wire } from '../../src/network/network.ts'
import { heads } from '../../src/nn/heads.ts'
import type { LayerMaker, Tensor } from '../../src/nn/layer.ts'
import { countOf, input } from '../../src/nn/layer.ts'
import { layers } from '../../src/nn/layers/index.ts'
import type { SavedModel } from '../../src/saved/model-file.ts'
import { modelFromBytes, modelToBytes, networkToJson } from '../../src/saved/model-file.ts'
import { damaged } from './damage.ts'
import { jsonDamage } from './json.ts'
import type { FileKind } from './kind.ts'
import { withHeader } from './safetensors-files.ts'

type AnyMaker = LayerMaker<Record<string, never>>
const makers = Object.values(layers) as unknown as AnyMaker[]

const candidates: readonly unknown[] = [
  ...[1, 2, 3, 4, 6, 0, -1, 0.25, 0.5, 0.9, 1.5, -2, true, false, 'x', null],
  ...[[1, 1], [2, 1], [1, 2], [2, 2], [-1], [4], [-1, 2], [2, 2, -1], [1, [0, 2]], [0, 1], [1, 1, 1], [2, 1, 2]].map(
    (list) => list as unknown,
  ),
]

/** Values that an option takes: among a few usual ones, and the words that it names itself. */
const valuesOf = ({ accepts, check }: Option<unknown>): unknown[] => {
  const words = [...accepts.matchAll(/'([^']+)'/g)].map(([, word]) => word)
  return [...words, ...words.map((type) => ({ type })), ...candidates].filter((value) => {
    try {
      return check(value) !== undefined
    } catch {
      return false
    }
  })
}

/** By layer, by option: the values that it takes. */
const optionValues = makers.map(({ row }) =>
  Object.entries(row.options).map(([name, option]) => ({ name, option, values: valuesOf(option) })),
)

const pick = <T>(list: readonly T[], number: number): T => list[number % list.length]

interface Step {
  readonly layer: number
  readonly options: readonly number[]
  /** Which earlier tensors it is called on, and how many where it takes several. */
  readonly from: readonly number[]
  readonly name: string | undefined
  /** Use the last layer made once more, where it fits. */
  readonly again: boolean
}

const name = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  fc.constantFrom('__proto__', 'constructor', 'toString', 'a b', '"', '\\', 'é', '中', '0'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }).filter((text) => !text.includes('/')),
)

const step: fc.Arbitrary<Step> = fc.record({
  layer: fc.nat(makers.length - 1),
  options: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
  from: fc.array(fc.nat(), { minLength: 2, maxLength: 4 }),
  name,
  again: fc.boolean(),
})

/** Values for all options, or for those that must be given. */
const optionsFor = (layer: number, choices: readonly number[], which: 'all' | 'required'): Record<string, unknown> =>
  Object.fromEntries(
    optionValues[layer].flatMap(({ name, option, values }, i) => {
      const isGiven = values.length > 0 && (which === 'all' || option.required)
      return isGiven ? [[name, pick(values, choices[i % choices.length])]] : []
    }),
  )

/** A layer called with all its options set, or else with few. */
const called = (tensors: readonly Tensor[], step: Step): Tensor | undefined =>
  calledWith('all', tensors, step) ?? calledWith('required', tensors, step)

/** Undefined where the layer does not take what it would be called on, or makes it large. */
function calledWith(
  which: 'all' | 'required',
  tensors: readonly Tensor[],
  { layer, options, from, name, again }: Step,
): Tensor | undefined {
  const last = tensors[tensors.length - 1].source
  const { row } = makers[layer]
  try {
    const shared = again && last.kind === 'layer' ? last.layer : undefined
    const made = shared ?? makers[layer]({ ...optionsFor(layer, options, which), ...(name && { name }) } as never)
    const several = (shared?.row ?? row).inputs === 'several'
    // the newest tensors are the likeliest
    const inputs = from.map((number) => tensors[tensors.length - 1 - (number % Math.min(3, tensors.length))])
    const tensor = made(...(several ? inputs : inputs.slice(0, 1)))
    const weights =
      made.row.weights?.(
        made.options,
        inputs[0].shape,
        inputs.map(({ shape }) => shape),
      ) ?? {}
    const isSmall =
      sizeOf(tensor.shape) <= 500 && countOf(Object.values(weights) as Parameters<typeof countOf>[0]) <= 1000
    return isSmall ? tensor : undefined
  } catch (error) {
    if (error instanceof FoveaError) return undefined
    throw error
  }
}

const inputShapes = [[4, 4, 2], [6, 5, 1], [28, 28, 1], [3, 4, 4, 2], [8], [3], [2, 6], []]

const whole: fc.Arbitrary<SavedModel> = fc
  .record({
    inputs: fc.array(fc.nat(inputShapes.length - 1), { minLength: 1, maxLength: 2 }),
    steps: fc.array(step, { maxLength: 9 }),
    kind: fc.constantFrom('sequential', 'functional'),
    name: fc.string({ maxLength: 5 }),
    outputs: fc.nat(1),
    head: fc.option(fc.constantFrom(...(Object.keys(heads) as (keyof typeof heads)[]))),
    scale: fc.option(fc.constantFrom(1 / 255, [0.1]), { nil: undefined }),
    classNames: fc.option(fc.array(fc.string({ maxLength: 3 }), { maxLength: 4 }), { nil: undefined }),
  })
  .map(({ inputs, steps, kind, name, outputs, head, scale, classNames }) => {
    const starts = inputs.map((shape, i) => input(inputShapes[shape], { name: `input_${i}` }))
    const tensors: Tensor[] = [...starts]
    const names = new Set<string | undefined>()
    for (const one of steps) {
      const tensor = called(tensors, names.has(one.name) ? { ...one, name: undefined } : one)
      if (tensor?.source.kind === 'layer') names.add(tensor.source.layer.givenName)
      if (tensor) tensors.push(tensor)
    }
    const ends = tensors.slice(-1 - outputs).map((tensor, i) => [`output_${i}`, tensor])
    const network = attemptToWire(name, starts, Object.fromEntries(ends))
    const takesPictures = Object.values(network.inputs).map(String).join(' ') === '28,28,1'
    return {
      network,
      kind,
      weights: Object.fromEntries(
        Object.entries(networkWeights(network)).map(([weight, { shape }], i) => [
          weight,
          Float32Array.from({ length: sizeOf(shape) }, (_, k) => [i + k / 7, -0, Infinity, 1e-45][(k * i) % 4]),
        ]),
      ),
      heads: head ? { output_0: head } : {},
      classNames,
      preprocessing: takesPictures ? settlePreprocessing({ ...digitPictures, scale }) : undefined,
      learnedFrom: Object.fromEntries(
        scale === undefined ? [] : Object.keys(network.inputs).map((input) => [input, 'float32' as const]),
      ),
    }
  })

/** A name that the user gave may be one that another layer gets by itself: then the inputs alone are the network. */
function attemptToWire(name: string, starts: readonly Tensor[], outputs: Record<string, Tensor>) {
  const inputs = Object.fromEntries(starts.map((tensor, i) => [`input_${i}`, tensor]))
  try {
    return wire(name, inputs, outputs)
  } catch (error) {
    if (error instanceof FoveaError) return wire(name, inputs, { output_0: starts[0] })
    throw error
  }
}

const files = whole.map(modelToBytes)

/** One of the JSON texts in the metadata damaged, or the texts themselves, or the tensors. */
const rewritten = fc.tuple(files, jsonDamage, fc.nat(), fc.nat(5)).map(([bytes, change, which, at]) => {
  if (at === 0) return withHeader(bytes, change)
  const { metadata, tensors } = readSafetensors(bytes, 'made')
  const keys = at === 1 ? Object.keys(metadata).filter((key) => /^[{[]/.test(metadata[key])) : ['architecture']
  const key = pick(keys, which)
  return writeSafetensors({ metadata: { ...metadata, [key]: change(metadata[key]) }, tensors })
})

const key = inputNode('key', [4], 'int32')

export const modelFiles: FileKind<SavedModel> = {
  read: modelFromBytes,
  whole: whole.map((saved) => {
    const bytes = modelToBytes(saved)
    return {
      bytes,
      check: (read) => {
        assert.deepEqual(modelToBytes(read), bytes)
        assert.deepEqual(networkToJson(read.network, read.kind), networkToJson(saved.network, saved.kind))
        assert.deepEqual(read.weights, saved.weights)
      },
    }
  }),
  damaged: fc.oneof({ weight: 1, arbitrary: damaged(files) }, { weight: 3, arbitrary: rewritten }),
  isConsistent: (saved) => {
    const { network } = saved
    const bytes = modelToBytes(saved)
    assert.deepEqual(modelToBytes(modelFromBytes(bytes, 'again')), bytes)
    const inputs = Object.entries(network.inputs).map(([name, shape]) => [name, inputNode(name, [2, ...shape])])
    for (const mode of ['infer', 'train'] as const) {
      const { outputs } = forward(network, networkVariables(network), Object.fromEntries(inputs), { mode, key })
      for (const [name, node] of Object.entries(outputs))
        assert.deepEqual(node.shape, [2, ...network.calls[network.outputs[name]].shape])
    }
  },
  where: /^some\.file(:| at byte \d+:) /,
}

/** For the tests of this file itself: which layers and options the networks hold. */
export const usedBy = ({ network }: SavedModel): string[] =>
  network.layers.flatMap(({ layer }) => [layer.type, ...Object.keys(layer.options).map((o) => `${layer.type}.${o}`)])
