/** Training that goes on from a checkpoint is to the bit the one that was never interrupted. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { processMark } from '#platform'
import { uniforms } from '../../src/base/random.ts'
import type { Callback, FitOptions, Model } from '../../src/index.ts'
import { callbacks, layers, sequential, take } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { net } from '../support/killable.ts'
import { train } from '../support/small-model.ts'

const { flatten, dense } = layers
const folder = await mkdtemp(join(tmpdir(), 'fovea-resume-'))
after(() => rm(folder, { recursive: true }))
let folders = 0
const newFolder = (): string => join(folder, String(folders++))

const plain: FitOptions = { epochs: 2, batchSize: 64, seed: 3 } // six steps an epoch

/** Stops after a step as Ctrl-C does. */
function stopAfter(step: number): { callback: Callback; signal: AbortSignal } {
  const abort = new AbortController()
  return {
    signal: abort.signal,
    callback: { onBatchEnd: (progress) => void (progress.step === step && abort.abort()) },
  }
}

/** Trains in two parts, the second with a model of its own that knows nothing of the first. */
async function inTwoParts(options: FitOptions, step: number, make: () => Callback[] = () => []): Promise<Model> {
  const checkpoints = { folder: newFolder(), every: 4 }
  const { callback, signal } = stopAfter(step)
  const first = await net().fit(train, { ...options, checkpoints, signal, callbacks: [...make(), callback] })
  assert.equal(first.ended, 'aborted')
  const model = net()
  await model.fit(train, { ...options, checkpoints, resume: true, callbacks: make() })
  return model
}

const adam = 'adam'
const rows: [name: string, options: FitOptions, step: number][] = [
  ['within the first epoch', { optimizer: adam }, 3],
  ['at the end of an epoch', { optimizer: adam }, 6],
  ['within a later epoch', { optimizer: adam }, 9],
  ['validated', { optimizer: adam, validationSplit: 0.2 }, 7],
  ['in order', { optimizer: adam, shuffle: false }, 8],
  ['on the reference engine', { optimizer: adam, engine: 'reference', batchSize: 66, epochs: 1 }, 2],
  ['in mixed precision', { engine: 'reference', precision: 'mixed_bfloat16', batchSize: 66, epochs: 1 }, 2],
  ['sgd', { optimizer: 'sgd' }, 8],
  ['sgd with momentum', { optimizer: { type: 'sgd', momentum: 0.9, nesterov: true } }, 8],
  ['adamW', { optimizer: 'adamW' }, 8],
  ['rmsprop', { optimizer: 'rmsprop' }, 8],
  ['nadam', { optimizer: 'nadam' }, 8],
  ['adagrad', { optimizer: 'adagrad' }, 8],
  ['averages', { optimizer: { type: 'adamW', useEma: true, emaMomentum: 0.8, emaOverwriteFrequency: 5 } }, 8],
  ['accumulation', { optimizer: { type: 'adam', gradientAccumulationSteps: 3, globalClipnorm: 0.5 } }, 8],
  ['a schedule', { learningRate: { type: 'oneCycle', maxLearningRate: 0.01 } }, 8],
  ['weights', { sampleWeight: Float32Array.from({ length: 330 }, (_, i) => 0.5 + (i % 3)), validationSplit: 0.3 }, 7],
  ['a part, by heart', { overfitBatches: 3, epochs: 4 }, 7],
]
for (const [name, options, step] of rows) {
  test(`goes on to the bit: ${name}`, async () => {
    const whole = net()
    const history = await whole.fit(train, { ...plain, ...options })
    const parts = await inTwoParts({ ...plain, ...options }, step)
    assert.deepEqual(await parts.toBytes(), await whole.toBytes())
    assert.equal(history.ended, 'finished')
  })
}

