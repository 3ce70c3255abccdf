/** Callbacks that set the learning rate: on a plateau, and by epoch. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Callback } from '../../src/index.ts'
import { callbacks } from '../../src/index.ts'
import type { PlateauOptions } from '../../src/training/callbacks/learning-rate.ts'
import { failure } from '../support/failure.ts'
import { logsOf, played } from '../support/played.ts'
import { points, tiny } from '../support/tiny-model.ts'

const { reduceLearningRateOnPlateau, learningRateScheduler } = callbacks
const { NaN: nan } = Number

const lowered: [what: string, options: PlateauOptions, series: readonly number[], rates: readonly number[]][] = [
  ['factor and patience', { factor: 0.5, patience: 2 }, [1, 1, 1, 1, 1], [1, 1, 0.5, 0.5, 0.25]],
  ['an improvement in between', { factor: 0.5, patience: 2 }, [1, 1, 0.5, 1, 1], [1, 1, 1, 1, 0.5]],
  ['patience 0', { factor: 0.5, patience: 0 }, [1, 1, 1], [1, 0.5, 0.25]],
  ['cooldown', { factor: 0.5, patience: 1, cooldown: 2 }, [1, 1, 1, 1, 1, 1], [1, 0.5, 0.5, 0.25, 0.25, 0.125]],
  ['minLearningRate', { factor: 0.5, patience: 1, minLearningRate: 0.375 }, [1, 1, 1, 1], [1, 0.5, 0.375, 0.375]],
  ['minDelta', { factor: 0.5, patience: 1, minDelta: 0.25 }, [1, 0.75, 0.5], [1, 0.5, 0.5]],
  ['1e-4 is the default of minDelta', { factor: 0.5, patience: 1 }, [1, 0.99995, 0.999], [1, 0.5, 0.5]],
  ['a tenth after ten epochs by default', {}, Array(11).fill(1), [...Array(10).fill(1), 0.1]],
  ['mode max', { factor: 0.5, patience: 1, mode: 'max' }, [1, 2, 1], [1, 1, 0.5]],
  ['auto', { factor: 0.5, patience: 1, monitor: 'val_accuracy' }, [1, 2, 1], [1, 1, 0.5]],
  ['NaN is no improvement', { factor: 0.5, patience: 1 }, [nan, nan, 1, 1], [0.5, 0.25, 0.25, 0.125]],
]
for (const [what, options, series, rates] of lowered) {
  test(`reduceLearningRateOnPlateau: ${what}`, async () => {
    const logs = logsOf(options.monitor ?? 'val_loss', series)
    assert.deepEqual((await played(reduceLearningRateOnPlateau(options), logs)).rates, rates)
  })
}

test('reduceLearningRateOnPlateau refuses a schedule', async () => {
  const refused = failure('E_OPTION', 'reduceLearningRateOnPlateau', 'schedule', 'learningRate as a number')
  const plateau = reduceLearningRateOnPlateau({ monitor: 'loss' })
  await assert.rejects(played(plateau, [], { hasSchedule: true, logs: ['loss'] }), refused)
  const learningRate = { type: 'cosineDecay', initialLearningRate: 0.1 } as const
  await assert.rejects(tiny().fit(points(12), { learningRate, callbacks: [plateau] }), refused)
})

test('learningRateScheduler is asked before every epoch, with the epoch and the rate so far', async () => {
  const asked: [number, number][] = []
  const rates: number[] = []
  const schedule = learningRateScheduler((epoch, rate) => {
    asked.push([epoch, rate])
    return epoch === 1 ? rate : rate / 2
  })
  const listen: Callback = { onBatchEnd: ({ learningRate }) => void rates.push(learningRate) }
  const options = { epochs: 3, batchSize: 6, learningRate: 0.5, callbacks: [schedule, listen] }
  const { epochs } = await tiny().fit(points(12), options)
  assert.deepEqual(asked, [
    [1, 0.5],
    [2, 0.5],
    [3, 0.25],
  ])
  assert.deepEqual(rates, [0.5, 0.5, 0.25, 0.25, 0.125, 0.125])
  assert.deepEqual(
    epochs.map(({ learningRate }) => learningRate),
    [0.5, 0.25, 0.125],
  )
})
