/** The learning rate finder: over losses that are made up, and in a model that knows nothing of it afterwards. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dataset } from '../../src/index.ts'
import { rateSearch } from '../../src/training/find-rate.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

/** What the finder makes of losses that are a function of the rate, and why it stopped. */
async function searched(lossAt: (rate: number, step: number) => number, { from = 1e-6, to = 1, steps = 100 } = {}) {
  const { callback, result } = rateSearch({ from, to, steps })
  const asked: number[] = []
  const losses: number[] = []
  let why: string | undefined
  const training = {
    learningRate: Number.NaN,
    hasSchedule: false,
    isCutShort: false,
    stop: (reason: string) => void (why = reason),
    keepWeights: async () => {},
    restoreWeights: async () => false,
    save: async () => {},
  }
  for (let step = 1; step <= steps && why === undefined; step++) {
    await callback.onBatchBegin?.({ epoch: 1, batch: step }, training)
    const { learningRate } = training
    const loss = lossAt(learningRate, step)
    asked.push(learningRate)
    losses.push(loss)
    const place = { epoch: 1, epochs: 1, batch: step, batches: steps, step }
    const told = {
      samples: 1,
      learningRate,
      imagesPerSecond: 1,
      secondsLeft: 1,
      logs: { loss: 0 },
      batchLogs: { loss },
    }
    await callback.onBatchEnd?.({ ...place, ...told }, training)
  }
  return { ...result(), asked, given: losses, why }
}

const isNear = (got: number, wanted: number): boolean => Math.abs(got - wanted) <= 1e-9 * Math.abs(wanted)

test('rates grow by one factor from the first to the last', async () => {
  const { asked, learningRates, why } = await searched(() => 1, { from: 1e-5, to: 10, steps: 13 })
  assert.ok(asked.every((rate, i) => isNear(rate, 10 ** (-5 + i / 2))))
  assert.deepEqual([learningRates, why], [asked, undefined])
})

test('losses are means that forget a tenth a step, each over the weights of what it has seen', async () => {
  const { losses, given } = await searched((_, step) => 1 + Math.sin(step))
  for (const [i, loss] of losses.entries()) {
    const weights = given.slice(0, i + 1).map((_, j) => 0.9 ** (i - j))
    const [sum, total] = weights.reduce(([a, b], w, j) => [a + w * given[j], b + w], [0, 0])
    assert.ok(isNear(loss, sum / total), `${i}: ${loss}`)
  }
})

for (const steepest of [1e-4, 1e-3, 1e-2]) {
  test(`a loss that falls around ${steepest}: the suggestion is there, as late as the mean is`, async () => {
    const { suggestion = 0 } = await searched((rate) => 1 + 1 / (1 + (rate / steepest) ** 4))
    const late = Math.log10(suggestion / steepest)
    assert.ok(late > 0 && late < 0.6, `10 ** ${late} times`) // nine steps of the mean are 0.54
  })
}

const nowhere: [what: string, lossAt: (rate: number, step: number) => number][] = [
  ['stays', () => 1],
  ['rises', (rate) => 1 + rate],
  ['falls in its first six steps alone, before the mean has settled', (_, step) => [2, 1, 1, 1, 1, 1][step - 1] ?? 3],
]
for (const [what, lossAt] of nowhere) {
  test(`a loss that ${what} suggests nothing`, async () => {
    assert.equal((await searched(lossAt)).suggestion, undefined)
  })
}

test('ends when the loss explodes: above four times its best', async () => {
  const { losses, why } = await searched((_, step) => (step <= 50 ? 1 : 4.5))
  const best = Math.min(...losses)
  assert.equal(why, 'the loss explodes')
  assert.ok(losses.slice(0, -1).every((loss) => loss <= 4 * best))
  assert.ok((losses.at(-1) ?? 0) > 4 * best)
  assert.ok(losses.length < 100)
})

test('does not end while the loss stays below four times its best', async () => {
  assert.equal((await searched((_, step) => (step <= 50 ? 1 : 3.9))).why, undefined)
})

const data = points(24)
const search = { from: 1e-4, to: 1, steps: 20, batchSize: 4, seed: 3 } as const
const fitted = { epochs: 2, batchSize: 5, seed: 3, optimizer: 'adam' } as const

