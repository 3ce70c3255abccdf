/** The seam of a training step: gradients are shown, shared and changed between what is computed and what is made of it. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { split } from '../../src/data/subset.ts'
import type { Callback, Dataset, FitOptions, GradientStep, Model, Optimizer } from '../../src/index.ts'
import { layers, sequential } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

const { activation, batchNormalization, dense, dropout } = layers
const folder = await mkdtemp(join(tmpdir(), 'fovea-seam-'))
after(() => rm(folder, { recursive: true }))

type EngineName = 'reference' | 'wasm' | 'native'
const engines: readonly EngineName[] = ['reference', ...fastEngines]
const looking: Callback = { onGradients() {} }
/**
 * All that a step may touch: statistics, masks, a penalty, weights of several shapes. No bias before the normalisation: its gradient is
 * 0 but for rounding, which Nadam divides by its own size.
 */
const net = (engine: EngineName): Model =>
  sequential({ inputShape: [3], seed: 4, engine, threads: 2 }, [
    dense({ units: 17, useBias: false, kernelRegularizer: 'l2' }),
    batchNormalization(),
    activation({ activation: 'relu' }),
    dropout({ rate: 0.25 }),
    dense({ units: 2 }),
  ])
const ways: [what: string, optimizer: Optimizer, options?: FitOptions][] = [
  ['adam', 'adam'],
  ['sgd with momentum', { type: 'sgd', momentum: 0.9, nesterov: true }],
  ['clipped and averaged', { type: 'adamW', globalClipnorm: 0.5, useEma: true, emaOverwriteFrequency: 3 }],
  ['accumulated', { type: 'rmsprop', gradientAccumulationSteps: 2, clipvalue: 0.1 }],
  ['a schedule', 'nadam', { learningRate: { type: 'cosineDecay', initialLearningRate: 0.01 } }],
  ['metrics of sums', 'adam', { metrics: ['f1Score', 'auc', 'cohenKappa'], weightedMetrics: ['precision'] }],
  ['weights of samples', 'adagrad', { lossReduction: 'meanWithSampleWeight', classWeight: { 0: 2, 1: 0.5 } }],
]
/** The numbers of two trainings, in one order. */
const numbersIn = (value: unknown): number[] =>
  typeof value === 'number' ? [value] : Object.values(value as object).flatMap((part) => numbersIn(part))
for (const engine of engines) {
  for (const [what, optimizer, options] of ways) {
    test(`${engine}: a step in two halves is the whole step: ${what}`, async () => {
      const trained = async (callbacks: readonly Callback[]) => {
        const model = net(engine)
        const given = { epochs: 2, batchSize: 8, validationSplit: 0.25, optimizer, ...options, callbacks }
        const { history } = await model.fit(points(26), given)
        return { history, weights: await model.weights() }
      }
      const [halves, whole] = [await trained([looking]), await trained([])]
      if (engine !== 'native') return assert.deepEqual(halves, whole) // to the bit
      const wanted = numbersIn(whole)
      for (const [i, x] of numbersIn(halves).entries())
        assert.ok(Math.abs(x - wanted[i]) < 1e-5, `${x}, not ${wanted[i]}`)
    })
  }
}

test('what is shown of a step: gradients of the mean loss, next statistics, sums', async () => {
  const steps: GradientStep[] = []
  const model = sequential({ inputShape: [1], engine: 'reference' }, [
    dense({ units: 1, useBias: false, kernelInitializer: 'ones' }),
    batchNormalization({ momentum: 0.5, center: false, scale: false }),
  ])
  const data = {
    name: 'two',
    length: 2,
    inputs: { x: { shape: [1], dtype: 'float32' } },
    targets: { y: { shape: [1], dtype: 'float32' } },
    async read(indices, into) {
      for (let i = 0; i < indices.length; i++) {
        into.inputs['x'][i] = 2 * indices[i]
        into.targets['y'][i] = 0
      }
    },
  } satisfies Dataset
  await model.fit(data, { callbacks: [{ onGradients: (step) => void steps.push(step) }] })
  const [{ epoch, batch, step, samples, gradients, statistics, sums }] = steps
  assert.deepEqual([steps.length, epoch, batch, step, samples], [1, 1, 1, 1, 2])
  assert.deepEqual(Object.keys(gradients), ['dense/kernel'])
  // of inputs 0 and 2 the mean is 1 and the variance 1: halfway from 0 and from 1
  assert.deepEqual([...statistics['batch_normalization/movingMean']], [0.5])
  assert.deepEqual([...statistics['batch_normalization/movingVariance']], [1])
  assert.ok(Math.abs(sums['loss'][0] - 2 / 1.001) < 1e-9, String(sums['loss'][0])) // two squares of 1 / sqrt(1 + 1e-3)
})

