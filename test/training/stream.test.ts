/** Batches of an iterable: what they may be, how long an epoch is, and what is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { subset } from '../../src/data/subset.ts'
import type { Dataset, FitOptions, GivenBatch, TrainingInfo } from '../../src/index.ts'
import { allocateBatch, input, layers, model, sequential } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

const data = points(12)
/** Samples of the data as typed arrays: [x, y]. */
async function arraysOf(from: number, to: number, of: Dataset = data) {
  const batch = allocateBatch(of, to - from)
  await of.read(
    Array.from({ length: to - from }, (_, i) => from + i),
    batch,
  )
  return [batch.inputs['x'], batch.targets['y']] as const
}
type Form = (x: Float32Array, y: Int32Array) => GivenBatch
const forms: [what: string, form: Form][] = [
  ['[x, y]', (x, y) => [x, y]],
  ['[x, y] by name', (x, y) => [{ input_layer: x }, { output: y }]],
  ['{ inputs, targets }', (inputs, targets) => ({ inputs, targets })],
  ['{ inputs, targets } by name', (x, y) => ({ inputs: { input_layer: x }, targets: { output: y } })],
]
/** The data over and over, in batches of 4; the arrays are used again, as a generator may do. */
async function* endless(form: Form, ends: { done?: boolean } = {}): AsyncGenerator<GivenBatch> {
  const [x, y] = [new Float32Array(12), new Int32Array(4)]
  try {
    for (let i = 0; ; i = (i + 4) % 12) {
      const [nextX, nextY] = await arraysOf(i, i + 4)
      x.set(nextX)
      y.set(nextY)
      yield form(x, y)
      x.fill(Number.NaN)
    }
  } finally {
    ends.done = true
  }
}
const options: FitOptions = { epochs: 3, learningRate: 0.1, validationData: points(8, 2) }
const alike = await (async () => {
  const net = tiny()
  const { history } = await net.fit(data, { ...options, batchSize: 4, shuffle: false })
  return { history, weights: await net.weights() }
})()
for (const [what, form] of forms) {
  test(`a generator of ${what} trains as the dataset of its samples does`, async () => {
    const net = tiny()
    const ends = {}
    const { history, ended, steps } = await net.fit(endless(form, ends), { ...options, stepsPerEpoch: 3 })
    assert.deepEqual({ history, weights: await net.weights() }, alike)
    assert.deepEqual([ended, steps, ends], ['finished', 9, { done: true }])
  })
}

test('any iterable will do: a list of batches, of unequal sizes', async () => {
  const cuts = [0, 3, 4, 9, 12]
  const list = await Promise.all(cuts.slice(1).map((to, i) => arraysOf(cuts[i], to)))
  const infos: TrainingInfo[] = []
  const listen = { onTrainBegin: (info: TrainingInfo) => void infos.push(info) }
  const net = tiny()
  const { epochs, ended } = await net.fit(list, { stepsPerEpoch: 4, epochs: 1, callbacks: [listen] })
  assert.deepEqual([epochs[0].samples, ended, infos[0].batches, infos[0].samples], [12, 'finished', 4, undefined])
  const parts = tiny()
  let sums = 0
  for (const [i, from] of cuts.slice(0, -1).entries()) {
    const part = subset(
      data,
      Array.from({ length: cuts[i + 1] - from }, (_, j) => from + j),
    )
    const { history } = await parts.fit(part, { batchSize: part.length, shuffle: false })
    sums += history['loss'][0] * part.length
  }
  assert.deepEqual(await net.weights(), await parts.weights())
  assert.ok(Math.abs(epochs[0]['loss'] - sums / 12) < 1e-12)
})

test('weights of samples come with their batch', async () => {
  const sampleWeight = Array.from({ length: 12 }, (_, i) => (i % 3) / 2)
  const list = await Promise.all(
    [0, 4, 8].map(async (i) => [...(await arraysOf(i, i + 4)), sampleWeight.slice(i, i + 4)] as const),
  )
  const [net, other] = [tiny(), tiny()]
  await net.fit(list, { stepsPerEpoch: 3, classWeight: { 1: 2 } })
  await other.fit(data, { batchSize: 4, shuffle: false, sampleWeight, classWeight: { 1: 2 } })
  assert.deepEqual(await net.weights(), await other.weights())
})

