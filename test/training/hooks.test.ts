/** Hooks of `fit`: when they are called, what they may do, and that a training is the same however it is interrupted. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Callback, FitOptions, Progress, TrainingControl } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

const folder = await mkdtemp(join(tmpdir(), 'fovea-hooks-'))
after(() => rm(folder, { recursive: true }))
const data = points(12)
const two: FitOptions = { epochs: 2, batchSize: 4 } // three steps an epoch

const hooks = ['onTrainBegin', 'onEpochBegin', 'onBatchBegin', 'onBatchEnd', 'onEpochEnd', 'onTrainEnd'] as const
type Hook = (typeof hooks)[number]

/** A callback that calls `hear` from every hook, with what the hook is told. */
function everywhere(hear: (hook: Hook, told: unknown, training: TrainingControl) => void | Promise<void>): Callback {
  const call = (hook: Hook) => [hook, (told: unknown, training: TrainingControl) => hear(hook, told, training)] as const
  return Object.fromEntries(hooks.map(call))
}

/** `onBatchEnd 2.3`: the third batch of the second epoch. */
function wordsOf(hook: Hook, told: unknown): string {
  if (typeof told === 'number') return `${hook} ${told}`
  const { epoch, batch } = told as { epoch?: number; batch?: number }
  return [hook, [epoch, batch].filter((n) => n !== undefined).join('.')].join(' ').trim()
}

/** A step begins before the one before it is reported, never more. */
const wanted = [
  'onTrainBegin',
  ...[1, 2].flatMap((epoch) => [
    `onEpochBegin ${epoch}`,
    `onBatchBegin ${epoch}.1`,
    `onBatchBegin ${epoch}.2`,
    `onBatchEnd ${epoch}.1`,
    `onBatchBegin ${epoch}.3`,
    `onBatchEnd ${epoch}.2`,
    `onBatchEnd ${epoch}.3`,
    `onEpochEnd ${epoch}`,
  ]),
  'onTrainEnd',
]

for (const [what, wait] of [
  ['at once', undefined],
  ['by promises, which are waited for', 2],
] as const) {
  test(`hooks are called in one order, callback after callback: ${what}`, async () => {
    const heard: string[] = []
    const named = (name: string) =>
      everywhere(async (hook, told) => {
        const line = `${name} ${wordsOf(hook, told)}`
        heard.push(line)
        if (wait === undefined) return
        await setTimeout(wait)
        assert.equal(heard.at(-1), line, 'nothing happened meanwhile')
      })
    await tiny().fit(data, { ...two, callbacks: [named('a'), named('b')] })
    assert.deepEqual(
      heard,
      wanted.flatMap((line) => [`a ${line}`, `b ${line}`]),
    )
  })
}

test('what hooks are told adds up', async () => {
  const told: Record<Hook, unknown[]> = Object.fromEntries(hooks.map((hook) => [hook, []])) as never
  const listen = everywhere((hook, what) => void told[hook].push(what))
  const history = await tiny().fit(points(10), { ...two, validationSplit: 0.2, callbacks: [listen] })
  const [{ engine, arenaBytes, logs, logsToRaise, ...info }] = told.onTrainBegin as Record<string, unknown>[]
  assert.deepEqual(info, { epochs: 2, batches: 2, samples: 8, validationSamples: 2, precision: 'float32' })
  assert.deepEqual(logs, ['accuracy', 'loss', 'val_accuracy', 'val_loss'])
  assert.deepEqual(logsToRaise, ['accuracy', 'val_accuracy'])
  assert.match(String(engine), /^reference: /)
  assert.ok(Number(arenaBytes) > 0)
  const progress = told.onBatchEnd as Progress[]
  assert.deepEqual(
    progress.map(({ epoch, epochs, batch, batches, step }) => [epoch, epochs, batch, batches, step]),
    [
      [1, 2, 1, 2, 1],
      [1, 2, 2, 2, 2],
      [2, 2, 1, 2, 3],
      [2, 2, 2, 2, 4],
    ],
  )
  const [one, other] = progress.slice(2).map(({ batchLogs }) => batchLogs['loss'])
  assert.deepEqual(progress[2].logs, progress[2].batchLogs)
  assert.ok(Math.abs(progress[3].logs['loss'] - (one + other) / 2) < 1e-12)
  assert.equal(progress[3].logs['loss'], history.epochs[1]['loss'])
  assert.deepEqual(told.onEpochEnd, history.epochs)
  assert.deepEqual(told.onTrainEnd, [history])
})