test('the history of a training that went on is that of the whole', async () => {
  const metrics = ['accuracy', 'f1Score', { type: 'auc', numThresholds: 50 }, 'cohenKappa'] as const
  const judged = { metrics, weightedMetrics: ['recall'], validationSplit: 0.2 } as const
  const options: FitOptions = { ...plain, ...judged, epochs: 3, learningRate: 0.01 }
  const logs = (at: string): Callback[] => [
    callbacks.csvLogger({ path: join(at, 'log.csv') }),
    callbacks.jsonLogger({ path: join(at, 'log.jsonl'), every: 2 }),
    callbacks.earlyStopping({ patience: 1, minDelta: 0.05, restoreBestWeights: true }),
    callbacks.reduceLearningRateOnPlateau({ patience: 1, minDelta: 0.5 }),
    callbacks.learningRateScheduler((epoch, rate) => (epoch === 2 ? rate / 2 : rate)),
  ]
  const [one, two] = [newFolder(), newFolder()]
  const whole = net()
  const wanted = await whole.fit(train, { ...options, callbacks: logs(one) })
  const checkpoints = { folder: newFolder(), every: 2 }
  let got = await net().fit(train, { ...options, checkpoints, callbacks: logs(two), maxTime: 0 })
  assert.deepEqual([got.ended, got.steps], ['stopped', 0])
  let model = net()
  for (let step = 3; (got.ended === 'aborted' || got.steps === 0) && step < 30; step += 4) {
    const { callback, signal } = stopAfter(step)
    model = net()
    const given = { checkpoints, resume: true, signal, callbacks: [...logs(two), callback] }
    got = await model.fit(train, { ...options, ...given })
  }
  assert.deepEqual(await model.toBytes(), await whole.toBytes())
  assert.deepEqual(got.history, wanted.history)
  const files = (at: string) => Promise.all(['log.csv', 'log.jsonl'].map((name) => readFile(join(at, name), 'utf8')))
  const timeless = (text: string) => text.replaceAll(/"(seconds|secondsLeft|imagesPerSecond)":[^,}]+/g, '')
  assert.deepEqual((await files(two)).map(timeless), (await files(one)).map(timeless))
})

test('checkpoints of an earlier training are not overwritten, nor taken for those of another', async () => {
  const checkpoints = { folder: newFolder() }
  const short: FitOptions = { ...plain, epochs: 1, checkpoints }
  await net().fit(train, short)
  await assert.rejects(net().fit(train, short), failure('E_OPTION', checkpoints.folder, 'resume: true'))
  const others: [FitOptions, string][] = [
    [{ batchSize: 32 }, 'batchSize'],
    [{ optimizer: 'sgd' }, 'optimizer'],
    [{ seed: 4 }, 'seed'],
    [{ validationSplit: 0.5 }, 'validationSplit'],
    [{ engine: 'reference' }, 'engine'],
    [{ sampleWeight: new Float32Array(330) }, 'sampleWeight'],
    [{ metrics: ['accuracy', 'f1Score'] }, 'objective'],
    [{ validationData: train, validationSampleWeight: new Float32Array(330) }, 'validationSampleWeight'],
  ]
  for (const [other, word] of others) {
    const again = net().fit(train, { ...short, ...other, resume: true })
    await assert.rejects(again, failure('E_MISMATCH', `'${word}' differs`, checkpoints.folder, 'start again'))
  }
  const wider = sequential({ inputShape: [28, 28, 1] }, [flatten(), dense({ units: 10 })])
  await assert.rejects(wider.fit(train, { ...short, resume: true }), failure('E_MISMATCH', "'model' differs"))
  const fewer = net().fit(take(train, 329), { ...short, resume: true })
  await assert.rejects(fewer, failure('E_MISMATCH', "'data' differs"))
  const few = { ...plain, engine: 'reference', steps: 1, batchSize: 8, checkpoints: { folder: newFolder() } } as const
  await net().fit(train, { ...few, precision: 'mixed_bfloat16' })
  const exact = net().fit(train, { ...few, precision: 'float32', resume: true })
  await assert.rejects(exact, failure('E_MISMATCH', "'precision' differs", 'mixed_bfloat16', 'float32'))
  await assert.rejects(
    net().fit(train, { ...plain, resume: true }),
    failure('E_OPTION', "'resume' needs 'checkpoints'"),
  )
})

test('a finished training goes on when more epochs are asked for', async () => {
  const checkpoints = { folder: newFolder() }
  await net().fit(train, { ...plain, epochs: 1, checkpoints })
  const model = net()
  const { epochs, steps } = await model.fit(train, { ...plain, checkpoints, resume: true })
  const whole = net()
  await whole.fit(train, plain)
  assert.deepEqual([epochs.length, steps], [2, 12])
  assert.deepEqual(await model.weights(), await whole.weights())
})

test('what ends within an epoch, or was stopped, ends so again when it goes on', async () => {
  const checkpoints = { folder: newFolder(), every: 2 }
  const whole = await net().fit(train, { ...plain, steps: 8 })
  await net().fit(train, { ...plain, steps: 8, checkpoints })
  const again = await net().fit(train, { ...plain, steps: 8, checkpoints, resume: true })
  assert.deepEqual([again.ended, again.steps, again.history], ['finished', 8, whole.history])
  const stopping = { folder: newFolder() }
  const stop = [callbacks.earlyStopping({ monitor: 'loss', minDelta: 100 })]
  const options: FitOptions = { ...plain, epochs: 5, callbacks: stop, checkpoints: stopping }
  const stopped = await net().fit(train, options)
  assert.deepEqual([stopped.ended, stopped.epochs.length], ['stopped', 2])
  const twice = await net().fit(train, { ...options, resume: true })
  assert.deepEqual([twice.ended, twice.why, twice.history], ['stopped', stopped.why, stopped.history])
  assert.equal((await net().fit(train, { ...options, epochs: 6, resume: true })).epochs.length, 3)
})

