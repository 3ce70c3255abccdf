/** What callbacks that watch a log have in common; early stopping and plateaus by Keras's rules over random series. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { uniforms } from '../../src/base/random.ts'
import type { Callback, Metric, TrainingInfo } from '../../src/index.ts'
import { callbacks, fromArrays, layers, sequential } from '../../src/index.ts'
import type { EarlyStoppingOptions } from '../../src/training/callbacks/early-stopping.ts'
import type { PlateauOptions } from '../../src/training/callbacks/learning-rate.ts'
import { failure } from '../support/failure.ts'
import { logsOf, played } from '../support/played.ts'
import { points, tiny } from '../support/tiny-model.ts'

const { earlyStopping, reduceLearningRateOnPlateau, modelCheckpoint } = callbacks
const { NaN: nan } = Number

for (const [monitor, isMax] of [
  ['val_accuracy', true],
  ['val_loss', false],
  ['val_auction_loss', false],
] as const) {
  test(`mode auto: of ${monitor} ${isMax ? 'more' : 'less'} is better`, async () => {
    const better = isMax ? [1, 2, 3] : [3, 2, 1]
    assert.deepEqual((await played(earlyStopping({ monitor }), logsOf(monitor, better))).deeds, [])
    assert.deepEqual((await played(earlyStopping({ monitor }), logsOf(monitor, better.toReversed()))).deeds, ['stop 2'])
  })
}

test('the metrics say of which logs more is better, by whatever names', async () => {
  const named = [
    { type: 'precision', name: 'p' },
    { type: 'meanAbsoluteError', name: 'recall' },
  ] as const
  const metrics: readonly Metric[] = ['accuracy', 'auc', 'expectedCalibrationError', 'cohenKappa', ...named]
  const told: (readonly string[])[] = []
  const callback = { onTrainBegin: (info: TrainingInfo) => void told.push(info.logsToRaise) }
  const yesNo = fromArrays({
    name: 'auction',
    inputs: { x: { shape: [3], data: new Float32Array(12) } },
    targets: { y: { shape: [1], data: Float32Array.of(0, 1, 1, 0) } },
  })
  const net = sequential({ inputShape: [3], engine: 'reference' }, [layers.dense({ units: 1, activation: 'sigmoid' })])
  await net.fit(yesNo, { metrics, callbacks: [callback], validationData: yesNo })
  const rising = ['accuracy', 'auc', 'cohenKappa', 'p']
  assert.deepEqual(told, [[...rising, ...rising.map((log) => `val_${log}`)].sort()])
})

test('a second training begins anew', async () => {
  const stopping = earlyStopping({ patience: 2 })
  const series = logsOf('val_loss', [1, 2, 3])
  for (let i = 0; i < 2; i++) assert.deepEqual((await played(stopping, series)).deeds, ['stop 3'])
  const plateau = reduceLearningRateOnPlateau({ patience: 2, factor: 0.5 })
  for (let i = 0; i < 2; i++) assert.deepEqual((await played(plateau, series)).rates, [1, 1, 0.5])
  const best = modelCheckpoint({ path: '{epoch}', saveBestOnly: true })
  for (let i = 0; i < 2; i++) assert.deepEqual((await played(best, series)).deeds, ['save 1'])
})

type Whole<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> }

/** Keras's EarlyStopping as its source has it: the epoch that it stops at. */
function kerasStops(o: Whole<EarlyStoppingOptions>, series: readonly number[], isMax: boolean): number | undefined {
  const isBetter = (a: number, b: number): boolean => (isMax ? a - o.minDelta > b : a + o.minDelta < b)
  let [wait, best] = [0, isMax ? -Infinity : Infinity]
  for (const [epoch, current] of series.entries()) {
    if (epoch < o.startFromEpoch) continue
    wait++
    if (isBetter(current, best)) {
      best = current
      if (Number.isNaN(o.baseline) || isBetter(current, o.baseline)) wait = 0
    } else if (wait >= o.patience && epoch > 0) return epoch + 1
  }
  return undefined
}

/** Keras's ReduceLROnPlateau: the rate after each epoch. */
function kerasRates(o: Whole<PlateauOptions>, series: readonly number[], isMax: boolean): number[] {
  let [rate, wait, cooldown, best] = [1, 0, 0, isMax ? -Infinity : Infinity]
  return series.map((current) => {
    if (cooldown > 0) {
      cooldown--
      wait = 0
    }
    if (isMax ? current > best + o.minDelta : current < best - o.minDelta) {
      best = current
      wait = 0
    } else if (cooldown === 0 && ++wait >= o.patience && rate > o.minLearningRate) {
      rate = Math.max(rate * o.factor, o.minLearningRate)
      cooldown = o.cooldown
      wait = 0
    }
    return rate
  })
}