test('in a model: as many rates as steps, over as many epochs as that takes', async () => {
  const { learningRates, losses } = await tiny().findLearningRate(data, search)
  assert.deepEqual([learningRates.length, losses.length], [20, 20])
  assert.ok(isNear(learningRates[0], 1e-4) && isNear(learningRates[19], 1))
})

for (const [name, optimizer] of [
  ['the same optimizer', 'adam'],
  ['another optimizer', { type: 'sgd', momentum: 0.9 }],
  ['averages', { type: 'adam', useEma: true }],
] as const) {
  test(`puts everything back, after a search with ${name}: what follows is the same to the bit`, async () => {
    const [plain, asked] = [tiny(), tiny()]
    for (const model of [plain, asked]) await model.fit(data, fitted)
    const before = await asked.weights()
    await asked.findLearningRate(data, { ...search, optimizer })
    assert.deepEqual(await asked.weights(), before)
    assert.equal(asked.summary(), plain.summary())
    const histories = await Promise.all([plain, asked].map((model) => model.fit(data, { ...fitted, shuffle: true })))
    assert.deepEqual(histories[1].history, histories[0].history)
    assert.deepEqual(await asked.toBytes(), await plain.toBytes())
  })
}

test('a model that was not trained does not take the search for a training', async () => {
  const [plain, asked] = [tiny(), tiny()]
  const named = { ...data, classNames: ['less', 'more'] }
  await asked.findLearningRate(named, search)
  assert.equal(asked.summary(), plain.summary())
  assert.equal(asked.classNames, undefined)
  const x = Float32Array.of(1, 2, 3, -4, 5, 60)
  assert.deepEqual((await asked.predict(x)).data, (await plain.predict(x)).data)
  assert.deepEqual(await asked.toBytes(), await plain.toBytes())
  for (const model of [plain, asked]) await model.fit(data, fitted)
  assert.deepEqual(await asked.toBytes(), await plain.toBytes())
})

test('a search whose steps are not finite puts everything back too', async () => {
  const model = tiny()
  const before = await model.weights()
  const { losses } = await model.findLearningRate(data, {
    from: 1,
    to: 1e38,
    steps: 20,
    batchSize: 4,
    optimizer: 'sgd',
  })
  assert.ok(losses.length > 0 && losses.length < 20 && losses.every(Number.isFinite))
  assert.deepEqual(await model.weights(), before)
})

test('a predict over a slow dataset that began before goes on when the search ends', async () => {
  const model = tiny()
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  let reads = 0
  const slow: Dataset = {
    ...data,
    read: async (...given) => {
      if (reads++ > 0) await ended
      return data.read(...given)
    },
  }
  const wanted = await tiny().predict(data)
  const answering = model.predict(slow, { batchSize: 4 })
  await model.findLearningRate(data, search)
  resolve()
  assert.deepEqual((await answering).data, wanted.data)
  assert.ok(reads > 1)
})

test('beside a training, which goes on as if nothing had been asked', async () => {
  const [plain, asked] = [tiny(), tiny()]
  await plain.fit(data, fitted)
  const [{ losses }] = await Promise.all([asked.findLearningRate(data, search), asked.fit(data, fitted)])
  assert.equal(losses.length, 20)
  assert.deepEqual(await asked.toBytes(), await plain.toBytes())
})

test('on another engine: the model stays where it is', async () => {
  const model = tiny()
  const own = await model.engine()
  const { losses } = await model.findLearningRate(data, { ...search, engine: 'reference' })
  assert.equal(losses.length, 20)
  assert.equal(await model.engine(), own)
})

test('weights that are set during a search stay', async () => {
  const model = tiny()
  const weights = await model.weights()
  const wanted = Object.fromEntries(
    Object.entries(weights).map(([name, { length }]) => [name, new Float32Array(length)]),
  )
  const searching = model.findLearningRate(data, search)
  await model.setWeights(wanted)
  await searching
  assert.deepEqual(await model.weights(), wanted)
})

for (const [what, options, words] of [
  ['rates that fall', { from: 1, to: 0.1 }, ["'to' must be above 'from'", '1 to 0.1']],
  ['a first rate of 0', { from: 0 }, ["'from'", '1e-12']],
  ['too few steps', { steps: 9 }, ["'steps'", '10']],
] as const) {
  test(`refused: ${what}`, async () => {
    await assert.rejects(tiny().findLearningRate(data, options), failure('E_OPTION', ...words))
  })
}
