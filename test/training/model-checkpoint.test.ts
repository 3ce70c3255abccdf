/** The callback modelCheckpoint: which epochs it saves, and where to. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Callback, TrainingControl, TrainingInfo } from '../../src/index.ts'
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
  ['the best two', { path: '{epoch}', saveTopK: 2 }, [2, 3, 1, 1, nan, 4, 0.5], ['1', '2', '3', '4', '7']],
  ['the best two by mode', { path: '{epoch}', saveTopK: 2, mode: 'max' }, [2, 3, 1, 4], ['1', '2', '4']],
  ['the last too', { path: '{epoch}', saveLast: 'last', saveTopK: 1 }, [2, 3, 1], ['last', '1', 'last', 'last', '3']],
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

test('saveTopK: the best files alone are left, also in a training that goes on', async () => {
  const at = join(folder, 'best')
  const checkpoint = () => modelCheckpoint({ path: join(at, '{epoch}'), saveTopK: 2 })
  const model = tiny()
  let epoch = 0
  const play = async (callback: Callback, losses: readonly number[], told = {}) => {
    const control = { isCutShort: false, save: (path: string) => model.save(path) } as unknown as TrainingControl
    await callback.onTrainBegin?.(
      { logs: ['val_loss'], logsToRaise: [], validationSamples: 1, ...told } as unknown as TrainingInfo,
      control,
    )
    for (const val_loss of losses)
      await callback.onEpochEnd?.({ epoch: ++epoch, seconds: 0, samples: 1, learningRate: 1, val_loss }, control)
    return (await readdir(at)).sort()
  }
  const first = checkpoint()
  assert.deepEqual(await play(first, [3, 2, 4]), ['1', '2'])
  const second = checkpoint()
  await second.restore?.(first.state?.() as never)
  const resumed = { resumed: { path: 'x', step: 1, skipped: [] } }
  assert.deepEqual(await play(second, [5, 6, 7, 1], resumed), ['2', '7'])
})

for (const [options, hint] of [
  [{ path: 'm', saveTopK: 2 }, '{epoch:02d}'],
  [{ path: '{epoch}', saveTopK: 2, saveBestOnly: true }, 'saveTopK: 1'],
] as const)
  test(`modelCheckpoint refuses ${JSON.stringify(options)}`, () => {
    assert.throws(() => modelCheckpoint(options), failure('E_OPTION', "'saveTopK'", hint))
  })
