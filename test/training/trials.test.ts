/** Trials of a training and their ends: a few batches, a limit of time, steps that are not finite and what is said of them. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Callback, Dataset, FitOptions, Model, TrainingInfo } from '../../src/index.ts'
import { fromArrays, layers, sequential } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

const folder = await mkdtemp(join(tmpdir(), 'fovea-trials-'))
after(() => rm(folder, { recursive: true }))

/** The same data, and the samples that were read of them, batch by batch. */
function watched(data: Dataset): { data: Dataset; reads: number[][] } {
  const reads: number[][] = []
  const read: Dataset['read'] = (indices, into) => {
    reads.push(Array.from(indices))
    return data.read(indices, into)
  }
  return { data: { ...data, read }, reads }
}

/** Two listeners: what training was told at its beginning, and the numbers of hooks that were called. */
function listening() {
  const infos: TrainingInfo[] = []
  const callback: Callback = { onTrainBegin: (info) => void infos.push(info) }
  return { infos, callback }
}

test('fastDevRun: an epoch of so many batches, judged on as many, without checkpoints', async () => {
  const { data, reads } = watched(points(40))
  const held = watched(points(30, 2))
  const { infos, callback } = listening()
  const checkpoints = { folder: join(folder, 'none') }
  const trial: FitOptions = { epochs: 9, batchSize: 4, fastDevRun: 3, checkpoints, callbacks: [callback] }
  const { epochs, steps, ended } = await tiny().fit(data, { ...trial, validationData: held.data })
  assert.deepEqual([epochs.length, epochs[0].samples, steps, ended], [1, 12, 3, 'finished'])
  assert.deepEqual([infos[0].epochs, infos[0].batches, infos[0].validationSamples], [1, 3, 12])
  const inOrder = (read: readonly number[][]) => read.flat().sort((a, b) => a - b)
  assert.deepEqual([inOrder(reads), inOrder(held.reads)], [[...Array(12).keys()], [...Array(12).keys()]])
  assert.ok(epochs[0]['val_loss'] > 0)
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name === 'none'),
    [],
  )
})

test('fastDevRun of more batches than there are: all of them', async () => {
  const { epochs } = await tiny().fit(points(10), { batchSize: 4, fastDevRun: 9, validationSplit: 0.2 })
  assert.equal(epochs[0].samples, 8)
})

test('overfitBatches: the same samples in the same order every epoch, judged on the same', async () => {
  const { data, reads } = watched(points(40))
  const held = watched(points(30, 2))
  const { infos, callback } = listening()
  const options: FitOptions = { epochs: 2, batchSize: 3, overfitBatches: 2, seed: 7, callbacks: [callback] }
  const { epochs } = await tiny().fit(data, { ...options, learningRate: 0, validationData: held.data })
  const epoch = [
    [0, 1, 2],
    [3, 4, 5],
    [0, 1, 2, 3, 4, 5],
  ]
  assert.deepEqual(reads, [...epoch, ...epoch])
  assert.deepEqual(held.reads, [])
  assert.deepEqual([infos[0].samples, infos[0].validationSamples, infos[0].batches], [6, 6, 2])
  for (const { loss, val_loss, samples } of epochs) {
    assert.equal(samples, 6)
    assert.ok(Math.abs(loss - val_loss) < 1e-6, `${loss} and ${val_loss}`) // of the same weights: the rate is 0
  }
})

test('overfitBatches without validation has none', async () => {
  const { history } = await tiny().fit(points(40), { batchSize: 3, overfitBatches: 2 })
  assert.deepEqual(Object.keys(history), ['accuracy', 'loss'])
})

const limits: [title: string, limits: FitOptions, trained: number, held: number][] = [
  ['so many batches', { limitTrainBatches: 3, limitValidationBatches: 2 }, 12, 8],
  ['shares of all batches', { limitTrainBatches: 0.25, limitValidationBatches: 0.5 }, 8, 16],
  ['a share of less than one batch is one', { limitTrainBatches: 0.01, limitValidationBatches: 0.01 }, 4, 4],
  ['more than there are', { limitTrainBatches: 99, limitValidationBatches: 99 }, 40, 30],
]
for (const [title, limit, trained, judged] of limits) {
  test(`limits of an epoch: ${title}`, async () => {
    const { data, reads } = watched(points(40))
    const held = watched(points(30, 2))
    const { infos, callback } = listening()
    const options: FitOptions = { epochs: 2, batchSize: 4, seed: 7, prefetch: 0, callbacks: [callback], ...limit }
    const { epochs } = await tiny().fit(data, { ...options, validationData: held.data })
    assert.deepEqual(
      epochs.map(({ samples }) => samples),
      [trained, trained],
    )
    assert.deepEqual([infos[0].samples, infos[0].validationSamples], [trained, judged])
    assert.equal(reads.flat().length, 2 * trained)
    assert.equal(Math.max(...held.reads.flat()) + 1, judged)
    const [first, second] = [reads.flat().slice(0, trained), reads.flat().slice(trained)]
    if (trained < 40) assert.notDeepEqual(new Set(first), new Set(second), 'others in every epoch')
  })
}