test('several inputs and outputs, by name', async () => {
  const [a, b] = [input([2], { name: 'a' }), input([1], { name: 'b' })]
  const both = layers.concatenate()(a, b)
  const net = model({ a, b }, { one: layers.dense({ units: 1 })(both), two: layers.dense({ units: 3 })(both) })
  const batch = {
    inputs: { b: Float32Array.of(1, 2), a: Float32Array.of(1, 2, 3, 4) },
    targets: { two: Int32Array.of(0, 2), one: Float32Array.of(1, 2) },
  }
  const { history } = await net.fit([batch, batch], { stepsPerEpoch: 2, loss: { one: 'huber' } })
  assert.deepEqual(Object.keys(history).sort(), [
    'loss',
    'one_loss',
    'one_meanAbsoluteError',
    'two_accuracy',
    'two_loss',
  ])
})

for (const [what, count, epochs, samples] of [
  ['within an epoch', 4, 2, 4],
  ['at the end of one', 3, 1, 12],
] as const) {
  test(`batches that end ${what} end training, with a reason`, async () => {
    const list = await Promise.all(Array.from({ length: count }, (_, i) => arraysOf((4 * i) % 12, ((4 * i) % 12) + 4)))
    const history = await tiny().fit(list, { ...options, stepsPerEpoch: 3 })
    assert.deepEqual([history.ended, history.steps, history.epochs.length], ['stopped', count, epochs])
    assert.equal(history.why, `the batches ended after ${count} steps, 9 were asked for`)
    assert.equal(history.epochs.at(-1)?.samples, samples)
  })
}

test('the signal ends a training that waits for a batch which never comes', async () => {
  const stop = new AbortController()
  async function* stuck(): AsyncGenerator<GivenBatch> {
    yield await arraysOf(0, 4)
    await new Promise(() => {})
  }
  const fitting = tiny().fit(stuck(), { stepsPerEpoch: 3, signal: stop.signal })
  await setTimeout(20)
  stop.abort()
  const { ended, steps } = await fitting
  assert.deepEqual([ended, steps], ['aborted', 1])
})

test('an error of the generator is that of fit, and a generator is closed whatever ends training', async () => {
  const wrong = new Error('camera gone')
  async function* failing(): AsyncGenerator<GivenBatch> {
    yield await arraysOf(0, 4)
    throw wrong
  }
  await assert.rejects(tiny().fit(failing(), { stepsPerEpoch: 3 }), (error) => error === wrong)
  const ends = {}
  const bad = { onBatchEnd: () => Promise.reject(wrong) }
  const fitting = tiny().fit(
    endless((x, y) => [x, y], ends),
    { stepsPerEpoch: 3, callbacks: [bad] },
  )
  await assert.rejects(fitting, (error) => error === wrong)
  assert.deepEqual(ends, { done: true })
})