for (const hook of hooks) {
  test(`an error in ${hook} ends fit with that error, and the next fit works`, async () => {
    const model = tiny()
    const wrong = new Error(`wrong in ${hook}`)
    const ends: string[] = []
    const throwing: Callback = {
      [hook]: () => {
        throw wrong
      },
    }
    const listen: Callback = { onTrainEnd: ({ ended }) => void ends.push(ended) }
    await assert.rejects(model.fit(data, { ...two, callbacks: [listen, throwing] }), (error) => error === wrong)
    assert.deepEqual(ends, { onTrainBegin: [], onTrainEnd: ['finished'] }[hook as string] ?? ['failed'])
    assert.equal((await model.fit(data, two)).ended, 'finished')
  })
}

test('an error in onTrainEnd does not hide the one that ended training', async () => {
  const rejecting: Callback = {
    onEpochEnd: () => Promise.reject(new Error('first')),
    onTrainEnd: () => Promise.reject(new Error('second')),
  }
  await assert.rejects(tiny().fit(data, { ...two, callbacks: [rejecting] }), /first/)
})

/** Where training is stopped, and the steps it has then taken: one may have been under way. */
const stops: [at: string, steps: number][] = [
  ['onTrainBegin', 0],
  ['onEpochBegin 2', 3],
  ['onBatchEnd 1.1', 2],
  ['onEpochEnd 1', 3],
  ['onEpochEnd 2', 6],
]
for (const [at, steps] of stops) {
  test(`stopped in ${at}: the history says why`, async () => {
    const stop = everywhere((here, told, training) => {
      if (wordsOf(here, told) === at) training.stop(`enough ${at}`)
      if (wordsOf(here, told) === at) training.stop('a second reason')
    })
    const history = await tiny().fit(data, { ...two, callbacks: [stop] })
    assert.deepEqual([history.ended, history.why, history.steps], ['stopped', `enough ${at}`, steps])
  })
}

/** The rate of every step; it begins as 0.5. */
async function ratesOf(callback: Callback, options: FitOptions = {}) {
  const rates: number[] = []
  const listen: Callback = { onBatchEnd: ({ learningRate }) => void rates.push(learningRate) }
  const model = tiny()
  const given = { ...two, optimizer: 'sgd', learningRate: 0.5, callbacks: [callback, listen], ...options } as const
  const { epochs } = await model.fit(data, given)
  assert.equal(epochs.at(-1)?.learningRate, rates.at(-1))
  return { rates, weights: await model.weights() }
}
const halve = (_: unknown, training: TrainingControl): void => {
  training.learningRate /= 2
}
const rates: [hook: Hook, rates: readonly number[]][] = [
  ['onTrainBegin', Array(6).fill(0.25)],
  ['onEpochBegin', [0.25, 0.25, 0.25, 0.125, 0.125, 0.125]],
  ['onBatchBegin', [0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125]],
  ['onEpochEnd', [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]],
]
for (const [hook, wanted] of rates) {
  test(`a rate that is set in ${hook}`, async () => {
    const { rates, weights } = await ratesOf({ [hook]: halve })
    assert.deepEqual(rates, wanted)
    assert.notDeepEqual(weights, (await ratesOf({})).weights)
  })
}

