/**
 * Every public function and method is called with missing and with wrong arguments: each such call ends in a FoveaError, or
 * does something sensible; it never ends in a TypeError and never calls itself our bug. What is exported is found by
 * walking `src/index.ts`, so that a new function is covered from the day it is exported; `right` holds arguments that are
 * right, of which one at a time is then put wrong.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import * as fovea from '../src/index.ts'

type Callable = (...given: unknown[]) => unknown

/** What people pass by mistake. */
const wrong: readonly (readonly [name: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['-1', -1],
  ['0.5', 0.5],
  ['NaN', Number.NaN],
  ['a text', 'x'],
  ['an empty text', ''],
  ['an empty object', {}],
  ['an object', { a: 1 }],
  ['an empty list', []],
  ['a list', [1]],
  ['a list of nothing', [undefined]],
  ['a list with a hole', Object.assign(new Array(2), { 1: 1 })],
  ['a function', () => undefined],
  ['a symbol', Symbol('s')],
  ['a bigint', 1n],
  ['a date', new Date(0)],
  ['a Float32Array', new Float32Array(2)],
  ['a BigInt64Array', new BigInt64Array(2)],
  ['a DataView', new DataView(new ArrayBuffer(8))],
  ['true', true],
]

const { layers, ops, options } = fovea
const engine = await fovea.openEngine({ engine: 'reference' })
const node = fovea.placeholder('x', [2, 3])
const image = fovea.placeholder('image', [1, 4, 4, 2])
const key = fovea.placeholder('key', [4], 'int32')
const indices = fovea.placeholder('indices', [2], 'int32')
const scalar = fovea.placeholder('s', [])
const arrays = () => ({
  name: 'data',
  inputs: { x: { shape: [2], data: new Float32Array(8) } },
  targets: { y: { shape: [], data: new Int32Array(4) } },
  classNames: ['a', 'b'],
})
const data = fovea.fromArrays(arrays())
const tensor = fovea.input([4])
const picture = { width: 2, height: 2, channels: 3, pixels: new Uint8Array(12) }
const preprocessing = { size: [2, 2], channels: 1 }
const row = { className: 'Own', says: 'own', options: {}, forward: ([x]: readonly unknown[]) => x }
const size = options.integer({ says: 'a size', min: 1 })
const rows = { one: { options: {} } }

const makeModel = (): fovea.Model =>
  fovea.sequential({ inputShape: [2], engine: 'reference', seed: 1 }, [
    layers.dense({ units: 2, activation: 'softmax' }),
  ])
const window = { strides: [1, 1], padding: 'valid' }
const pool = { window: [2, 2], ...window }

/** Arguments that are right, by the name of a function; what is not named here is called with wrong ones alone. */
const right: Readonly<Record<string, () => unknown[]>> = {
  FoveaError: () => ['E_OPTION', { what: 'is wrong' }],
  decodeImage: () => [new Uint8Array([0x89, 0x50, 0x4e, 0x47]), 'picture'],
  'options.integer': () => [{ says: 'x', min: 1 }],
  'options.number': () => [{ says: 'x', min: 1 }],
  'options.text': () => [{ says: 'x' }],
  'options.flag': () => [{ says: 'x', default: true }],
  'options.choice': () => [['a', 'b'], { says: 'x' }],
  'options.sizes': () => [{ says: 'x' }],
  'options.list': () => [size, { says: 'x' }],
  'options.record': () => [size, { says: 'x', keys: 'name' }],
  'options.either': () => [[size], { says: 'x' }],
  'options.group': () => [{ size }, { says: 'x', what: 'sizes' }],
  'options.named': () => [rows, { says: 'x', what: 'row' }],
  'options.described': () => [rows, { says: 'x', what: 'row' }],
  'options.optional': () => [size, 'x'],
  'options.withDefault': () => [size, 1],
  'options.custom': () => [{ says: 'x', accepts: 'x', check: (value: unknown) => value }],
  compile: () => [new fovea.State(engine), { outputs: { scalar } }, {}],
  State: () => [engine],
  allocateBatch: () => [data, 2],
  fromArrays: () => [arrays()],
  preprocess: () => [picture, preprocessing],
  split: () => [data, 0.5],
  subset: () => [data, [0, 1]],
  take: () => [data, 2],
  openEngine: () => [{ engine: 'reference' }],
  constant: () => [new Float32Array(2), [2]],
  placeholder: () => ['x', [2], 'float32'],
  variable: () => ['x', [2], 'float32'],
  loadModel: () => ['nowhere.safetensors', {}],
  model: () => [tensor, layers.dense({ units: 2 })(tensor), { name: 'net' }],
  modelFrom: () => [new Uint8Array(16), 'model', {}],
  sequential: () => [{ inputShape: [2] }, [layers.dense({ units: 2 })]],
  defineLayer: () => ['own', row],
  input: () => [[2], { name: 'x' }],
  gradients: () => [scalar, [scalar]],
  'ops.select': () => [node, node, node],
  'ops.clip': () => [node, 0, 1],
  'ops.matmul': () => [node, node, { transposeB: true }],
  'ops.convolution': () => [image, fovea.placeholder('k', [2, 2, 2, 3]), { ...window, dilation: [1, 1], groups: 1 }],
  'ops.maxPool': () => [image, pool],
  'ops.averagePool': () => [image, pool],
  'ops.softmax': () => [node],
  'ops.logSoftmax': () => [node],
  'ops.moments': () => [node, { axes: [0] }],
  'ops.batchNorm': () => [node, { mean: scalar, variance: scalar, epsilon: 1e-3 }],
  'ops.sum': () => [node, { axes: [0], keepDims: true }],
  'ops.mean': () => [node, { axes: [0], keepDims: true }],
  'ops.max': () => [node, { axes: [0], keepDims: true }],
  'ops.argmax': () => [node, 1],
  'ops.reshape': () => [node, { shape: [3, 2] }],
  'ops.transpose': () => [node, { permutation: [1, 0] }],
  'ops.pad': () => [
    node,
    {
      padding: [
        [0, 1],
        [1, 0],
      ],
      value: 1,
    },
  ],
  'ops.slice': () => [node, { begin: [0, 0], size: [1, 1] }],
  'ops.concat': () => [[node, node], { axis: 0 }],
  'ops.broadcastTo': () => [node, { shape: [5, 2, 3] }],
  'ops.gather': () => [node, indices],
  'ops.oneHot': () => [indices, { depth: 2 }],
  'ops.randomUniform': () => [key, { shape: [2], stream: 1 }],
  'ops.randomNormal': () => [key, { shape: [2], stream: 1 }],
  'callbacks.csvLogger': () => [{ path: 'log.csv' }],
  'callbacks.jsonLogger': () => [{ path: 'log.json' }],
  'callbacks.modelCheckpoint': () => [{ path: 'model' }],
  'callbacks.learningRateScheduler': () => [() => 1],
  'datasets.digits': () => [{ samples: 4, testSamples: 1 }],
  'Model.tensor': () => ['dense'],
  'Model.features': () => ['dense'],
  'Model.freeze': () => ['dense'],
  'Model.unfreeze': () => ['dense'],
  'Model.build': () => [[2]],
  'Model.fit': () => [data, { epochs: 1, batchSize: 2 }],
  'Model.findLearningRate': () => [data, { steps: 10, batchSize: 2 }],
  'Model.findBatchSize': () => [data, { from: 2, to: 2, steps: 1 }],
  'Model.profile': () => [data, { steps: 1, batchSize: 2 }],
  'Model.check': () => [data, { loss: 'sparseCategoricalCrossentropy' }],
  'Model.evaluate': () => [data, { batchSize: 2 }],
  'Model.predict': () => [new Float32Array(4), { batchSize: 2 }],
  'Model.predictPicture': () => [new Uint8Array(8), 'picture'],
  'Model.graph': () => [{ batch: 1, mode: 'infer' }],
  'Model.run': () => [{ outputs: { y: scalar }, updates: [], float32: [] }, { s: Float32Array.of(1) }, { seed: 1 }],
  'Model.moveTo': () => [{ engine: 'reference', threads: 1, precision: 'float32' }],
  'Model.setWeights': () => [{ 'dense/bias': new Float32Array(2) }],
  'Model.save': () => ['saved.safetensors'],
  'Model.summary': () => [{ columns: 80 }],
  'Prediction.top': () => [1, 0],
  'Answer.top': () => [1, 0],
  'State.add': () => ['w', { shape: [2], dtype: 'float32' }, () => new Float32Array(2)],
  'State.read': () => ['v'],
  'State.write': () => ['v', new Float32Array(2)],
  'State.remove': () => [['w']],
  'State.has': () => ['v'],
  'State.resident': () => ['v'],
  'Program.run': () => [{ s: Float32Array.of(1) }],
  'Dataset.read': () => [[0, 1], fovea.allocateBatch(data, 2)],
  'Layer()': () => [tensor],
  Model: () => [{ kind: 'sequential', name: 'net', seed: 1, engine: {}, from: [layers.dense({ units: 2 })] }],
}

/** Arguments of the right form that are refused for what is behind them. */
const refusedAnyway: Readonly<Record<string, string>> = {
  decodeImage: 'a picture of four bytes',
  loadModel: 'there is no such file',
  modelFrom: 'sixteen zeros are no model',
  'Model.predictPicture': 'the model knows of no pictures',
}

/** What would leave the test: it opens what it is told to. */
const spared: Readonly<Record<string, string>> = {
  'engines.native.open': 'the row of an engine is called by openEngine, which has checked',
  'engines.wasm.open': 'the same',
  'engines.reference.open': 'the same',
}

/** A table of functions, or a namespace of them. */
const isTable = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))

