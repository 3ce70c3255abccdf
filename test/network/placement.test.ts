/** Where a model lives: who moves it, and who computes on a copy of its weights. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { fromArrays, layers, type Model, sequential } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'

const { dense } = layers

const data = fromArrays({
  name: 'two',
  inputs: { x: { shape: [2], data: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)) } },
  targets: { y: { shape: [1], data: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)) } },
})
const one = fromArrays({
  name: 'one',
  inputs: { x: { shape: [2], data: Float32Array.of(1, 0) } },
  targets: { y: { shape: [1], data: Float32Array.of(1) } },
})
/** Two weights and no bias: what it answers for [1, 0] is its first weight. */
const made = (): Model =>
  sequential({ inputShape: [2], seed: 1, engine: 'wasm' }, [dense({ units: 1, useBias: false })])
const first = Float32Array.of(1, 0)
const answer = async (net: Model, options = {}) => (await net.predict(first, options)).data[0]
const kernel = (...values: number[]) => ({ 'dense/kernel': Float32Array.from(values) })
const others = ['reference', ...fastEngines.filter((name) => name !== 'wasm')] as const

for (const engine of others)
  suite(`a model on wasm, asked on ${engine}`, () => {
    test('stays where it is, and is answered there with the weights of the call', async () => {
      const net = made()
      const own = await net.engine()
      for (const values of [kernel(0.5, 2), kernel(0.25, 2), kernel(0.25, 3)]) {
        await net.setWeights(values)
        assert.equal(await answer(net, { engine }), values['dense/kernel'][0])
        assert.equal(await net.engine(), own)
      }
      await net.fit(data, { steps: 2, optimizer: 'sgd' })
      const [weight] = (await net.weights())['dense/kernel']
      assert.equal(await answer(net, { engine }), weight)
      const [here, there] = [await net.evaluate(data), await net.evaluate(data, { engine })]
      assert.ok(Math.abs(here['loss'] - there['loss']) < 1e-6)
      assert.equal(await net.engine(), own)
    })

    test('calls at the same time get the weights as they were at each', async () => {
      const net = made()
      const answers = await Promise.all(
        [1, 2, 3, 4, 5, 6].map((value) => {
          void net.setWeights(kernel(value, 0))
          return answer(net, { engine })
        }),
      )
      assert.deepEqual(answers, [1, 2, 3, 4, 5, 6])
    })

    test('is answered there while it is being trained, and before it lives anywhere', async () => {
      const net = made()
      const before = await answer(net, { engine })
      assert.equal(before, (await net.weights())['dense/kernel'][0])
      const fitting = net.fit(data, { epochs: 3, batchSize: 4 })
      await answer(net, { engine })
      await fitting
      assert.equal((await net.engine()).name, 'wasm')
      assert.equal(await answer(net, { engine }), (await net.weights())['dense/kernel'][0])
    })

    test('moves by fit and moveTo, with its weights', async () => {
      const net = made()
      await net.setWeights(kernel(0.75, 1))
      await answer(net, { engine })
      await net.moveTo({ engine })
      assert.equal((await net.engine()).name, engine)
      assert.equal(await answer(net), 0.75)
      await net.fit(data, { engine: 'wasm', steps: 1 })
      assert.equal((await net.engine()).name, 'wasm')
      const [weight] = (await net.weights())['dense/kernel']
      assert.equal(await answer(net), weight)
      assert.equal(await answer(net, { engine }), weight)
      await net.close()
      await assert.rejects(answer(net, { engine }), failure('E_CLOSED'))
    })
  })

for (const engine of ['reference', ...fastEngines] as const)
  test(`${engine}: an answer is by the weights of the call, also where others are set at once`, async () => {
    const net = sequential({ inputShape: [2], engine }, [dense({ units: 1, useBias: false })])
    const graph = net.graph({ batch: 1 })
    const goals = { outputs: { y: graph.outputs['output'] } }
    const calls = {
      predict: () => answer(net),
      evaluate: async () => 1 - (await net.evaluate(one, { loss: 'meanAbsoluteError' }))['loss'],
      run: async () => (await net.run(goals, first)).y[0],
    }
    for (const [name, call] of Object.entries(calls))
      for (const warm of [false, true]) {
        await net.setWeights(kernel(0.5, 0))
        if (warm) await call()
        const asked = call()
        await net.setWeights(kernel(0.25, 0))
        assert.equal(await asked, 0.5, name)
        assert.equal(await call(), 0.25, name)
      }
  })

