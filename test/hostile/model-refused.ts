/** Model files that are refused, and words of the complaint: one good file, and what a stranger may have made of it. */
import { writeSafetensors } from '../../src/files/safetensors.ts'
import type { Network } from '../../src/network/network.ts'
import type { Layer as AnyLayer } from '../../src/nn/layer.ts'
import type { Refused } from './kind.ts'

interface Parts {
  architecture: { name: unknown; kind: unknown; layers: Record<string, Layer>; calls: unknown; outputs: unknown }
  metadata: Record<string, string>
  tensors: Record<string, { shape: number[]; dtype: 'float32'; data: Float32Array } | Uint8Tensor>
}
type Layer = { type: unknown; options: Record<string, unknown> }
type Uint8Tensor = { shape: number[]; dtype: 'uint8'; data: Uint8Array }

const floats = (...shape: number[]) => {
  return { shape, dtype: 'float32' as const, data: new Float32Array(shape.reduce((product, n) => product * n, 1)) }
}

const good = (): Parts => ({
  architecture: {
    name: 'small',
    kind: 'sequential',
    layers: {
      conv: { type: 'conv2d', options: { filters: 2, kernelSize: 3, groups: 1, useBias: false } },
      pool: { type: 'maxPooling2d', options: { poolSize: 2 } },
      flat: { type: 'flatten', options: {} },
      drop: { type: 'dropout', options: { rate: 0.5 } },
      dense: { type: 'dense', options: { units: 3 } },
    },
    calls: [
      { input: 'image', shape: [6, 6, 1] },
      ...['conv', 'pool', 'flat', 'drop', 'dense'].map((layer, i) => ({ layer, inputs: [i] })),
    ],
    outputs: { digit: 5 },
  },
  metadata: {
    format: 'fovea',
    formatVersion: '1',
    heads: '{"digit":"softmax"}',
    classNames: '["a","b","c"]',
    preprocessing: '{"size":[6,6],"channels":1}',
  },
  tensors: { 'conv/kernel': floats(3, 3, 1, 2), 'dense/kernel': floats(8, 3), 'dense/bias': floats(3) },
})

/** The good file after a change; metadata that `change` gives comes last. */
function made(change: (parts: Parts) => unknown, late: Record<string, string> = {}): Uint8Array {
  const parts = good()
  change(parts)
  const { architecture, metadata, tensors } = parts
  return writeSafetensors({ metadata: { architecture: JSON.stringify(architecture), ...metadata, ...late }, tensors })
}

export const goodModel: Uint8Array = made(() => {})

/** Nothing is wrong with it, but that its borders would fill 17 terabytes. */
export const enormous: Uint8Array = made(({ architecture: a, tensors }) => {
  a.layers = { border: { type: 'zeroPadding2d', options: { padding: 2 ** 20 } } }
  a.calls = [
    { input: 'image', shape: [6, 6, 1] },
    { layer: 'border', inputs: [0] },
  ]
  a.outputs = { digit: 1 }
  for (const name of Object.keys(tensors)) delete tensors[name]
})

const metadata = (key: string, text: string | undefined): Uint8Array =>
  made(({ metadata: texts }) => (text === undefined ? delete texts[key] : Object.assign(texts, { [key]: text })))
const architecture = (change: object): Uint8Array => made((parts) => Object.assign(parts.architecture, change))
const layer = (name: string, given: unknown): Uint8Array =>
  made((parts) => Object.assign(parts.architecture.layers, { [name]: given }))
const options = (name: string, given: object): Uint8Array =>
  made((parts) => Object.assign(parts.architecture.layers[name].options, given))
const calls = (change: (list: unknown[]) => unknown): Uint8Array =>
  made((parts) => change(parts.architecture.calls as unknown[]))
const tensor = (name: string, given: Parts['tensors'][string] | undefined): Uint8Array =>
  made(({ tensors }) => (given ? Object.assign(tensors, { [name]: given }) : delete tensors[name]))
const text = (json: string): Uint8Array => made(() => {}, { architecture: json })
const objects = { toString: 1, valueOf: 1 }

