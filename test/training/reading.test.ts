/** How training, evaluate and predict read: what for, by whom, and until when. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Callback, Dataset, FitOptions, Reading } from '../../src/index.ts'
import { fromArrays, split, transform } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { net } from '../support/killable.ts'
import { train } from '../support/small-model.ts'
import { points, tiny } from '../support/tiny-model.ts'

const folder = await mkdtemp(join(tmpdir(), 'fovea-reading-'))
after(() => rm(folder, { recursive: true }))

const augmented = transform(train, [
  { type: 'randomCrop', padding: 3, fillMode: 'nearest' },
  { type: 'randomFlip', mode: 'vertical', probability: 0.2 },
])
const plain: FitOptions = { epochs: 2, batchSize: 64, seed: 3, validationSplit: 0.2 }

async function trained(data: Dataset, options: FitOptions = {}): Promise<{ bytes: Uint8Array; logs: unknown }> {
  const model = net()
  const { history } = await model.fit(data, { ...plain, ...options })
  return { bytes: await model.toBytes(), logs: history }
}

test('an augmented training is the same to the bit whatever reads the data', async () => {
  const expected = await trained(augmented)
  for (const options of [{ prefetch: 0 }, { prefetch: 7 }, { workers: 1 }, { workers: 2, prefetch: 3 }]) {
    assert.deepEqual(await trained(augmented, options), expected, JSON.stringify(options))
  }
  assert.notDeepEqual((await trained(train)).bytes, expected.bytes)
  assert.notDeepEqual((await trained(augmented, { seed: 4 })).bytes, expected.bytes)
})

test('an augmented training goes on to the bit, with other workers', async () => {
  const expected = await trained(augmented)
  for (const step of [3, 5, 7]) {
    const checkpoints = { folder: join(folder, `${step}`), every: 2 }
    const abort = new AbortController()
    const first = await net().fit(augmented, {
      ...plain,
      checkpoints,
      workers: 2,
      signal: abort.signal,
      callbacks: [{ onBatchEnd: (progress) => void (progress.step === step && abort.abort()) }],
    })
    assert.equal(first.ended, 'aborted')
    assert.deepEqual(await trained(augmented, { checkpoints, resume: true, prefetch: 1 }), expected)
  }
  const checkpoints = { folder: join(folder, '3'), every: 2 }
  const other = transform(train, [{ type: 'randomCrop', padding: 4, fillMode: 'nearest' }])
  for (const data of [train, other]) {
    await assert.rejects(trained(data, { checkpoints, resume: true }), failure('E_MISMATCH', "'data' differs"))
  }
})

/** The readings that a dataset is asked for. */
function listening(data: Dataset): { data: Dataset; readings: Set<string> } {
  const readings = new Set<string>()
  const read: Dataset['read'] = (indices, into, reading) => {
    const { mode, epoch, seed } = reading ?? { mode: 'nothing said', epoch: -1, seed: -1 }
    readings.add(`${mode} ${epoch} ${seed}`)
    return data.read(indices, into, reading)
  }
  return { data: { ...data, read }, readings }
}

test('fit says mode, epoch and seed, epochs counted by what the model has seen; evaluate and predict read at rest', async () => {
  const { data, readings } = listening(points(12))
  const judged = listening(points(6, 2))
  const model = tiny()
  await model.fit(data, { epochs: 2, seed: 8, validationData: judged.data })
  await model.fit(data, { epochs: 1, seed: 9 })
  assert.deepEqual([...readings], ['train 1 8', 'train 2 8', 'train 3 9'])
  readings.clear()
  await model.evaluate(data)
  await model.predict(data)
  assert.deepEqual([...readings, ...judged.readings], ['infer 0 0', 'infer 0 0'])
})

test('a share for validation is not augmented', async () => {
  const white = fromArrays({
    name: 'white',
    inputs: { image: { shape: [2, 2, 1], data: new Uint8Array(40).fill(255) } },
    targets: { y: { shape: [], data: Int32Array.from({ length: 10 }, (_, i) => i % 2) } },
  })
  // the whole picture is lost in one of two, were it cropped at random
  const [, held] = split(transform(white, [{ type: 'randomCrop', padding: 2 }]), 0.5)
  const image = new Uint8Array(20)
  await held.read([0, 1, 2, 3, 4], { inputs: { image }, targets: { y: new Int32Array(5) } })
  assert.deepEqual(image, new Uint8Array(20).fill(255))
})

test('a dataset shorter than a batch, by workers and without', async () => {
  const few = points(3)
  const expected = await tiny().fit(few, { epochs: 2, batchSize: 32 })
  const got = await tiny().fit(few, { epochs: 2, batchSize: 32, workers: 2, prefetch: 9 })
  assert.deepEqual(got.history, expected.history)
  const model = tiny()
  assert.deepEqual(await model.evaluate(few, { workers: 1 }), await model.evaluate(few))
  assert.deepEqual((await model.predict(few, { workers: 2 })).data, (await model.predict(few)).data)
})