test('weights set during a training stay where it computes', async () => {
  const net = made()
  const fitting = net.fit(data, {
    epochs: 2,
    batchSize: 4,
    optimizer: 'sgd',
    learningRate: 0,
    callbacks: [{ onEpochBegin: (epoch) => (epoch === 2 ? net.setWeights(kernel(0.5, 1)) : undefined) }],
  })
  const asked = answer(net)
  await fitting
  await asked
  assert.equal(await answer(net), 0.5)
})

test('weights set just before a move come along', async () => {
  const net = made()
  await net.engine()
  void net.setWeights(kernel(7, 0))
  await net.moveTo({ engine: 'reference' })
  assert.equal(await answer(net), 7)
})

test('a precision given to predict is that of one call', async () => {
  const net = sequential({ inputShape: [2], engine: 'reference' }, [dense({ units: 1, useBias: false })])
  await net.setWeights(kernel(1 + 2 ** -12, 0))
  const exact = await answer(net)
  assert.equal(exact, 1 + 2 ** -12)
  assert.equal(await answer(net, { precision: 'mixed_bfloat16' }), 1)
  assert.equal(await answer(net), exact)
})

const inexact = kernel(1 + 2 ** -12, 0) // which bfloat16 rounds to 1
const onReference = () =>
  sequential({ inputShape: [2], engine: 'reference' }, [dense({ units: 1, useBias: false, name: 'dense' })])
const low = { precision: 'mixed_bfloat16' } as const

test('a fit that is refused while another trains leaves the precision as it was', async () => {
  const net = onReference()
  const fitting = net.fit(data, { steps: 3 })
  const moved = { engine: 'wasm' } as const
  await assert.rejects(net.fit(data, { steps: 1, ...low }), failure('E_MODEL', 'cannot be trained'))
  await assert.rejects(net.fit(data, { steps: 1, ...moved, ...low }), failure('E_MODEL', 'cannot be trained'))
  await fitting
  await net.setWeights(inexact)
  assert.equal(await answer(net), 1 + 2 ** -12)
  assert.equal((await net.engine()).name, 'reference')
})

test('so does a fit that is refused for what it is given, and a search for a rate; a training keeps its precision', async () => {
  const net = onReference()
  const answered = async (): Promise<number> => {
    await net.setWeights(inexact)
    return answer(net)
  }
  await assert.rejects(net.fit(data, { steps: 1, ...low, resume: true }), failure('E_OPTION', 'resume'))
  assert.equal(await answered(), 1 + 2 ** -12)
  await net.findLearningRate(data, { steps: 10, ...low })
  assert.equal(await answered(), 1 + 2 ** -12)
  await net.fit(data, { steps: 1, ...low })
  assert.equal(await answered(), 1)
})

test('a fit that is refused leaves the model on its engine', async () => {
  const net = onReference()
  const own = await net.engine()
  const asked = { steps: 1, engine: 'wasm' } as const
  await assert.rejects(net.fit(data, { ...asked, epochs: 1, initialEpoch: 2 }), failure('E_OPTION', 'epochs'))
  await assert.rejects(
    net.fit(data, { ...asked, sampleWeight: Float32Array.of(1) }),
    failure('E_MISMATCH', 'sampleWeight'),
  )
  assert.equal(await net.engine(), own)
  await net.fit(data, asked)
  assert.equal((await net.engine()).name, 'wasm')
})

test('of two trainings asked for at once one is refused', async () => {
  const net = onReference()
  const all = await Promise.allSettled([1, 2].map(() => net.fit(data, { steps: 2 })))
  assert.deepEqual(
    all.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
})