/** Functions by their path, found by walking the exports. */
function* functionsOf(value: unknown, path: string): Generator<[path: string, call: Callable]> {
  if (typeof value === 'function') {
    const isClass = /^class\b/.test(Function.prototype.toString.call(value))
    const make = value as unknown as new (...given: unknown[]) => unknown
    yield [path, isClass ? (...given) => new make(...given) : (value as Callable)]
  } else if (isTable(value)) {
    for (const [name, inner] of Object.entries(value)) yield* functionsOf(inner, path ? `${path}.${name}` : name)
  }
}

/** Methods of an instance, called on one that `make` makes. */
function* methodsOf(name: string, make: () => object): Generator<[path: string, call: Callable]> {
  const example = make()
  const holder = Object.getPrototypeOf(example) === Object.prototype ? example : Object.getPrototypeOf(example)
  for (const [method, { value }] of Object.entries(Object.getOwnPropertyDescriptors(holder)))
    if (typeof value === 'function' && method !== 'constructor')
      yield [`${name}.${method}`, (...given) => (make() as Record<string, Callable>)[method](...given)]
}

/** What a user writes in braces, whose fields may be wrong; nodes, tensors and options are made by us. */
const isOptions = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' &&
  value !== null &&
  Object.getPrototypeOf(value) === Object.prototype &&
  !('op' in value || 'source' in value || 'kind' in value)

