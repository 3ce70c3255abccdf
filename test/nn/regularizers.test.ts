/** Regularizers: the penalties that Keras defines, their gradients, and what is accepted as an option. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { settle } from '../../src/base/options.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import { input } from '../../src/graph/node.ts'
import type { Dataset, Model } from '../../src/index.ts'
import { defineLayer, fromArrays, input as inputTensor, layers, model, ops, sequential } from '../../src/index.ts'
import type { Regularizer } from '../../src/nn/regularizers.ts'
import { penaltyOf, regularizerOption } from '../../src/nn/regularizers.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

const engine = referenceEngine()
after(() => engine.close())

const w = [1, -2, 0, 3]
for (const [regularizer, penalty, slope] of [
  ['l1', 0.06, [0.01, -0.01, 0, 0.01]],
  ['l2', 0.14, [0.02, -0.04, 0, 0.06]],
  ['l1L2', 0.2, [0.03, -0.05, 0, 0.07]],
  [{ type: 'l1' }, 0.06, [0.01, -0.01, 0, 0.01]],
  [{ type: 'l2', l2: 0.5 }, 7, [1, -2, 0, 3]],
  [{ type: 'l1L2', l1: 0.5 }, 3, [0.5, -0.5, 0, 0.5]],
  [{ type: 'l1L2', l1: 1, l2: 0.5 }, 13, [2, -3, 0, 4]],
] as const satisfies readonly [Regularizer, number, number[]][]) {
  test(`${JSON.stringify(regularizer)} of [${w}]`, async () => {
    const weight = input('w', [2, 2])
    const node = penaltyOf(regularizer, weight)
    assert.deepEqual(node.shape, [])
    const outputs = { penalty: node, slope: gradients(node, [weight])[0] }
    const got = await evaluate(engine, { outputs }, { w: Float64Array.from(w) })
    assertClose(got['penalty'], Float64Array.of(penalty), 1e-15, 'penalty')
    assertClose(got['slope'], Float64Array.from(slope), 1e-15, 'slope')
  })
}

const table = { kernelRegularizer: regularizerOption('penalty on the kernel') }
test('as an option: absent, a name, or a name with options, and plain JSON in each case', () => {
  const kept = (given: object) => settle(table, given, 'dense').kernelRegularizer
  assert.equal(kept({}), undefined)
  for (const given of ['l2', { type: 'l1L2', l1: 0.1 }]) assert.deepEqual(kept({ kernelRegularizer: given }), given)
})

for (const [given, ...words] of [
  ['L2', "'kernelRegularizer' is wrong", "'l1', 'l2', 'l1L2'", "got 'L2'"],
  [{ type: 'l2', l1: 1 }, "unknown option 'l1'", 'l2'],
  [{ type: 'l2', l2: -1 }, "'l2' is wrong", '>= 0'],
  [0.01, "'kernelRegularizer' is wrong"],
] as const) {
  test(`refused: ${JSON.stringify(given)}`, () => {
    assert.throws(() => settle(table, { kernelRegularizer: given }, 'dense'), failure('E_OPTION', ...words))
  })
}

/** Two inputs, a plain sum of them: the mean squared error from its target is 1 for every sample. */
async function sumOfTwo(options: { kernelRegularizer?: Regularizer } = {}): Promise<{ net: Model; data: Dataset }> {
  const net = sequential({ inputShape: [2], engine: 'reference' }, [
    layers.dense({ units: 1, useBias: false, kernelInitializer: 'ones', ...options }),
  ])
  const data = fromArrays({
    name: 'sums',
    inputs: { x: { shape: [2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) } },
    targets: { y: { shape: [1], data: Float32Array.of(4, 6, 12, 14, 18) } },
  })
  return { net, data }
}

for (const batchSize of [1, 2, 5]) {
  test(`a penalty is part of the loss once, of training and of evaluation, in batches of ${batchSize}`, async () => {
    const { net, data } = await sumOfTwo({ kernelRegularizer: { type: 'l2', l2: 0.25 } })
    const { loss } = await net.evaluate(data, { batchSize })
    assert.ok(Math.abs(loss - 1.5) < 1e-12, `${loss}`)
    const { history } = await net.fit(data, { batchSize, optimizer: 'sgd', learningRate: 0 })
    assert.ok(Math.abs(history['loss'][0] - 1.5) < 1e-12, `${history['loss']}`)
    net.freeze()
    const frozen = await net.evaluate(data, { batchSize })
    assert.ok(Math.abs(frozen['loss'] - 1) < 1e-12, 'none on what is frozen, as in Keras')
  })
}