test('aborted while an epoch is judged, it is judged when training goes on', async () => {
  const checkpoints = { folder: newFolder() }
  const options: FitOptions = { ...plain, epochs: 1, validationSplit: 0.2 }
  const whole = await net().fit(train, options)
  const abort = new AbortController()
  const last: Callback = { onBatchEnd: ({ batch, batches }) => void (batch === batches && abort.abort()) }
  const first = await net().fit(train, { ...options, checkpoints, signal: abort.signal, callbacks: [last] })
  assert.deepEqual([first.ended, first.epochs.length], ['aborted', 0])
  const rest = await net().fit(train, { ...options, checkpoints, resume: true })
  assert.deepEqual([rest.ended, rest.history], ['finished', whole.history])
})

test('a damaged checkpoint is found, named, and the one before it taken', async () => {
  const checkpoints = { folder: newFolder() }
  const whole = net()
  await whole.fit(train, { ...plain, checkpoints })
  const names = (await readdir(checkpoints.folder)).sort()
  const newest = join(checkpoints.folder, names[names.length - 1])
  const bytes = await readFile(newest)
  bytes[bytes.length - 5] ^= 4
  await writeFile(newest, bytes)
  const model = net()
  const resumed: unknown[] = []
  const listen: Callback = {
    onTrainBegin: ({ resumed: found }) => void resumed.push(found?.step, ...(found?.skipped ?? [])),
  }
  await model.fit(train, { ...plain, checkpoints, resume: true, callbacks: [listen] })
  assert.equal(resumed[0], 6)
  assert.match(String(resumed[1]), /checkpoint-0*12\.safetensors.*checksum/)
  assert.deepEqual(await model.weights(), await whole.weights())
})

/** Starts or goes on with the training of test/support/killable.ts; kills it some time after it has told of a step. */
async function runKilled(at: string, moment: { step: number; ms: number } | undefined): Promise<string[]> {
  const flags = ['-C', 'fovea-source', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, 'test/support/killable.ts', at], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (line !== `step ${moment?.step}`) continue
    await setTimeout(moment?.ms)
    child.kill('SIGKILL')
  }
  const [code, signal] = await ended
  assert.ok(code === 0 || signal === 'SIGKILL', `exit ${code} ${signal}`)
  return lines
}

test('killed at 20 moments, a training ends as one that was left alone', async () => {
  const drawn = uniforms({ seed: 20, stream: 0 }, 40)
  const [left, killed] = [newFolder(), newFolder()]
  const [whole] = (await runKilled(left, undefined)).slice(-1)
  assert.match(whole, /^end [0-9a-f]{64}$/)
  const begun: number[] = []
  for (let kill = 0; kill < 20; kill++) {
    const step = 1 + 7 * kill + Math.floor(drawn[2 * kill] * 7) // anywhere within a stretch of its own
    const lines = await runKilled(killed, { step, ms: drawn[2 * kill + 1] * 20 })
    begun.push(Number(lines[0].split(' ')[1]))
  }
  assert.equal(begun[0], 0)
  for (const [i, step] of begun.entries()) {
    if (i > 0) assert.ok(step >= begun[i - 1], `went back from ${begun[i - 1]} to ${step}`)
    assert.ok(step >= 7 * (i - 1) - 3, `${i} kills, and it begins again at ${step}`)
  }
  assert.ok(begun[19] > 120)
  const [end] = (await runKilled(killed, undefined)).slice(-1)
  assert.equal(end, whole)
})

test('a folder of checkpoints is one training at a time, new or gone on from; one that was killed leaves it free', async () => {
  const checkpoints = { folder: newFolder() }
  for (const resume of [false, true]) {
    const fits = Array.from({ length: 3 }, () => net().fit(train, { ...plain, epochs: 1, checkpoints, resume }))
    const settled = await Promise.allSettled(fits)
    const refused = settled.filter(({ status }) => status === 'rejected')
    assert.equal(refused.length, 2)
    for (const one of refused)
      await assert.rejects(
        Promise.reject((one as PromiseRejectedResult).reason),
        failure('E_OPTION', 'another training'),
      )
  }
  const claim = join(checkpoints.folder, '.training')
  for (const left of ['', '999999999 5', `${process.ppid} 1`]) {
    await writeFile(claim, left) // of no process that runs
    await net().fit(train, { ...plain, epochs: 1, checkpoints, resume: true })
  }
  const mark = (await processMark(process.ppid)) ?? ''
  await writeFile(claim, mark) // of one that runs
  await assert.rejects(
    net().fit(train, { ...plain, epochs: 1, checkpoints, resume: true }),
    failure('E_OPTION', 'another'),
  )
  assert.equal(await readFile(claim, 'utf8'), mark)
})
