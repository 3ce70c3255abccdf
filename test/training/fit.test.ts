/** What fit feeds a step: its order, its masks, its rates, step by step. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { permutation, stream } from '../../src/base/random.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { fromArrays, layers, sequential } from '../../src/index.ts'
import type { Optimizer } from '../../src/nn/optimizers.ts'
import { failure } from '../support/failure.ts'

const { dense, dropout } = layers
const ones = (count: number, features: number) =>
  fromArrays({
    name: 'ones',
    inputs: { x: { shape: [features], data: new Float32Array(count * features).fill(1) } },
    targets: { y: { shape: [], data: new Int32Array(count) } },
  })
const two = (features: number) =>
  sequential({ inputShape: [features] }, [dense({ units: 2, useBias: false, kernelInitializer: 'zeros' })])

test('every epoch has an order of its own, that of the seed and of the epochs seen', async () => {
  const seen: number[][] = []
  const data = ones(20, 1)
  const heard: Dataset = {
    ...data,
    read(indices, into) {
      seen.push(Array.from(indices))
      return data.read(indices, into)
    },
  }
  const net = two(1)
  await net.fit(heard, { epochs: 2, batchSize: 20, seed: 5 })
  await net.fit(heard, { epochs: 1, batchSize: 20, seed: 5 })
  await net.fit(heard, { epochs: 1, batchSize: 20, shuffle: false })
  const orders = [0, 1, 2].map((step) => [...permutation({ seed: 5, stream: stream('shuffle'), step }, 20)])
  assert.deepEqual(seen, [...orders, Array.from({ length: 20 }, (_, i) => i)])
})

test('every step has dropout masks of its own', async () => {
  const features = 400
  const net = sequential({ inputShape: [features] }, [
    dropout({ rate: 0.5 }),
    dense({ units: 2, useBias: false, kernelInitializer: 'zeros' }),
  ])
  const untouched = async (steps: number) => {
    await net.fit(ones(1, features), { epochs: steps, batchSize: 1, optimizer: { type: 'sgd', learningRate: 1e-3 } })
    const kernel = (await net.weights())['dense/kernel']
    return kernel.reduce((n, w) => n + (w === 0 ? 1 : 0), 0) / kernel.length
  }
  // a weight that was masked at every step so far is still 0
  const shares = [await untouched(1), await untouched(1), await untouched(2)]
  for (const [i, wanted] of [1 / 2, 1 / 4, 1 / 16].entries()) {
    assert.ok(Math.abs(shares[i] - wanted) < 5 * Math.sqrt((wanted * (1 - wanted)) / features), `${shares}`)
  }
})

test('a learning rate given to fit is that of the steps', async () => {
  const after = async (optimizer: Optimizer, learningRate: number | undefined) => {
    const net = two(1)
    await net.fit(ones(1, 1), { optimizer, ...(learningRate !== undefined && { learningRate }) })
    return (await net.weights())['dense/kernel'][0]
  }
  // the gradient of two equal logits is -1/2 for the right class
  assert.equal(await after({ type: 'sgd', learningRate: 0.25 }, undefined), 0.125)
  assert.equal(await after({ type: 'sgd', learningRate: 0.25 }, 0.5), 0.25)
  assert.equal(await after('sgd', 0), 0)
})

test('steps that are under way behind one that was refused are refused too', async () => {
  const data = fromArrays({
    name: 'one bad sample',
    inputs: { x: { shape: [1], data: Float32Array.from({ length: 8 }, (_, i) => (i === 0 ? Number.NaN : 1)) } },
    targets: { y: { shape: [], data: new Int32Array(8) } },
  })
  const net = two(1)
  await assert.rejects(net.fit(data, { batchSize: 1, shuffle: false }), failure('E_NONFINITE', 'epoch 1, batch 1'))
  assert.deepEqual([...(await net.weights())['dense/kernel']], [0, 0])
})

/** Kingma and Ba 2015, algorithm 1; `keras`: epsilon before the bias correction, "just before section 2.1". */
function adam(steps: number, { epsilon, mode }: { epsilon: number; mode: 'keras' | 'torch' }): number {
  const [rate, beta1, beta2] = [0.1, 0.9, 0.999]
  let [w, m, v] = [0, 0, 0]
  for (let t = 1; t <= steps; t++) {
    const g = 1 / (1 + Math.exp(-2 * w)) - 1 // softmax of (w, -w), less 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    if (mode === 'torch') w -= (rate * (m / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon)
    else w -= ((rate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t)) * (m / (Math.sqrt(v) + epsilon))
  }
  return w
}