test('a penalty is part of the gradient', async () => {
  const settings = { batchSize: 5, optimizer: 'sgd', learningRate: 1e-3, shuffle: false } as const
  const [plain, penalised] = [
    await sumOfTwo(),
    await sumOfTwo({ kernelRegularizer: { type: 'l1L2', l1: 0.5, l2: 0.25 } }),
  ]
  for (const { net, data } of [plain, penalised]) await net.fit(data, settings)
  const [a, b] = [await plain.net.weights(), await penalised.net.weights()]
  a['dense/kernel'].forEach((weight, i) => {
    // the slope of 0.5 |w| + 0.25 w^2 at 1
    assert.ok(Math.abs(weight - b['dense/kernel'][i] - 1e-3) < 1e-7)
  })
})

const activity = golden<{ name: string; regularizer: Regularizer }>('activity')
for (const { name, regularizer } of activity.cases) {
  test(`activity: ${name} as the mean over the samples, in the loss and its gradient, on every engine`, async () => {
    const [x, w, penalty, dw] = ['x', 'w', 'penalty', 'dw'].map((part) => activity.tensor(`${name}/${part}`).data)
    const data = fromArrays({
      name: 'samples',
      inputs: { x: { shape: [5], data: Float32Array.from(x) } },
      targets: { y: { shape: [3], data: new Float32Array(12) } },
    })
    const mean = Array.from(penalty).reduce((sum, p) => sum + p, 0) / 4
    for (const engine of ['reference', ...fastEngines] as const) {
      const make = async (activityRegularizer?: Regularizer) => {
        const options = { units: 3, activation: 'relu', useBias: false } as const
        const net = sequential({ inputShape: [5], engine, threads: 1 }, [
          layers.dense({ ...options, ...(activityRegularizer && { activityRegularizer }) }),
        ])
        await net.setWeights({ 'dense/kernel': Float32Array.from(w) })
        return net
      }
      const [plain, own] = [await make(), await make(regularizer)]
      const settings = { loss: 'meanSquaredError', batchSize: 4 } as const
      // 3 samples a batch: the second has one, and two that only fill it
      for (const batchSize of [4, 3, 1]) {
        const [without, withIt] = [plain, own].map((net) => net.evaluate(data, { ...settings, batchSize }))
        const added = (await withIt).loss - (await without).loss
        assert.ok(Math.abs(added - mean) < 1e-6, `${engine}, batches of ${batchSize}: ${added}, not ${mean}`)
      }
      const lossReduction = 'meanWithSampleWeight'
      const sampleWeight = Float32Array.of(1, 3, 0, 2)
      const [a, b] = [plain, own].map((net) => net.evaluate(data, { ...settings, lossReduction, sampleWeight }))
      assert.ok(Math.abs((await b).loss - (await a).loss - mean) < 1e-6, 'by the sum of weights')
      for (const net of [plain, own])
        await net.fit(data, { ...settings, optimizer: 'sgd', learningRate: 1, shuffle: false })
      const [p, q] = [(await plain.weights())['dense/kernel'], (await own.weights())['dense/kernel']]
      p.forEach((weight, i) => {
        assert.ok(Math.abs(weight - q[i] - dw[i]) < 1e-5, `${engine}: ${weight - q[i]}, not ${dw[i]}`)
      })
      await Promise.all([plain.close(), own.close()])
    }
  })
}

test('activity: layers that are used twice have two penalties, and a layer of your own gives its own', async () => {
  const noisy = defineLayer('noisy', {
    className: 'Noisy',
    says: 'x, with a penalty of 3 a sample.',
    options: {},
    forward: ([x]) => ({ output: x, penalty: ops.add(ops.sum(ops.mul(x, 0), { axes: [1] }), 3) }),
  })
  const [x, twice] = [inputTensor([2]), noisy()]
  const net = model({ x }, { y: twice(twice(x)) }, { engine: 'reference' })
  const data = fromArrays({
    name: 'zeros',
    inputs: { x: { shape: [2], data: new Float32Array(10) } },
    targets: { y: { shape: [2], data: new Float32Array(10) } },
  })
  assert.equal((await net.evaluate(data, { loss: 'meanSquaredError', batchSize: 2 })).loss, 6)
  const wrong = defineLayer('wrong', {
    className: 'Wrong',
    says: 'A scalar penalty.',
    options: {},
    forward: ([x]) => ({ output: x, penalty: ops.sum(x) }),
  })
  assert.throws(() => wrong()(x), failure('E_GRAPH', 'the penalty of Wrong', '[2]', '[]'))
})
