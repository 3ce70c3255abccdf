/** Progress as versions of Keras show it, by lines that they printed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KerasLook } from '../../src/cli/keras-progress.ts'
import { kerasProgress } from '../../src/cli/keras-progress.ts'
import type { Segment } from '../../src/cli/terminal.ts'
import type { Logs, TrainingControl, TrainingInfo } from '../../src/training/history.ts'

const control = {} as TrainingControl // a bar only looks on
const plain = (parts: readonly Segment[]): string =>
  parts.map((part) => (typeof part === 'string' ? part : part.text)).join('')

interface Shown {
  readonly batches: number
  readonly samples: number
  readonly batchSize: number
  readonly seconds: number
  readonly logs: Logs
}

/** What is printed of an epoch, and drawn after half of it. */
async function shown(look: KerasLook, { batches, samples, batchSize, seconds, logs }: Shown, columns = 200) {
  const [drawn, printed]: string[][] = [[], []]
  const bar = kerasProgress(
    {
      isLive: true,
      hasStyles: false,
      columns,
      print: (...line) => printed.push(plain(line)),
      printLines: assert.fail,
      draw: (...line) => drawn.push(plain(line)),
      note: assert.fail,
    },
    look,
  )
  const info = { epochs: 20, batches, samples, validationSamples: samples / 4 } as TrainingInfo
  await bar.onTrainBegin?.(info, control)
  await bar.onEpochBegin?.(12, control)
  const before = Object.fromEntries(Object.entries(logs).filter(([name]) => !name.startsWith('val_')))
  for (const batch of [Math.floor(batches / 2), batches]) {
    const done = Math.min(batch * batchSize, samples)
    const imagesPerSecond = samples / seconds
    const place = { epoch: 12, epochs: 20, batch, batches, step: batch, learningRate: 0.001 }
    const times = { imagesPerSecond, secondsLeft: (samples - done) / imagesPerSecond }
    await bar.onBatchEnd?.({ ...place, ...times, samples: done, logs: before, batchLogs: before }, control)
  }
  await bar.onEpochEnd?.({ epoch: 12, seconds, samples, learningRate: 0.001, ...logs }, control)
  return { drawn, printed }
}

const lecture = { accuracy: 0.9979, loss: 0.006, val_accuracy: 0.9902, val_loss: 0.0455 }
const first = { accuracy: 0.0885, loss: 2.3107, val_accuracy: 0.125, val_loss: 2.3226 }

test('keras2.2: the line of the lecture: samples, microseconds of one, the loss first, acc', async () => {
  const { printed } = await shown('keras2.2', {
    batches: 375,
    samples: 48_000,
    batchSize: 128,
    seconds: 2.16,
    logs: lecture,
  })
  assert.deepEqual(printed, [
    'Train on 48000 samples, validate on 12000 samples',
    'Epoch 12/20',
    '48000/48000 [==============================] - 2s 45us/step - loss: 0.0060 - acc: 0.9979 - val_loss: 0.0455 - val_acc: 0.9902',
  ])
})

test('keras2: steps, and the time that is left while it moves', async () => {
  const { drawn, printed } = await shown('keras2', {
    batches: 375,
    samples: 48_000,
    batchSize: 128,
    seconds: 1.9,
    logs: lecture,
  })
  assert.deepEqual(printed, [
    'Epoch 12/20',
    '375/375 [==============================] - 2s 5ms/step - loss: 0.0060 - accuracy: 0.9979 - val_loss: 0.0455 - val_accuracy: 0.9902',
  ])
  assert.equal(drawn[0], '187/375 [=============>................] - ETA: 1s - loss: 0.0060 - accuracy: 0.9979')
})

test('keras3: a line of 20 signs, names in order', async () => {
  const { drawn, printed } = await shown('keras3', {
    batches: 3,
    samples: 96,
    batchSize: 32,
    seconds: 0.492,
    logs: first,
  })
  assert.deepEqual(printed, [
    'Epoch 12/20',
    '3/3 ━━━━━━━━━━━━━━━━━━━━ 0s 164ms/step - accuracy: 0.0885 - loss: 2.3107 - val_accuracy: 0.1250 - val_loss: 2.3226',
  ])
  assert.equal(drawn[0], '1/3 ━━━━━━━━━━━━━━━━━━━━ 0s 164ms/step - accuracy: 0.0885 - loss: 2.3107')
})

test('wide counts: what moves stays in its place', async () => {
  const { drawn } = await shown('keras3', { batches: 150, samples: 4800, batchSize: 32, seconds: 15, logs: first })
  assert.ok(drawn[0].startsWith(' 75/150 ━'), drawn[0])
})

test('what moves is never wider than the terminal', async () => {
  for (const look of ['keras3', 'keras2', 'keras2.2'] as const) {
    const { drawn } = await shown(look, { batches: 3, samples: 96, batchSize: 32, seconds: 90, logs: first }, 40)
    assert.deepEqual([...new Set(drawn.map(({ length }) => length))], [40])
  }
})