test('a description that cannot be sent to a worker', async () => {
  const circular: Record<string, unknown> = { type: 'arrays' }
  circular['base'] = circular
  for (const description of [{ type: 'arrays', make: () => 1 }, circular]) {
    const data: Dataset = { ...points(4), describe: () => description as ReturnType<NonNullable<Dataset['describe']>> }
    const words = ['the description of the data cannot be sent', 'workers: 0']
    await assert.rejects(tiny().fit(data, { workers: 1 }), failure('E_DATA', ...words))
  }
})

test('workers where the host allows none', () => {
  const body = `
    import { points, tiny } from './test/support/tiny-model.ts'
    await tiny().fit(points(4), { workers: 1 }).catch(({ code, message }) => console.log(code, message))`
  const flags = ['--permission', '--allow-fs-read=*', '--conditions=fovea-source', '--input-type=module-typescript']
  const { stdout } = spawnSync(process.execPath, [...flags, '-e', body], { encoding: 'utf8' })
  assert.match(stdout, /^E_ENGINE .*: a worker did not start: .*; workers: 0 reads without threads; .*--allow-worker/)
})

test('a read that rejects ends training after the steps before it, with its own error', async () => {
  for (const prefetch of [0, 2, 50]) {
    const data = points(12)
    const broken: Dataset = {
      ...data,
      async read(indices, into, reading) {
        if (reading?.epoch === 2 && indices.length > 0 && indices[0] === 8) throw new RangeError('torn')
        return data.read(indices, into, reading)
      },
    }
    const begun: string[] = []
    const onBatchBegin: Callback['onBatchBegin'] = ({ epoch, batch }) => void begun.push(`${epoch}.${batch}`)
    const fitting = tiny().fit(broken, {
      epochs: 3,
      batchSize: 4,
      shuffle: false,
      prefetch,
      callbacks: [{ onBatchBegin }],
    })
    await assert.rejects(fitting, { name: 'RangeError', message: 'torn' })
    assert.deepEqual(begun, ['1.1', '1.2', '1.3', '2.1', '2.2'])
  }
})

/** Reads forever from some batch on, unless it hears of an abort, which comes soon after that. */
function endless(
  data: Dataset,
  control: AbortController,
  from: (reading: Reading | undefined, first: number) => boolean,
): Dataset {
  return {
    ...data,
    read(indices, into, reading) {
      if (!from(reading, indices[0])) return data.read(indices, into, reading)
      void setTimeout(30).then(() => control.abort())
      return new Promise((_, reject) => {
        const { signal } = reading ?? {}
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    },
  }
}

const questions: [name: string, ask: (data: Dataset, signal: AbortSignal) => Promise<unknown>][] = [
  ['predict', (data, signal) => tiny().predict(data, { batchSize: 4, signal })],
  ['evaluate', (data, signal) => tiny().evaluate(data, { batchSize: 4, signal })],
  ['findLearningRate', (data, signal) => tiny().findLearningRate(data, { batchSize: 4, signal })],
]
for (const [name, ask] of questions) {
  test(`${name} throws what its signal was aborted with, before and within a read`, { timeout: 30_000 }, async () => {
    const why = new Error('no longer wanted')
    await assert.rejects(ask(points(12), AbortSignal.abort(why)), why)
    const control = new AbortController()
    const asked = ask(
      endless(points(12), control, (_, first) => first === 8 || name === 'findLearningRate'),
      control.signal,
    )
    await assert.rejects(asked, { name: 'AbortError' })
    assert.ok(await ask(points(12), new AbortController().signal))
  })
}

test('findLearningRate puts everything back when it is given up', { timeout: 30_000 }, async () => {
  const model = tiny()
  const before = await model.toBytes()
  const control = new AbortController()
  const search = model.findLearningRate(
    endless(points(12), control, (reading) => reading?.epoch === 3),
    { batchSize: 4, signal: control.signal },
  )
  await assert.rejects(search, { name: 'AbortError' })
  assert.deepEqual(await model.toBytes(), before)
})

test('fit ends as aborted within a read that takes forever, of training and of validation', {
  timeout: 30_000,
}, async () => {
  const stuck: ((control: AbortController) => [data: Dataset, validationData: Dataset, steps: number])[] = [
    (control) => [endless(points(12), control, (reading, first) => reading?.epoch === 2 && first === 4), points(6), 4],
    (control) => [points(12), endless(points(6), control, () => true), 3],
  ]
  for (const make of stuck) {
    const control = new AbortController()
    const [data, validationData, steps] = make(control)
    const { signal } = control
    const fitting = tiny().fit(data, { epochs: 3, batchSize: 4, shuffle: false, validationData, signal })
    const { ended, steps: taken } = await fitting
    assert.deepEqual([ended, taken], ['aborted', steps])
  }
})