test('gradients that are shown are those of finite differences', async () => {
  const seen: Record<string, number[]> = {}
  const model = tiny()
  const before = await model.weights()
  const show: Callback = {
    onGradients: ({ gradients }) => {
      for (const [name, values] of Object.entries(gradients)) seen[name] = [...values]
    },
  }
  await model.fit(points(12), { batchSize: 12, learningRate: 0, callbacks: [show] })
  for (const [name, values] of Object.entries(before)) {
    for (const i of values.keys()) {
      const lossAt = async (change: number): Promise<number> => {
        const moved = Float32Array.from(values, (value, at) => value + (at === i ? change : 0))
        await model.setWeights({ ...before, [name]: moved })
        return (await model.evaluate(points(12)))['loss']
      }
      const slope = ((await lossAt(2 ** -8)) - (await lossAt(-(2 ** -8)))) / 2 ** -7
      assert.ok(Math.abs(slope - seen[name][i]) < 1e-5, `${name}[${i}]: ${seen[name][i]}, not ${slope}`)
    }
  }
})

/** Replaces what two trainings compute by their mean, step by step: what ranks of a data-parallel training do. */
function averaging(): () => Callback {
  let waiting: { step: GradientStep; resume: () => void } | undefined
  const join = ({ gradients, statistics, sums }: GradientStep, other: GradientStep): void => {
    const pairs = [
      [gradients, other.gradients],
      [statistics, other.statistics],
      [sums, other.sums],
    ] as const
    for (const [own, theirs] of pairs) {
      for (const [name, values] of Object.entries(own)) {
        for (const i of values.keys()) values[i] = theirs[name][i] = (values[i] + theirs[name][i]) / 2
      }
    }
  }
  return () => ({
    async onGradients(step) {
      const first = waiting
      if (!first) return new Promise<void>((resume) => void (waiting = { step, resume }))
      waiting = undefined
      join(step, first.step)
      first.resume()
    },
  })
}
for (const engine of engines) {
  test(`${engine}: two trainings that share gradients of half batches are one of whole batches`, async () => {
    const make = () =>
      sequential({ inputShape: [3], seed: 4, engine }, [dense({ units: 5, activation: 'tanh' }), dense({ units: 2 })])
    const whole = points(32)
    /** Batches of 8 whose halves lie in the halves of the data. */
    const halves = split(whole, 0.5)
    const order = Uint32Array.from({ length: 32 }, (_, i) => Math.floor(i / 8) * 4 + (i % 4) + (i % 8 < 4 ? 0 : 16))
    const interleaved: Dataset = {
      ...whole,
      read: (indices, into) =>
        whole.read(
          Uint32Array.from(indices, (i) => order[i]),
          into,
        ),
    }
    const options: FitOptions = { epochs: 3, shuffle: false, optimizer: { type: 'adam', learningRate: 0.05 } }
    const alone = make()
    const { history } = await alone.fit(interleaved, { ...options, batchSize: 8 })
    const share = averaging()
    const ranks = [make(), make()]
    const fitted = await Promise.all(
      ranks.map((rank, i) => rank.fit(halves[i], { ...options, batchSize: 4, callbacks: [share()] })),
    )
    const weights = await Promise.all(ranks.map((rank) => rank.weights()))
    assert.deepEqual(weights[0], weights[1])
    for (const [name, values] of Object.entries(await alone.weights())) {
      for (const [i, wanted] of values.entries()) {
        assert.ok(Math.abs(weights[0][name][i] - wanted) < 2e-5, `${name}: ${weights[0][name]}, not ${values}`)
      }
    }
    for (const [i, loss] of history['loss'].entries()) assert.ok(Math.abs(fitted[0].history['loss'][i] - loss) < 1e-5)
  })
}