const [x, y] = [new Float32Array(6), new Int32Array(2)]
const refusedBatches: [
  what: string,
  batches: unknown[],
  code: 'E_DATA' | 'E_SHAPE' | 'E_DTYPE' | 'E_LABEL',
  words: string[],
][] = [
  ['nothing', [], 'E_DATA', ['gave no batch']],
  ['no batch', [7], 'E_DATA', ['batch 1', 'is not a batch', '[inputs, targets]']],
  ['null', [null], 'E_DATA', ['batch 1', 'is not a batch']],
  ['inputs alone', [[x]], 'E_DATA', ['batch 1']],
  ['another name', [[{ x }, y]], 'E_DATA', ['batch 1: inputs', 'input_layer', 'got x']],
  ['a list in the place of an array', [[{ input_layer: [1, 2, 3] }, y]], 'E_DTYPE', ['input_layer', 'Float32Array']],
  ['part of a sample', [[new Float32Array(7), y]], 'E_SHAPE', ['batch 1', '7 elements']],
  ['an empty batch', [[new Float32Array(0), new Int32Array(0)]], 'E_SHAPE', ['batch 1']],
  ['too few targets', [[x, new Int32Array(3)]], 'E_SHAPE', ['batch 1', '3 elements for 2 samples']],
  ['too few weights', [[x, y, [1]]], 'E_DATA', ['batch 1', 'sampleWeight', 'expected 2 numbers >= 0, got 1']],
  ['weights below 0', [[x, y, [1, -1]]], 'E_DATA', ['batch 1', 'sampleWeight', 'got [1,-1]']],
  [
    'another dtype later',
    [
      [x, y],
      [new Uint8Array(6), y],
    ],
    'E_DATA',
    ['batch 2', 'float32 [3]', 'uint8 [3]'],
  ],
  [
    'a label out of range',
    [
      [x, y],
      [x, Int32Array.of(0, 5)],
    ],
    'E_LABEL',
    ['batch 2: output of sample 1', 'got 5'],
  ],
]
for (const [what, batches, code, words] of refusedBatches) {
  test(`refused as batches: ${what}`, () =>
    assert.rejects(tiny().fit(batches as never, { stepsPerEpoch: 2 }), failure(code, ...words)))
}

const refusedOptions: [options: FitOptions, words: string[]][] = [
  [{}, ["'stepsPerEpoch' is missing"]],
  [{ stepsPerEpoch: 0 }, ['stepsPerEpoch', 'an integer >= 1']],
  [{ stepsPerEpoch: 1, batchSize: 4 }, ["'batchSize' needs a dataset"]],
  [{ stepsPerEpoch: 1, shuffle: true }, ["'shuffle' needs a dataset"]],
  [{ stepsPerEpoch: 1, validationSplit: 0.5 }, ["'validationSplit' needs a dataset"]],
  [{ stepsPerEpoch: 1, sampleWeight: [1, 1] }, ["'sampleWeight' needs a dataset"]],
  [{ stepsPerEpoch: 1, overfitBatches: 1 }, ["'overfitBatches' needs a dataset"]],
  [{ stepsPerEpoch: 1, checkpoints: { folder: 'none' } }, ["'checkpoints' needs a dataset"]],
  [{ stepsPerEpoch: 1, resume: true }, ["'resume' needs a dataset"]],
  [{ stepsPerEpoch: 1, classWeight: 'balanced' }, ["classWeight 'balanced' needs a dataset"]],
]
for (const [given, words] of refusedOptions) {
  test(`refused with batches of an iterable: ${JSON.stringify(given)}`, async () => {
    const list = [[x, y] as const]
    await assert.rejects(tiny().fit(list, given), failure('E_OPTION', ...words))
  })
}

test('a dataset has no stepsPerEpoch; typed arrays are no batches; a model must know its inputs', async () => {
  await assert.rejects(tiny().fit(data, { stepsPerEpoch: 3 }), failure('E_OPTION', 'stepsPerEpoch', 'take(data'))
  await assert.rejects(tiny().fit(x as never, {}), failure('E_MISMATCH', 'needs a dataset'))
  const open = sequential([layers.dense({ units: 2 })])
  await assert.rejects(open.fit([[x, y]], { stepsPerEpoch: 1 }), failure('E_MODEL', 'inputShape'))
})

test('a trial takes few batches of an iterable too', async () => {
  const given = { ...options, stepsPerEpoch: 100, fastDevRun: 2 }
  const { steps, epochs } = await tiny().fit(
    endless((x, y) => [x, y]),
    given,
  )
  assert.deepEqual([steps, epochs.length, epochs[0].samples], [2, 1, 8])
})

for (const [what, batches] of [
  ['one that cannot be called', { [Symbol.asyncIterator]: 5 }],
  ['one that is null', { [Symbol.iterator]: null }],
  ['nothing', { [Symbol.asyncIterator]: () => null }],
  ['one without next', { [Symbol.iterator]: () => ({}) }],
] as const)
  test(`refused: an iterable whose iterator is ${what}`, () =>
    assert.rejects(
      tiny().fit(batches as never, { stepsPerEpoch: 1 }),
      failure('E_DATA', 'the iterable gives no iterator', 'next()'),
    ))
