/** A user's names are just names: none meets what Fovea calls its own, in state, programs, logs and files. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import type { Callback, Model } from '../../src/index.ts'
import {
  callbacks,
  compile,
  defineLayer,
  fromArrays,
  input,
  layers,
  loadModel,
  model,
  openEngine,
  placeholder,
  State,
  variable,
} from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const { dense, dropout, batchNormalization, add } = layers
const folder = mkdtempSync(join(tmpdir(), 'fovea-names-'))
after(() => rmSync(folder, { recursive: true }))

/** Names that something inside has, or that JavaScript, JSON, safetensors or a path gives a meaning. */
const names = [
  ...['kept', 'optimizer', 'training', 'halted', 'average', 'gradientSum'],
  ...['input', 'target', 'rate', 'key', 'weights', 'present', 'given', 'finite', 'loss', 'type'],
  ...['val', 'val_a', 'epoch', 'samples', 'seconds', 'learningRate', 'output', 'input_layer'],
  ...['numbers', 'float64', 'sha256', '__metadata__', 'architecture', 'frozen'],
  ...['constructor', 'toString', 'hasOwnProperty', 'prototype', 'length', 'then'],
  ...[
    '0',
    '-1',
    '1e3',
    'NaN',
    'undefined',
    'null',
    ' ',
    '.',
    '..',
    '*',
    'a b',
    'ä',
    '名',
    '%2F',
    'a:float32,b',
    '\'"`\\',
    '\n',
  ],
]
/** Those that a program or an object may have too, tried without a space behind them. */
const fed = ['target', 'key', 'weights', 'present', 'given', 'finite', 'constructor', '0', '\n', 'a:float32,b']
const N = 12

/** Two inputs and outputs, a layer of its own before each, all with names made of `name`; `name` itself is at `place`. */
interface Named {
  readonly layer: string
  readonly input: string
  readonly output: string
}

function net({ layer, input: x, output }: Named): Model {
  const [left, right] = [input([3], { name: x }), input([2], { name: 'a' })]
  const hidden = batchNormalization({ name: 'norm' })(dense({ units: 4, name: layer })(left))
  const joined = add({ name: 'sum' })(dropout({ rate: 0.2 })(hidden), dense({ units: 4, name: 'other' })(right))
  return model(
    { [x]: left, a: right },
    { [output]: dense({ units: 3, name: 'end' })(joined), a: dense({ units: 1, name: 'last' })(joined) },
    { seed: 1, threads: 1, engine: 'wasm' },
  )
}

const dataFor = ({ input: x, output }: Named) =>
  fromArrays({
    name: 'named',
    inputs: {
      [x]: { shape: [3], data: Float32Array.from({ length: 3 * N }, (_, i) => Math.sin(i)) },
      a: { shape: [2], data: Float32Array.from({ length: 2 * N }, (_, i) => Math.cos(i)) },
    },
    targets: {
      [output]: { shape: [], data: Int32Array.from({ length: N }, (_, i) => i % 3) },
      a: { shape: [1], data: Float32Array.from({ length: N }, (_, i) => i / N) },
    },
  })

/** The same under other names, in the order in which weights, answers and logs come. */
const plain: Named = { layer: 'first', input: 'b', output: 'b' }
const numbersOf = (values: Readonly<Record<string, ArrayLike<number>>>): number[][] =>
  Object.values(values).map((one) => Array.from(one))

const settings = {
  epochs: 2,
  batchSize: 5,
  seed: 2,
  optimizer: { type: 'adam', useEma: true },
  learningRate: 0.01,
} as const

/** All that a model does: it learns with checkpoints, keeps its best weights, is judged, asked, saved and loaded. */
async function life(named: Named, at: string) {
  const data = dataFor(named)
  const made = net(named)
  const checkpoints = { folder: join(folder, at), every: 2 }
  const keep = (): Callback[] => [callbacks.earlyStopping({ monitor: 'loss', patience: 9, restoreBestWeights: true })]
  const first = await made.fit(data, { ...settings, steps: 4, validationData: data, checkpoints, callbacks: keep() })
  const again = net(named)
  const history = await again.fit(data, {
    ...settings,
    validationData: data,
    checkpoints,
    callbacks: keep(),
    resume: true,
  })
  const path = join(folder, `${at}.safetensors`)
  await again.save(path)
  const loaded = await loadModel(path, { engine: 'wasm', threads: 1 })
  assert.deepEqual(await loaded.weights(), await again.weights())
  assert.deepEqual(Object.keys(loaded.layers), Object.keys(again.layers))
  const judged = await loaded.evaluate(data)
  const { outputs } = await loaded.predict(data)
  const graph = loaded.graph({ batch: N })
  const x = { [named.input]: new Float32Array(3 * N).fill(1), a: new Float32Array(2 * N) }
  const ran = await loaded.run(
    { outputs: { y: graph.outputs[named.output], hidden: graph.layers[named.layer].output } },
    x,
  )
  await loaded.close()
  return {
    steps: [first.steps, history.steps],
    weights: numbersOf(await again.weights()),
    answers: [outputs[named.output], outputs['a']].map(({ data: values }) => [...values]),
    losses: history.epochs.map((epoch) => [epoch['loss'], epoch['val_loss'], epoch['a_loss'], epoch['val_a_loss']]),
    logs: Object.keys(judged).length,
    ran: numbersOf(ran),
  }
}

