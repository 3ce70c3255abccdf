/** A run of one's own model and data, paused from outside. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { settle } from '../../src/base/options.ts'
import { trainingControl } from '../../src/index.ts'
import { openRun, trainRun } from '../../src/runs/run.ts'
import { runOptions } from '../../src/runs/run-options.ts'
import { readRun } from '../../src/runs/saved-run.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

const root = await mkdtemp(join(tmpdir(), 'fovea-own-'))
after(() => rm(root, { recursive: true }))

test('a run trains what it is given, and writes down what that is', async () => {
  const options = settle(
    runOptions,
    { ...{ out: join(root, 'run'), data: 'digits' }, epochs: 1, batchSize: 4, engine: 'reference' },
    'options',
  )
  const request = { network: 'mine', options }
  await assert.rejects(
    openRun(request, { model: tiny(), parts: { train: points(8) } as never }),
    failure('E_MISMATCH', 'parts.test'),
  )
  const run = await openRun(request, { model: tiny(), parts: { train: points(8), test: points(4, 2) } })
  const control = trainingControl()
  const first = control.step()
  const training = trainRun(run, { control })
  assert.equal((await first)?.step, 1)
  control.resume()
  assert.equal((await training).steps, 2)
  const { config } = await readRun(run.folder.path)
  const { ownData, ownModel } = config as { ownData?: { train?: unknown }; ownModel?: object }
  assert.deepEqual(ownData?.train, {
    ...{ name: 'points', samples: 8 },
    ...{ inputs: { x: { shape: [3], dtype: 'float32' } }, targets: { y: { shape: [], dtype: 'int32' } } },
    ...((source) => (source === undefined ? {} : { source }))(points(8).source),
  })
  assert.ok(ownModel)
})