test('maxTime 0 ends a training before its first step', async () => {
  const model = tiny()
  const before = await model.weights()
  const { ended, why, steps, epochs } = await model.fit(points(12), { maxTime: 0 })
  assert.deepEqual([ended, why, steps, epochs], ['stopped', 'maxTime: 0 seconds are over', 0, []])
  assert.deepEqual(await model.weights(), before)
})

/** A dataset of one number per sample and a float as its target. */
const floats = (x: readonly number[], y: readonly number[] = x.map(() => 0)) =>
  fromArrays({
    name: 'floats',
    inputs: { x: { shape: [1], data: Float32Array.from(x) } },
    targets: { y: { shape: [1], data: Float32Array.from(y) } },
  })
/** Two layers of one unit each, whose weights are these. */
const line = async ([first, second]: readonly [number, number]): Promise<Model> => {
  const model = sequential({ inputShape: [1], threads: 1 }, [
    layers.dense({ units: 1, useBias: false, name: 'first' }),
    layers.dense({ units: 1, useBias: false, name: 'second' }),
  ])
  const weights = { 'first/kernel': Float32Array.of(first), 'second/kernel': Float32Array.of(second) }
  await model.setWeights(weights)
  return model
}

interface Diverging {
  readonly says: string
  readonly weights: readonly [number, number]
  readonly x: readonly number[]
  readonly y?: readonly number[]
  readonly learningRate?: number
  /** Where it happens; a batch is one sample. */
  readonly batch?: number
  readonly hint?: string
}
const { NaN: nan } = Number
const diverging: readonly Diverging[] = [
  { says: 'x of sample 1', weights: [1, 1], x: [1, nan], batch: 2, hint: 'correct the data' },
  { says: 'x of sample 0', weights: [nan, 1], x: [Infinity], hint: 'correct the data' },
  { says: 'the weight first/kernel', weights: [nan, 1], x: [1] },
  { says: 'the weight second/kernel', weights: [1, Infinity], x: [1] },
  { says: 'the output of first', weights: [1e30, 1], x: [1e10] },
  { says: 'the output of second', weights: [1e30, 1e10], x: [1] },
  { says: 'the output of first', weights: [1, 1], x: [1, 1e10], learningRate: 1e30, batch: 2 },
  { says: 'the loss', weights: [1, 1], x: [1, 1, 1e20], learningRate: 0, batch: 3 },
  { says: 'the gradient for first/kernel', weights: [1e-15, 1], x: [1e28] },
  { says: 'the gradient for second/kernel', weights: [1e15, 1e-25], x: [1e10], y: [-1e15] },
  { says: 'an updated weight', weights: [10, 10], x: [1], learningRate: 1e38 },
]
for (const { says, weights, x, y, learningRate = 0.01, batch = 1, hint } of diverging) {
  const data = floats(x, y)
  const options: FitOptions = { batchSize: 1, epochs: 3, shuffle: false, optimizer: { type: 'sgd', learningRate } }
  const way = hint ?? `lower the learning rate (now ${learningRate})`
  const words = [`epoch 1, batch ${batch}: ${says} is not a finite number`, way]

  test(`not finite, and an error: ${says} ([${weights}], ${x})`, async () => {
    const model = await line(weights)
    const until = await line(weights)
    if (batch > 1) await until.fit(data, { ...options, steps: batch - 1 })
    const ends: string[] = []
    const listen: Callback = { onTrainEnd: ({ ended }) => void ends.push(ended) }
    await assert.rejects(model.fit(data, { ...options, callbacks: [listen] }), failure('E_NONFINITE', ...words))
    assert.deepEqual(await model.weights(), await until.weights())
    assert.deepEqual(ends, ['failed'])
  })

  test(`not finite, and the end: ${says} ([${weights}], ${x})`, async () => {
    const model = await line(weights)
    const until = await line(weights)
    if (batch > 1) await until.fit(data, { ...options, steps: batch - 1 })
    const { ended, why = '', steps } = await model.fit(data, { ...options, onNonFinite: 'stop' })
    assert.deepEqual([ended, steps], ['diverged', batch - 1], why)
    for (const word of words) assert.ok(why.includes(word), `'${word}' is not in: ${why}`)
    assert.deepEqual(await model.weights(), await until.weights())
  })
}

test('after a step that was not finite, training goes on as if it had not been', async () => {
  const [whole, broken] = [await line([1, 1]), await line([1, 1])]
  const options: FitOptions = { batchSize: 1, shuffle: false, onNonFinite: 'stop' }
  await whole.fit(floats([1, 2]), options)
  await broken.fit(floats([1, nan]), options)
  const before = await line([1, 1])
  await before.fit(floats([1]), options)
  for (const model of [broken, before]) await model.fit(floats([2, 3]), options)
  assert.deepEqual(await broken.weights(), await before.weights())
})
