/** Early stopping: when it stops, and whose weights stay. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Callback, History } from '../../src/index.ts'
import { callbacks } from '../../src/index.ts'
import type { EarlyStoppingOptions } from '../../src/training/callbacks/early-stopping.ts'
import { logsOf, played } from '../support/played.ts'
import { keeping, points, tiny } from '../support/tiny-model.ts'

const { earlyStopping, learningRateScheduler } = callbacks
const { NaN: nan } = Number
const stops: [what: string, options: EarlyStoppingOptions, series: readonly number[], stop: number | undefined][] = [
  ['by default at the first epoch that is no better', {}, [3, 2, 2.5, 1], 3],
  ['an equal is no better', {}, [3, 3], 2],
  ['patience lets pass one epoch less than it says', { patience: 2 }, [1, 2, 2, 0], 3],
  ['an improvement makes patience whole again', { patience: 2 }, [1, 2, 0.5, 1, 1, 0], 5],
  ['better all the time', { patience: 1 }, [4, 3, 2, 1], undefined],
  ['a change below minDelta is none', { minDelta: 0.25 }, [1, 0.8], 2],
  ['a change of minDelta is none', { minDelta: 0.25 }, [1, 0.75], 2],
  ['small changes add up', { minDelta: 0.25, patience: 2 }, [1, 0.875, 0.625, 0.5, 0.5], 5],
  ['a baseline that is not beaten', { baseline: 0.5, patience: 2 }, [1, 0.9, 0.95], 3],
  ['no baseline beside it', { patience: 2 }, [1, 0.9, 0.95], undefined],
  ['an improvement never stops it, a baseline missed or not', { baseline: 0.5, patience: 2 }, [4, 3, 2, 1], undefined],
  ['a baseline that is beaten', { baseline: 0.5, patience: 2 }, [1, 0.25, 1, 1], 4],
  ['a baseline beaten by minDelta', { baseline: 0.5, minDelta: 0.25, patience: 2 }, [1, 0.25, 0.125], 3],
  ['epochs at the start are not watched', { startFromEpoch: 2 }, [0, 1, 3, 2, 2], 5],
  ['less is better where mode says so', { monitor: 'val_accuracy', mode: 'min' }, [0.25, 0.5], 2],
  ['more is better where mode says so', { mode: 'max' }, [1, 2, 1.5], 3],
  ['mode max with minDelta', { mode: 'max', minDelta: 0.5, patience: 2 }, [1, 1.5, 1.75, 2, 2.25], 5],
  ['NaN is no improvement', { patience: 2 }, [1, nan, nan, 0], 3],
  ['NaN at first is no improvement either', {}, [nan, 2, 1, 1], 4],
  ['NaN all along', { patience: 2 }, [nan, nan, 1], 2],
]
for (const [what, options, series, stop] of stops) {
  test(`earlyStopping: ${what}`, async () => {
    const { deeds } = await played(earlyStopping(options), logsOf(options.monitor ?? 'val_loss', series))
    assert.deepEqual(deeds, stop === undefined ? [] : [`stop ${stop}`])
  })
}

test('earlyStopping says who stopped, for what, and what was best', async () => {
  const { why } = await played(earlyStopping({ patience: 2 }), logsOf('val_loss', [1, 0.123456, 1, 1]))
  assert.equal(why, 'early stopping: no better val_loss in 2 epochs; its best, 0.1235, was that of epoch 2')
})

const restored: [what: string, series: readonly number[], told: { ended?: History['ended'] }, deeds: string[]][] = [
  ['stopped', [3, 2, 2.5], {}, ['keep 1', 'keep 2', 'stop 3', 'restore']],
  ['finished', [3, 2, 1], {}, ['keep 1', 'keep 2', 'keep 3', 'restore']],
  ['aborted', [3], { ended: 'aborted' }, ['keep 1', 'restore']],
  ['failed', [3], { ended: 'failed' }, ['keep 1']],
]
for (const [ended, series, told, deeds] of restored) {
  test(`the best weights of a training that ${ended === 'stopped' || ended === 'aborted' ? 'was' : 'has'} ${ended}`, async () => {
    const callback = earlyStopping({ restoreBestWeights: true })
    assert.deepEqual((await played(callback, logsOf('val_loss', series), told)).deeds, deeds)
  })
}

/** Two epochs in which the loss falls, then some in which it cannot. */
const spoiled = learningRateScheduler((epoch) => (epoch < 3 ? 0.05 : 5))
const five = { epochs: 5, batchSize: 4, optimizer: 'sgd', validationData: points(20, 2) } as const

test('in a training: it ends with the weights of the best epoch', async () => {
  const model = tiny()
  const { weights, callback } = keeping(model)
  const stopping = earlyStopping({ patience: 3, restoreBestWeights: true })
  const { history, ended } = await model.fit(points(12), { ...five, callbacks: [spoiled, callback, stopping] })
  const losses = history['val_loss']
  assert.deepEqual([losses.indexOf(Math.min(...losses)), ended], [1, 'stopped'], losses.join())
  assert.deepEqual(await model.weights(), weights[1])
  assert.notDeepEqual(await model.weights(), weights.at(-1))
  assert.equal((await model.evaluate(points(20, 2)))['loss'], losses[1])
})

test('best weights of a training that failed are not those of the next one', async () => {
  const model = tiny()
  const stopping = earlyStopping({ restoreBestWeights: true, patience: 9 })
  const failing: Callback = {
    onEpochEnd({ epoch }) {
      if (epoch === 3) throw new Error('enough')
    },
  }
  await assert.rejects(model.fit(points(12), { ...five, callbacks: [spoiled, stopping, failing] }), /enough/)
  const before = await model.weights()
  await model.fit(points(12), { ...five, learningRate: 0, epochs: 1, steps: 1, callbacks: [stopping] })
  assert.deepEqual(await model.weights(), before)
})

test('two that keep their best weights do not take them from each other', async () => {
  const model = tiny()
  const { weights, callback } = keeping(model)
  const restoreBestWeights = true
  const pair = [
    earlyStopping({ monitor: 'val_loss', patience: 9, restoreBestWeights }),
    earlyStopping({ monitor: 'val_loss', mode: 'max', patience: 9, restoreBestWeights }),
  ]
  await model.fit(points(12), { ...five, callbacks: [spoiled, callback, ...pair.toReversed()] })
  assert.deepEqual(await model.weights(), weights[1], 'the last to restore was given its own')
})