for (const mode of ['keras', 'torch'] as const) {
  test(`adam with the epsilon of ${mode} takes the steps of the paper, in one training or in two`, async () => {
    const epsilon = 0.01
    const net = two(1)
    const optimizer = { type: 'adam', learningRate: 0.1, epsilon, epsilonMode: mode } as const
    for (const steps of [1, 3, 6]) {
      const before = steps === 1 ? 0 : steps === 3 ? 1 : 3
      await net.fit(ones(1, 1), { epochs: steps - before, batchSize: 1, optimizer })
      const [got] = (await net.weights())['dense/kernel']
      const wanted = adam(steps, { epsilon, mode })
      assert.ok(Math.abs(got - wanted) < 1e-6, `after ${steps} steps ${got}, not ${wanted}`)
    }
  })
}

test('initialEpoch: records, order, masks and schedules go on behind the epochs that were before', async () => {
  const data = fromArrays({
    name: 'eight',
    inputs: { x: { shape: [4], data: Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)) } },
    targets: { y: { shape: [], data: Int32Array.from({ length: 8 }, (_, i) => i % 2) } },
  })
  const net = () =>
    sequential({ inputShape: [4], engine: 'reference', seed: 2 }, [dropout({ rate: 0.5 }), dense({ units: 2 })])
  const schedule = { type: 'polynomialDecay', initialLearningRate: 0.5, endLearningRate: 0, decaySteps: 16 } as const
  const options = { batchSize: 2, seed: 3, optimizer: 'sgd', learningRate: schedule } as const // four steps an epoch
  const whole = net()
  const { epochs } = await whole.fit(data, { ...options, epochs: 4 })
  const first = net()
  await first.fit(data, { ...options, epochs: 2 })
  const rest = net() // another process, which has the weights alone
  await rest.setWeights(await first.weights())
  const later = await rest.fit(data, { ...options, initialEpoch: 2, epochs: 4 })
  const plain = (list: typeof epochs) => list.map(({ seconds: _, ...record }) => record)
  const numbers = plain(later.epochs)
  assert.deepEqual(
    numbers.map(({ epoch, learningRate }) => [epoch, learningRate]),
    [3, 4].map((epoch) => [epoch, epochs[epoch - 1].learningRate]),
  )
  assert.equal(later.steps, 8)
  for (const [name, wanted] of Object.entries(await whole.weights())) {
    const got = (await rest.weights())[name]
    for (const [i, w] of wanted.entries()) assert.ok(Math.abs(got[i] - w) < 1e-6, `${name}: ${got}, not ${wanted}`)
  }
  // in the same session nothing is counted twice
  const again = await first.fit(data, { ...options, initialEpoch: 2, epochs: 4 })
  assert.deepEqual(plain(again.epochs), plain(epochs).slice(2))
})

test('initialEpoch: epochs says which is the last', async () => {
  const fit = (options: object) => two(1).fit(ones(4, 1), { batchSize: 2, initialEpoch: 3, ...options })
  const epochsOf = async (options: object) => (await fit(options)).epochs.map(({ epoch }) => epoch)
  assert.deepEqual(await epochsOf({ epochs: 5 }), [4, 5])
  assert.deepEqual(await epochsOf({}), [4])
  assert.deepEqual(await epochsOf({ steps: 3 }), [4, 5])
  assert.deepEqual(await epochsOf({ epochs: 9, fastDevRun: 1 }), [4])
  for (const epochs of [3, 1])
    await assert.rejects(fit({ epochs }), failure('E_OPTION', "'epochs'", 'above 3', `got ${epochs}`))
})