for (const mode of ['min', 'max'] as const) {
  test(`as Keras does over 500 random series, mode ${mode}`, async () => {
    const isMax = mode === 'max'
    for (let seed = 0; seed < 500; seed++) {
      const drawn = [...uniforms({ seed, stream: isMax ? 1 : 0 }, 24)]
      const pick = <T>(...of: readonly T[]): T => of[Math.floor((drawn.pop() as number) * of.length)]
      const monitor = 'val_loss'
      const both = { monitor, mode, patience: pick(0, 1, 2, 3), minDelta: pick(0, 0.125, 0.25, 0.3) }
      const baseline = pick(nan, nan, 0.5, 1) // NaN: none
      const stopping = { ...both, startFromEpoch: pick(0, 0, 2, 3), baseline, restoreBestWeights: false }
      const plateau = { ...both, cooldown: pick(0, 1, 2), minLearningRate: pick(0, 0.2), factor: 0.5 }
      const series = drawn.slice(0, 14).map((x) => (x > 0.95 ? nan : Math.round(x * 6) / 4))
      const told = `${JSON.stringify({ ...stopping, ...plateau })} ${series}`
      const { baseline: _, ...without } = stopping
      const callback = earlyStopping(Number.isNaN(baseline) ? without : stopping)
      const stop = kerasStops(stopping, series, isMax)
      const logs = logsOf(monitor, series)
      assert.deepEqual((await played(callback, logs)).deeds, stop === undefined ? [] : [`stop ${stop}`], told)
      const { rates } = await played(reduceLearningRateOnPlateau(plateau), logs)
      assert.deepEqual(rates, kerasRates(plateau, series, isMax), told)
    }
  })
}

const watching: [name: string, make: (given: { monitor?: string }) => Callback][] = [
  ['earlyStopping', earlyStopping],
  ['reduceLearningRateOnPlateau', reduceLearningRateOnPlateau],
  ['modelCheckpoint', (given) => modelCheckpoint({ path: 'x', saveBestOnly: true, ...given })],
]
for (const [name, make] of watching) {
  test(`${name} refuses to watch what is not there`, async () => {
    const unknown = played(make({ monitor: 'val_acuracy' }), [{ loss: 1, accuracy: 0.5, val_loss: 1 }])
    await assert.rejects(unknown, failure('E_OPTION', name, "'monitor'", 'accuracy, loss, val_loss', 'val_acuracy'))
    const without = played(make({}), [{ loss: 1 }], { validationSamples: 0 })
    await assert.rejects(without, failure('E_OPTION', name, "'val_loss'", 'validationSplit', "monitor 'loss'"))
    assert.deepEqual((await played(make({ monitor: 'loss' }), [{ loss: 1 }], { validationSamples: 0 })).why, undefined)
  })

  test(`${name} without data for validation: refused before an epoch is spent`, async () => {
    const model = tiny()
    const before = await model.weights()
    const heard: string[] = []
    const listen: Callback = { onEpochBegin: () => void heard.push('epoch') }
    await assert.rejects(model.fit(points(12), { callbacks: [listen, make({})] }), failure('E_OPTION', 'val_loss'))
    assert.deepEqual(heard, [])
    assert.deepEqual(await model.weights(), before)
  })

  test(`${name} does not judge an epoch that was cut short`, async () => {
    const cut = { samples: 9 }
    const { deeds, rates } = await played(make({}), [
      { val_loss: 1 },
      { val_loss: 5, ...cut },
      { val_loss: 0, ...cut },
      { ...cut },
    ])
    assert.deepEqual([deeds, rates], [name === 'modelCheckpoint' ? ['save x'] : [], [1, 1, 1, 1]])
  })

  test(`${name} lets a training be aborted after its last batch, before it is judged`, async () => {
    const stop = new AbortController()
    const abort: Callback = { onBatchEnd: ({ batch, batches }) => void (batch === batches && stop.abort()) }
    const fitting = tiny().fit(points(12), {
      epochs: 2,
      batchSize: 4,
      validationSplit: 0.25,
      signal: stop.signal,
      callbacks: [abort, make({})],
    })
    assert.equal((await fitting).ended, 'aborted')
  })
}