/** The good network with a factor instead of a dropout. */
const scaled = (({ layers, ...rest }) => ({
  ...rest,
  layers: { ...layers, drop: { type: 'rescaling', options: { scale: 0.5 } } },
}))(good().architecture)
/** Two rows put one after the other, which needs the axis of the samples. */
const joinedSamples = {
  layers: { joined: { type: 'concatenate', options: { axis: -2 } } },
  calls: [
    { input: 'row', shape: [3] },
    { layer: 'joined', inputs: [0, 0] },
  ],
  outputs: { rows: 1 },
}

export const refused: readonly Refused[] = [
  ['of another program', metadata('format', undefined), 'not a model', 'format: fovea'],
  ['without a version', metadata('formatVersion', undefined), 'formatVersion is not a number'],
  ['with a version of words', metadata('formatVersion', '1e3'), 'formatVersion is not a number', "'1e3'"],
  ['without an architecture', made(({ metadata: m }) => m, { architecture: '' }), 'architecture'],
  ['without heads', metadata('heads', undefined), 'the metadata has no heads'],
  ['with broken JSON', text('{'), 'architecture in the metadata is not JSON', 'character 1'],
  ['with a list cut short', text('[1, 2'), "no ']' where one must be"],
  ['with a comma too many', text('[1,]'), 'is not JSON', 'character 3'],
  ['with a key that is no text', text('{a":1}'), 'no key where one must be'],
  ['with a key without a value', text('{"a" 1}'), "no ':' where one must be"],
  ['with a text without an end', text('{"a'), 'is not JSON'],
  ['with words that are no JSON', text('{"a":undefined}'), 'is not JSON', 'character 5'],
  ['with two values', text('{} {}'), 'there is more after its end'],
  ['with a key twice', text('{"name":"a","\\u006eame":"b"}'), "says 'name' twice", 'character 12'],
  ['with lists in lists', text('['.repeat(50) + ']'.repeat(50)), 'nested too deeply', 'character 33'],
  ['with a list as its architecture', text('[]'), 'architecture must be an object', 'got []'],
  ['with a text as its architecture', text('"x"'), 'architecture must be an object'],
  ['with null as its architecture', text('null'), 'architecture must be an object'],
  ['with layers in a list', architecture({ layers: [] }), 'layers must be an object'],
  ['with calls in an object', architecture({ calls: {} }), 'calls must be a list', 'got {}'],
  ['without outputs', architecture({ outputs: undefined }), 'outputs must be an object'],
  ['with no output', architecture({ outputs: {} }), 'has no output'],
  ['with an output of no call', architecture({ outputs: { digit: 6 } }), 'no call before it', 'got 6'],
  ['with an output between calls', architecture({ outputs: { digit: 1.5 } }), 'no call before it', 'got 1.5'],
  ['with an object for a number', architecture({ outputs: { digit: objects } }), 'no call before it', 'toString'],
  ['with a key for a number', architecture({ outputs: { digit: 'length' } }), 'no call before it', "'length'"],
  [
    'with an output of a bad name',
    text('{"layers":{},"calls":[{"input":"x","shape":[2]}],"outputs":{"__proto__":0},"name":""}'),
    'taken by JavaScript',
  ],
  ['with a number for its name', architecture({ name: 7 }), 'the name must be a text', 'got 7'],
  ['of an unknown kind', architecture({ kind: 'recurrent' }), 'unknown kind of model', 'sequential, functional'],
  ['with a layer that is null', layer('conv', null), 'layer conv must be an object', 'got null'],
  [
    'with an unknown layer',
    layer('conv', { type: 'conv9d', options: {} }),
    'unknown kind of layer',
    "'conv9d'",
    'conv2d',
  ],
  [
    'with options that do not go together',
    layer('drop', { type: 'relu', options: { maxValue: 1, threshold: 2 } }),
    "drop: 'maxValue' is below 'threshold'",
  ],
  ['with a function for data', layer('drop', { type: 'lambda', options: { function: 'x' } }), "'function' is wrong"],
  ['with no layer within one', layer('drop', { type: 'timeDistributed', options: {} }), "'layer' is missing"],
  [
    'with a text for a layer within one',
    layer('drop', { type: 'timeDistributed', options: { layer: 'dense' } }),
    'layer drop: layer must be an object',
  ],
  [
    'with an unknown layer within one',
    layer('drop', { type: 'timeDistributed', options: { layer: { type: 'conv9d', options: {} } } }),
    'drop: layer: an unknown kind of layer',
  ],
  ['with a layer of the prototype', layer('conv', { type: 'constructor', options: {} }), 'unknown kind of layer'],
  ['with a layer of no type', layer('conv', { options: {} }), 'conv: an unknown kind of layer', 'undefined'],
  ['with an object for a type', layer('conv', { type: objects, options: {} }), 'unknown kind of layer'],
  ['with a layer without options', layer('flat', { type: 'flatten' }), 'options of flat must be an object'],
  ['with options in a list', layer('flat', { type: 'flatten', options: [] }), 'options of flat must be an object'],
  ['with a layer without a name', layer('', { type: 'flatten', options: {} }), "'name' is wrong", 'a text without /'],
  ['with a layer named as a path', layer('a/b', { type: 'flatten', options: {} }), "'name' is wrong", "'a/b'"],
  ['with an unknown option', options('conv', { filter: 3 }), "unknown option 'filter'", "did you mean 'filters'"],
  ['with an option of the prototype', options('conv', { toString: 1 }), "unknown option 'toString'"],
  [
    'with a very long option',
    options('conv', { ['x'.repeat(1e6)]: 3 }),
    "unknown option 'xx",
    ' ... ',
    'the options are',
  ],
  ['with a missing option', options('dense', { units: undefined }), "dense: 'units' is missing", 'an integer >= 1'],
  ['with an integer below its range', options('dense', { units: 0 }), "'units' is wrong", 'got 0'],
  ['with an integer that is none', options('dense', { units: 2.5 }), "'units' is wrong", 'got 2.5'],
  ['with an integer beyond 2^53', options('dense', { units: 2 ** 53 }), "'units' is wrong"],
  ['with a number at the end of its range', options('drop', { rate: 1 }), "'rate' is wrong", 'got 1'],
  ['with a number below its range', options('drop', { rate: -0.1 }), "'rate' is wrong", 'got -0.1'],
  ['with a text for a number', options('drop', { rate: '0' }), "'rate' is wrong", "got '0'"],
  [
    'with a number beyond all',
    made((p) => p, { architecture: JSON.stringify(good().architecture).replace('0.5', '1e999') }),
    "'rate' is wrong",
  ],
  ['with a word that is not offered', options('conv', { padding: 'full' }), "'padding' is wrong", "'valid', 'same'"],
  ['with a number for a flag', options('conv', { useBias: 1 }), "'useBias' is wrong", 'true or false'],
  ['with sizes of nothing', options('conv', { kernelSize: [] }), "'kernelSize' is wrong", 'got []'],
  ['with a size of nought', options('conv', { kernelSize: [3, 0] }), "'kernelSize' is wrong", 'got [3,0]'],
  ['with a broken size', options('conv', { kernelSize: [3, 0.5] }), "'kernelSize' is wrong"],
  [
    'with three sizes for two axes',
    options('conv', { kernelSize: [1, 1, 1] }),
    "'kernelSize' is wrong",
    '[height, width]',
  ],
  ['with an unknown loss', made(() => {}, { objective: '{"loss":{"type":"exec"}}' }), 'objective', 'unknown loss'],
  [
    'with a loss of a wrong type',
    made(() => {}, { objective: '{"loss":{"type":["huber"]}}' }),
    'objective',
    "'loss' is wrong",
  ],
  ['with an unknown metric', made(() => {}, { objective: '{"metrics":["exec"]}' }), 'objective', 'unknown metric'],
  ['with an unknown initializer', options('conv', { kernelInitializer: 'exec' }), "'kernelInitializer' is wrong"],
  ['with an initializer of null', options('conv', { kernelInitializer: null }), "'kernelInitializer' is wrong"],
  ['with an initializer of a wrong type', options('conv', { kernelInitializer: { type: [] } }), "'kernelInitializer'"],
  [
    "with an initializer's wrong option",
    options('conv', { kernelInitializer: { type: 'constant', value: 'x' } }),
    "constant: 'value' is wrong",
  ],
  [
    "with a prototype's name in a value",
    options('conv', { filters: { constructor: { name: objects } } }),
    "'filters' is wrong",
    'constructor',
  ],
  [
    'with a shape that is no shape',
    layer('flat', { type: 'reshape', options: { targetShape: [-1, -1] } }),
    "'targetShape' is wrong",
  ],
  [
    'with a border that is none',
    layer('pool', { type: 'zeroPadding2d', options: { padding: [1, [2, -1]] } }),
    "'padding' is wrong",
  ],
  ['with groups that do not divide', options('conv', { filters: 3, groups: 2 }), "'groups' must divide the filters"],
  ['with a window wider than the image', options('conv', { kernelSize: 7 }), 'does not fit'],
  ['with groups that do not divide channels', options('conv', { groups: 2 }), "'groups' must divide the channels"],
  ['with a factor beyond all', text(JSON.stringify(scaled).replace('0.5', '1e999')), "'scale' is wrong"],
  ['with samples that run together', architecture(joinedSamples), 'joined: a layer must not mix samples'],
  ['with a call that is null', calls((list) => list.splice(1, 1, null)), 'a call must be an object', 'got null'],
  [
    'with a call of no layer',
    calls((list) => list.splice(1, 1, { layer: 'cunv', inputs: [0] })),
    'unknown layer',
    'call 1',
    'cunv',
  ],
  [
    'with a call of an object',
    calls((list) => list.splice(1, 1, { layer: objects, inputs: [0] })),
    'unknown layer',
    'toString',
  ],
  ['with a call without inputs', calls((list) => list.splice(1, 1, { layer: 'conv' })), 'unknown layer', 'call 1'],
  [
    'with a call of itself',
    calls((list) => list.splice(1, 1, { layer: 'conv', inputs: [1] })),
    'no call before it',
    'call 1',
  ],
  [
    'with a call of a later one',
    calls((list) => list.splice(1, 1, { layer: 'conv', inputs: [3] })),
    'no call before it',
  ],
  [
    'with a call on nothing',
    calls((list) => list.splice(1, 1, { layer: 'conv', inputs: [] })),
    'wrong number of tensors',
    'got 0',
  ],
  [
    'with a call on two',
    calls((list) => list.splice(1, 1, { layer: 'conv', inputs: [0, 0] })),
    'wrong number of tensors',
    'got 2',
  ],
  [
    'with a merge of one',
    made((p) => Object.assign(p.architecture.layers, { pool: { type: 'concatenate', options: {} } })),
    'wrong number of tensors',
    'two or more',
  ],
  [
    'with an input twice',
    calls((list) => list.push({ input: 'image', shape: [2] })),
    'two inputs have one name',
    'image',
  ],
  [
    'with an input of no size',
    calls((list) => list.splice(0, 1, { input: 'image', shape: [6, 0, 1] })),
    'image: a shape is a list of integers >= 1',
    '[6,0,1]',
  ],
  [
    'with an input of half a size',
    calls((list) => list.splice(0, 1, { input: 'image', shape: [6, 0.5, 1] })),
    'a shape is a list of integers >= 1',
  ],
  ['with an input of a text', calls((list) => list.splice(0, 1, { input: 'image', shape: '6' })), 'unknown layer'],
  ['with an input of a number', calls((list) => list.splice(0, 1, { input: 3, shape: [6, 6, 1] })), 'unknown layer'],
  [
    'with an input of many axes',
    calls((list) => list.splice(0, 1, { input: 'image', shape: Array(1000).fill(1) })),
    'too many axes',
    'got 1001',
  ],
  [
    'with sizes beyond 2^53',
    calls((list) => list.splice(0, 1, { input: 'image', shape: [2 ** 53, 1, 1] })),
    'a shape is a list of integers >= 1',
  ],
  [
    'with two ends of one name',
    calls((list) => list.splice(0, 1, { input: 'conv', shape: [6, 6, 1] })),
    "two layers are called 'conv'",
  ],
  [
    'with a shared layer that does not fit',
    made(({ architecture: a }) => {
      ;(a.calls as unknown[]).push({ layer: 'flat', inputs: [0] }, { layer: 'dense', inputs: [6] })
      a.outputs = { digit: 5, more: 7 }
    }),
    'dense: a shared layer would need another kernel',
    '[8, 3]',
    '[36, 3]',
  ],
  ['with a missing tensor', tensor('dense/bias', undefined), 'dense/bias: a tensor is missing', 'expected [3]'],
  ['with a tensor too many', tensor('extra', floats(1)), 'extra: a tensor belongs to no layer'],
  ['with a tensor of the prototype', tensor('toString', floats(1)), 'toString: a tensor belongs to no layer'],
  [
    'with a tensor of another shape',
    tensor('dense/bias', floats(1, 3)),
    'dense/bias: a tensor does not fit',
    '[3]',
    '[1, 3]',
  ],
  [
    'with a tensor of bytes',
    tensor('dense/bias', { shape: [3], dtype: 'uint8', data: new Uint8Array(3) }),
    'does not fit',
    'uint8 [3]',
  ],
  ['with enormous layers', options('conv', { filters: 2 ** 30 }), 'conv/kernel: a tensor does not fit', '1073741824'],
  ['with heads in a list', metadata('heads', '[]'), 'heads must be an object'],
  ['with an unknown head', metadata('heads', '{"digit":"exec"}'), 'heads holds an unknown word', "got 'exec'"],
  ['with a head of the prototype', metadata('heads', '{"digit":"constructor"}'), 'heads holds an unknown word'],
  ['with a head of no output', metadata('heads', '{"toString":"softmax"}'), 'heads names no output', "'toString'"],
  ['with class names in an object', metadata('classNames', '{}'), 'classNames must be a list of texts'],
  ['with class names that are no texts', metadata('classNames', '["a",1]'), 'classNames must be a list of texts'],
  ['with unknown preprocessing', metadata('preprocessing', '{"code":"x"}'), "unknown option 'code'"],
  ['with preprocessing in a list', metadata('preprocessing', '[]'), 'options must be one object', 'got []'],
  ['with preprocessing of null', metadata('preprocessing', 'null'), 'options must be one object', 'got null'],
  ['with preprocessing of a number', metadata('preprocessing', '7'), 'options must be one object', 'got 7'],
  [
    'with preprocessing of other pictures',
    metadata('preprocessing', '{"size":[6,7],"channels":1}'),
    'does not make what the input takes',
    '[6, 6, 1]',
    '[6, 7, 1]',
  ],
  ['with pictures of nought', metadata('preprocessing', '{"size":[6,0],"channels":1}'), "'size' is wrong"],
  ['with pictures of half a size', metadata('preprocessing', '{"size":[6,0.5],"channels":1}'), "'size' is wrong"],
  ['with enormous pictures', metadata('preprocessing', '{"size":[6,16385],"channels":1}'), "'size' is wrong", '16384'],
  ['with pictures of one size', metadata('preprocessing', '{"size":[6],"channels":1}'), "'size' is wrong"],
  ['with pictures of three sizes', metadata('preprocessing', '{"size":[6,6,1],"channels":1}'), "'size' is wrong"],
  ['with a text for a size', metadata('preprocessing', '{"size":"66","channels":1}'), "'size' is wrong"],
  ['with pictures of two channels', metadata('preprocessing', '{"size":[6,6],"channels":2}'), "'channels' is wrong"],
  [
    'with pictures for two inputs',
    made(({ architecture: a, metadata: m }) => {
      ;(a.calls as unknown[]).push({ input: 'more', shape: [6, 6, 1] })
      m['preprocessing'] = '{"size":[6,6],"channels":1}'
    }),
    'does not make what the input takes',
    '[6, 6, 1] and [6, 6, 1]',
  ],
  [
    'with pictures of 200 megapixels',
    metadata('preprocessing', '{"size":[16384,16384],"channels":1}'),
    "'size' is wrong",
    '100 megapixels',
  ],
  [
    'with a text for a scale',
    metadata('preprocessing', '{"size":[6,6],"channels":1,"scale":"1"}'),
    "'scale' is wrong",
    'one per channel',
  ],
  [
    'with no scale at all',
    metadata('preprocessing', '{"size":[6,6],"channels":1,"scale":[]}'),
    "'scale' is wrong",
    'one per channel',
  ],
  [
    'with a scale beyond numbers',
    metadata('preprocessing', '{"size":[6,6],"channels":1,"offset":1e300}'),
    "'offset' is wrong",
    'one per channel',
  ],
  [
    'with a text among the scales',
    metadata('preprocessing', '{"size":[6,6],"channels":1,"scale":["1"]}'),
    "'scale' is wrong",
    'one per channel',
  ],
  [
    'with a scale for three channels of one',
    metadata('preprocessing', '{"size":[6,6],"channels":1,"scale":[1,2,3]}'),
    "'scale' is wrong",
    'got 3',
  ],
  [
    'with bytes for a network of float32',
    made(({ metadata: m }) => {
      m['preprocessing'] = '{"size":[6,6],"channels":1}'
      m['learnedFrom'] = 'float32'
    }),
    'the numbers that the model learns from',
    'expected float32',
    'got bytes',
  ],
  [
    'with floats for a network of bytes',
    made(({ metadata: m }) => {
      m['preprocessing'] = '{"size":[6,6],"channels":1,"scale":1}'
      m['learnedFrom'] = 'uint8'
    }),
    'the numbers that the model learns from',
    'expected uint8',
    'got float32',
  ],
  [
    'with an input that learned from something and is not there',
    made(({ architecture: { calls }, metadata: m }) => {
      ;(calls as unknown[]).push({ input: 'other', shape: [2] })
      delete m['preprocessing']
      m['learnedFrom'] = '{"image":"float32","stranger":"float32"}'
    }),
    'learnedFrom names no input',
    "'stranger'",
  ],
  [
    'that learned from numbers of no type',
    metadata('learnedFrom', 'float64'),
    'learnedFrom is not a dtype',
    "'float64'",
  ],
]

