/** The callback modelCheckpoint: which epochs it saves, and where to. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { callbacks, loadModel } from '../../src/index.ts'
import type { ModelCheckpointOptions } from '../../src/training/callbacks/model-checkpoint.ts'
import { failure } from '../support/failure.ts'
import { logsOf, played } from '../support/played.ts'
import { keeping, points, tiny } from '../support/tiny-model.ts'

const { modelCheckpoint } = callbacks
const folder = await mkdtemp(join(tmpdir(), 'fovea-model-checkpoint-'))
after(() => rm(folder, { recursive: true }))
const { NaN: nan } = Number

const saved: [what: string, options: ModelCheckpointOptions, series: readonly number[], paths: string[]][] = [
  ['every epoch', { path: 'm-{epoch}' }, [1, 2], ['m-1', 'm-2']],
  ['logs in braces', { path: '{epoch}-{val_loss}-{val_loss}' }, [0.123456, 2], ['1-0.1235-0.1235', '2-2-2']],
  ['braces that are said twice', { path: '{{}}' }, [1], ['{}']],
  ['the best alone', { path: '{epoch}', saveBestOnly: true }, [2, 3, 1, 1, nan, 0.5], ['1', '3', '6']],
  ['NaN at first', { path: '{epoch}', saveBestOnly: true }, [nan, 2, 1], ['2', '3']],
  ['the best by mode', { path: '{epoch}', saveBestOnly: true, mode: 'max' }, [2, 3, 1], ['1', '2']],
]
for (const [what, options, series, paths] of saved) {
  test(`modelCheckpoint: ${what}`, async () => {
    const { deeds } = await played(modelCheckpoint(options), logsOf('val_loss', series))
    assert.deepEqual(
      deeds,
      paths.map((path) => `save ${path}`),
    )
  })
}

test('modelCheckpoint: braces of no log are refused', async () => {
  const checkpoint = modelCheckpoint({ path: 'm-{epoch}-{val_acc}' })
  await assert.rejects(
    played(checkpoint, [{ loss: 1 }]),
    failure('E_OPTION', "'path'", 'epoch, samples, seconds, learningRate, loss', 'val_acc'),
  )
})

test('in a training: a file per epoch, with the weights of that epoch', async () => {
  const at = join(folder, 'files')
  const model = tiny()
  const { weights, callback } = keeping(model)
  const path = join(at, 'm-{epoch}-{val_loss}.safetensors')
  const { history } = await model.fit(points(12), {
    epochs: 2,
    batchSize: 4,
    optimizer: 'sgd',
    validationData: points(20, 2),
    callbacks: [modelCheckpoint({ path }), callback],
  })
  const files = history['val_loss'].map((loss, i) => `m-${i + 1}-${loss.toFixed(4)}.safetensors`)
  assert.deepEqual((await readdir(at)).sort(), files)
  for (const [i, file] of files.entries()) {
    assert.deepEqual(await (await loadModel(join(at, file))).weights(), weights[i])
  }
})