const truth = await life(plain, 'plain')
suite('as a name of a layer, of an input, of an output', () => {
  for (const [i, name] of names.entries())
    test(JSON.stringify(name), async () => {
      assert.deepEqual(await life({ layer: name, input: `${name} `, output: name }, `named-${i}`), truth)
      if (fed.includes(name)) assert.deepEqual(await life({ ...plain, input: name }, `fed-${i}`), truth)
    })
})

test('a layer may be called __proto__', async () => {
  assert.deepEqual(await life({ ...plain, layer: '__proto__' }, 'proto'), truth)
})

test('logs of several outputs have names of their own', async () => {
  for (const name of [...names, 'a_accuracy', 'val_', 'a_val']) {
    const named = { ...plain, output: name }
    const made = net(named)
    const { epochs } = await made.fit(dataFor(named), {
      validationData: dataFor(named),
      metrics: { a: ['meanSquaredError'] },
    })
    // a total and two losses, a metric of each output; the same again of validation; four facts of the epoch
    assert.equal(Object.keys(epochs[0]).length, 2 * 5 + 4, name)
  }
})

test('a loss by name for an output that is called type', async () => {
  const named = { ...plain, output: 'type' }
  const loss = { type: 'sparseCategoricalCrossentropy', a: 'meanAbsoluteError' } as const
  const { epochs } = await net(named).fit(dataFor(named), { loss: loss as never })
  assert.ok('type_loss' in epochs[0] && 'a_loss' in epochs[0])
})

test('names of callbacks that look like the numbers of others', async () => {
  const kept: string[] = []
  const one = (name: string, key: string): Callback => ({
    name,
    onEpochEnd: (_, training) => training.keepWeights(key),
    async onTrainEnd(_, training) {
      kept.push(`${name}: ${await training.restoreWeights(key)}`)
    },
    state: () => name,
    restore() {},
  })
  const list = () => [one('x', 'y/z'), one('x 2', 'y'), one('x', 'y'), one('x/y', 'z')]
  const checkpoints = { folder: join(folder, 'callbacks') }
  await net(plain).fit(dataFor(plain), { ...settings, steps: 2, callbacks: list(), checkpoints })
  await net(plain).fit(dataFor(plain), { ...settings, callbacks: list(), checkpoints, resume: true })
  assert.equal(kept.length, 8)
})

test('fields that are joined into another’s name are other programs', async () => {
  const make = (left: string, right: string) => {
    const [x, y] = [input([2], { name: left }), input([2], { name: right })]
    return model({ [left]: x, [right]: y }, dense({ units: 1, name: 'd' })(add()(x, y)))
  }
  for (const [left, right] of [
    ['a', 'b:float32,c'],
    ['a:float32,b', 'c'],
  ] as const) {
    const values = Object.fromEntries([left, right].map((name) => [name, Float32Array.of(1, 2)]))
    assert.equal((await make(left, right).predict(values)).data.length, 1)
  }
})

test('the one name that cannot be a property is refused, and so is a path', () => {
  for (const name of ['a/b', '']) assert.throws(() => dense({ units: 1, name }), failure('E_OPTION', 'name'))
  const [x, odd] = [input([2]), input([2], { name: '__proto__' })]
  assert.throws(() => model(odd, dense({ units: 1 })(odd)), failure('E_MODEL', '__proto__'))
  assert.throws(
    () => model(x, dense({ units: 1, name: '__proto__' })(x)).features('__proto__'),
    failure('E_MODEL', '__proto__'),
  )
})

test('setWeights by a name that every object has', async () => {
  await assert.rejects(
    net(plain).setWeights({ constructor: new Float32Array(1) } as never),
    failure('E_MODEL', 'constructor'),
  )
})

test('below the layers nothing is called __proto__', async () => {
  const refused = failure('E_GRAPH', "'__proto__' is taken by JavaScript")
  assert.throws(() => placeholder('__proto__', [1]), refused)
  assert.throws(() => variable('__proto__', [1]), refused)
  const state = new State(await openEngine({ engine: 'reference' }))
  await assert.rejects(
    state.add('__proto__', { shape: [1], dtype: 'float32' }, () => Float32Array.of(4)),
    refused,
  )
  assert.throws(() => compile(state, { outputs: { ['__proto__']: placeholder('x', [1]) } }), refused)
  const weights = () => ({ ['__proto__']: { shape: [1], initializer: 'ones' as const } })
  const own = defineLayer('own', { className: 'Own', says: 'Mine.', options: {}, weights, forward: ([x]) => x })
  assert.throws(() => own()(input([1])), refused)
})