/** Calls with every argument wrong, and with the right ones but one, or one option of them. */
function* callsOf(path: string): Generator<[says: string, given: unknown[]]> {
  yield ['nothing', []]
  for (const [name, value] of wrong)
    for (const count of [1, 2, 3]) yield [`${count} times ${name}`, Array(count).fill(value)]
  const make = right[path]
  if (!make) return
  const count = make().length
  for (let at = 0; at < count; at++) {
    yield [`argument ${at + 1} missing`, make().slice(0, at)]
    for (const [name, value] of wrong) {
      yield [`argument ${at + 1}: ${name}`, make().with(at, value)]
      const own = make()[at]
      if (!isOptions(own)) continue
      for (const option of Object.keys(own)) {
        yield [`${option} of argument ${at + 1}: ${name}`, make().with(at, { ...own, [option]: value })]
        const inner = own[option]
        if (!isOptions(inner)) continue
        for (const field of Object.keys(inner))
          yield [
            `${option}.${field} of argument ${at + 1}: ${name}`,
            make().with(at, { ...own, [option]: { ...inner, [field]: value } }),
          ]
      }
    }
  }
}

/** What is wrong with how a call ends, or undefined. */
async function faultOf(call: Callable, given: readonly unknown[]): Promise<string | undefined> {
  try {
    const result = await call(...given)
    if (typeof result === 'object' && result !== null && 'close' in result && !('network' in result))
      await (result as { close: Callable }).close()
    return undefined
  } catch (error) {
    if (error instanceof fovea.FoveaError && error.code !== 'E_BUG') return undefined
    return error instanceof Error ? `${error.name} ${error.message.split('\n')[0]}` : String(error)
  }
}