/** Files of a newer format say so; anything else about them may be new. */
export const newer: readonly Refused[] = [
  ['from the future', metadata('formatVersion', '4'), 'newer', 'got 4', 'update Fovea'],
]

/** Files that are large, for limits that only such a file reaches. */
export const refusedLarge: readonly Refused[] = [
  ['with millions of values', text(`[${'0,'.repeat(1_000_000)}0]`), 'holds too many values', 'character 1999999'],
]

/** A network of one layer, which holds `v` as an option. */
export const holding = (v: unknown): Network => ({
  name: 'net',
  layers: [
    {
      name: 'it',
      layer: { type: 'own', row: {}, options: { v } } as unknown as AnyLayer,
      inputShapes: [],
      weights: {},
    },
  ],
  calls: [],
  inputs: {},
  outputs: {},
  frozen: new Set(),
})

/** Options that a file would give back as others. */
export const unsaved: readonly (readonly [rule: string, v: unknown, ...words: string[]])[] = [
  ['a number that JSON has not', Number.NaN, 'it: v', 'cannot be saved', 'got NaN'],
  ['one within', { deep: [Number.POSITIVE_INFINITY] }, 'it: v', 'got Infinity'],
  ['what JSON makes {} of', new Map([[1, 2]]), 'it: v', 'got a Map'],
]
const circle: unknown[] = []
circle.push(circle)
export const unsavedDeep: typeof unsaved = [['a circle', circle, 'it: v', 'nested too deeply']]