const decay = { type: 'exponentialDecay', initialLearningRate: 1, decaySteps: 1, decayRate: 0.5 } as const
test('a rate that is set takes the place of a schedule', async () => {
  const set: Callback = { onEpochBegin: (epoch, training) => void (epoch === 2 && (training.learningRate = 3)) }
  assert.deepEqual((await ratesOf(set, { learningRate: decay })).rates, [1, 0.5, 0.25, 3, 3, 3])
})

/** Sets the rate of `rates` by step. */
const setAfter = (rates: Readonly<Record<number, number>>): Callback => ({
  onBatchEnd({ step }, training) {
    if (rates[step] !== undefined) training.learningRate = rates[step]
  },
})
/** What is set in onBatchEnd holds from the second next step. */
const inBatches: [what: string, callback: Callback, rates: readonly number[], options?: FitOptions][] = [
  ['once', setAfter({ 2: 0.1 }), [0.5, 0.5, 0.5, 0.1, 0.1, 0.1]],
  ['on the last step of an epoch', setAfter({ 3: 0.1 }), [0.5, 0.5, 0.5, 0.5, 0.1, 0.1]],
  ['after every step', setAfter({ 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6 }), [0.5, 0.5, 1, 2, 3, 4]],
  ['as half of what was set last', { onBatchEnd: halve }, [0.5, 0.5, 0.25, 0.125, 0.0625, 0.03125]],
  [
    'and then made less by onEpochEnd',
    { ...setAfter({ 3: 0.1 }), onEpochEnd: halve },
    [0.5, 0.5, 0.5, 0.05, 0.05, 0.05],
  ],
  ['over a schedule', setAfter({ 2: 3 }), [1, 0.5, 0.25, 3, 3, 3], { learningRate: decay }],
  [
    'as a part of a schedule',
    { onBatchEnd: (progress, training) => (progress.step === 2 ? halve(progress, training) : undefined) },
    [1, 0.5, 0.25, 0.0625, 0.0625, 0.0625],
    { learningRate: decay },
  ],
  [
    'after one that was set in onBatchBegin',
    {
      ...setAfter({ 1: 0.25 }),
      onBatchBegin({ epoch, batch }, training) {
        if (epoch === 1 && batch === 2) training.learningRate = 0.125
      },
    },
    [0.5, 0.125, 0.25, 0.25, 0.25, 0.25],
  ],
]
for (const [what, callback, wanted, options] of inBatches) {
  test(`a rate set in onBatchEnd, the same with checkpoints and without: ${what}`, async () => {
    const plain = await ratesOf(callback, options)
    assert.deepEqual(plain.rates, wanted)
    for (const every of [1, 2, 3]) {
      const checkpoints = { folder: join(folder, `${what} ${every}`), every }
      assert.deepEqual(await ratesOf(callback, { ...options, checkpoints }), plain, `every ${every}`)
    }
  })
}

for (const rate of [Number.NaN, -1, Number.POSITIVE_INFINITY, '0.1', undefined] as readonly unknown[]) {
  for (const hook of ['onEpochBegin', 'onBatchEnd'] as const) {
    test(`refused in ${hook}: ${String(rate)} (${typeof rate}) as a rate`, async () => {
      const set: Callback = {
        [hook]: (_: unknown, training: TrainingControl) => {
          training.learningRate = rate as number
        },
      }
      await assert.rejects(
        tiny().fit(data, { ...two, callbacks: [set] }),
        failure('E_OPTION', 'learning rate', 'a number >= 0'),
      )
    })
  }
}

for (const [callback, ...said] of [
  [{ onBatchEnd: 5 }, 'onBatchEnd', 'a function'],
  [{ name: 'mine', state: {} }, 'state', 'mine', 'a function'],
  [{ onEpochEnded() {} }, "nothing calls 'onEpochEnded'", "'onEpochEnd'"],
  [{ on_batch_end() {} }, "'onBatchEnd'"],
] as const)
  test(`refused before training begins: a callback with ${Object.keys(callback).join(', ')}`, () =>
    assert.rejects(tiny().fit(points(4), { callbacks: [callback as never] }), failure('E_OPTION', ...said)))