const state = new fovea.State(engine)
const models = makeModel()
const prediction = await models.predict(new Float32Array(4))
const freshState = (): fovea.State => {
  const fresh = new fovea.State(state.engine)
  void fresh.add('v', { shape: [2], dtype: 'float32' }, () => new Float32Array(2))
  return fresh
}

const functions = new Map<string, Callable>([
  ...functionsOf({ ...fovea }, ''),
  ...methodsOf('Model', makeModel),
  ...methodsOf('Prediction', () => prediction),
  ...methodsOf('Answer', () => prediction.outputs['output']),
  ...methodsOf('State', freshState),
  ...methodsOf('Program', () => fovea.compile(state, { outputs: { y: ops.add(scalar, 1) } })),
  ...methodsOf('Dataset', () => data),
  ['Layer()', (...given) => (layers.dense({ units: 2 }) as Callable)(...given)],
])

const home = process.cwd()
const folder = mkdtempSync(join(tmpdir(), 'fovea-arguments-'))
const { fetch } = globalThis
before(() => {
  process.chdir(folder)
  process.env['XDG_CACHE_HOME'] = folder
  delete process.env['FOVEA_DATA']
  globalThis.fetch = () => Promise.reject(new TypeError('fetch failed'))
})
after(() => {
  process.chdir(home)
  globalThis.fetch = fetch
  rmSync(folder, { recursive: true })
})

suite('wrong arguments', () => {
  test('the right arguments are those of functions that there are, and right', async () => {
    const unknown = Object.keys({ ...right, ...spared }).filter((path) => !functions.has(path))
    assert.deepEqual(unknown, [])
    const refused: string[] = []
    for (const [path, make] of Object.entries(right)) {
      if (path in refusedAnyway) continue
      const call = functions.get(path) as Callable
      await Promise.resolve(call(...make())).catch((error) => refused.push(`${path}: ${error}`))
    }
    assert.deepEqual(refused, [])
  })
  for (const [path, call] of functions) {
    if (path in spared) continue
    test(path, async () => {
      const faults: string[] = []
      for (const [says, given] of callsOf(path)) {
        const fault = await faultOf(call, given)
        if (fault !== undefined) faults.push(`${says}: ${fault}`)
      }
      assert.deepEqual(faults, [])
    })
  }
})

/** A list whose first entry is a hole: `every` alone would pass over it. */
const holed = (...rest: readonly unknown[]): never =>
  Object.assign(new Array(rest.length + 1), Object.fromEntries(rest.map((entry, i) => [i + 1, entry]))) as never

const holes: Readonly<Record<string, () => unknown>> = {
  sampleWeight: () => makeModel().evaluate(data, { sampleWeight: holed(1, 1, 1) }),
  callbacks: () => makeModel().fit(data, { callbacks: holed({ onTrainEnd: () => {} }) }),
  customLayers: () => fovea.modelFrom(new Uint8Array(16), 'model', { customLayers: holed() }),
  classNames: () => fovea.fromArrays({ ...arrays(), classNames: holed('b') }),
  scale: () => fovea.preprocess(picture as never, { size: [1, 1], channels: 3, scale: holed(1, 1) }),
  size: () => fovea.preprocess(picture as never, { size: holed(1), channels: 3 }),
  'a shape': () => fovea.input(holed(2)),
  'the shape of a field': () =>
    fovea.fromArrays({ ...arrays(), inputs: { x: { shape: holed(2), data: new Float32Array(8) } } }),
  targetShape: () => layers.reshape({ targetShape: holed(2) }),
  'what gradients are for': () => fovea.gradients(scalar, holed(scalar)),
  layers: () => fovea.sequential({}, holed(layers.flatten())),
  tensors: () => fovea.model(holed(tensor), tensor),
  updates: () => fovea.compile(new fovea.State(engine), { outputs: { scalar }, updates: [holed(scalar)] }),
}
for (const [what, call] of Object.entries(holes))
  test(`a hole in a list is refused: ${what}`, async () => {
    await assert.rejects(async () => call(), { name: 'FoveaError' })
  })