test('what is written into gradients is what the optimizer goes by; a rate that is set holds for this step', async () => {
  const model = tiny()
  const before = (await model.weights())['only/kernel']
  const change: Callback = {
    onGradients({ gradients }, training) {
      gradients['only/kernel'].fill(0)
      gradients['only/kernel'][2] = 1
      training.learningRate = 0.25
    },
  }
  const { epochs } = await model.fit(points(12), { batchSize: 12, optimizer: 'sgd', callbacks: [change] })
  const wanted = Float32Array.from(before, (w, i) => (i === 2 ? w - 0.25 : w))
  assert.deepEqual((await model.weights())['only/kernel'], wanted)
  assert.equal(epochs[0].learningRate, 0.25)
})

const spoilings: [what: string, spoil: (step: GradientStep) => void, words: string][] = [
  ['a gradient', ({ gradients }) => void (gradients['only/bias'][1] = Number.NaN), 'the gradient for only/bias'],
  ['the loss', ({ sums }) => void (sums['loss'][0] = Number.POSITIVE_INFINITY), 'the sum of loss'],
]
for (const engine of engines) {
  for (const [what, spoil, words] of spoilings) {
    test(`${engine}: ${what} that is not finite is refused after the callback, and the weights stay`, async () => {
      const model = tiny({ engine })
      const weights: Record<string, Float32Array>[] = []
      const spoiling: Callback = {
        async onGradients(step) {
          if (step.step > 3) return
          weights.push(await model.weights())
          if (step.step === 3) spoil(step)
        },
      }
      const fitting = model.fit(points(20), { batchSize: 4, callbacks: [spoiling] })
      await assert.rejects(fitting, failure('E_NONFINITE', 'epoch 1, batch 3', words, 'onGradients'))
      assert.deepEqual(await model.weights(), weights[2])
      assert.notDeepEqual(weights[2], weights[1])
      assert.equal((await model.fit(points(20), { batchSize: 4 })).ended, 'finished')
    })
  }
}

test('a network that is not finite by itself is named as ever', async () => {
  const model = tiny()
  await model.setWeights({ 'only/bias': Float32Array.of(0, Number.NaN) })
  await assert.rejects(model.fit(points(12), { callbacks: [looking] }), failure('E_NONFINITE', 'the weight only/bias'))
})

test('hooks of steps in two halves are called in one order', async () => {
  const heard: string[] = []
  const listen: Callback = {
    onBatchBegin: ({ batch }) => void heard.push(`begin ${batch}`),
    onGradients: ({ batch }) => void heard.push(`gradients ${batch}`),
    onBatchEnd: ({ batch }) => void heard.push(`end ${batch}`),
  }
  await tiny().fit(points(12), { batchSize: 4, callbacks: [listen] })
  const pair = (n: number) => [`begin ${n}`, `gradients ${n}`]
  assert.deepEqual(heard, [...pair(1), ...pair(2), 'end 1', ...pair(3), 'end 2', 'end 3'])
})

test('a training in two halves goes on from a checkpoint to the bit', async () => {
  const given = (at: string): FitOptions => {
    const checkpoints = { folder: join(folder, at), every: 2 }
    return { epochs: 2, batchSize: 4, optimizer: 'adam', checkpoints, resume: true }
  }
  const whole = net('wasm')
  await whole.fit(points(20), { ...given('whole'), callbacks: [looking] })
  await net('wasm').fit(points(20), { ...given('parts'), steps: 3, callbacks: [looking] })
  const rest = net('wasm')
  await rest.fit(points(20), { ...given('parts'), callbacks: [looking] })
  assert.deepEqual(await rest.weights(), await whole.weights())
})
