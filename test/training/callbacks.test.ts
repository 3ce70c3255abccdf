/** Callbacks: by hand, by Keras's rules over random series, and in trainings so small that they cost nothing. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { uniforms } from '../../src/base/random.ts'
import type { Callback, EpochRecord, History, Model, TrainingInfo } from '../../src/index.ts'
import { callbacks, loadModel } from '../../src/index.ts'
import type { EarlyStoppingOptions } from '../../src/training/callbacks/early-stopping.ts'
import type { PlateauOptions } from '../../src/training/callbacks/learning-rate.ts'
import type { ModelCheckpointOptions } from '../../src/training/callbacks/model-checkpoint.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

const { earlyStopping, reduceLearningRateOnPlateau, learningRateScheduler, modelCheckpoint, csvLogger, jsonLogger } =
  callbacks
const folder = await mkdtemp(join(tmpdir(), 'fovea-callbacks-'))
after(() => rm(folder, { recursive: true }))
let names = 0
const newPath = (): string => join(folder, String(names++))

const info: TrainingInfo = {
  epochs: 20,
  batches: 1,
  samples: 10,
  validationSamples: 5,
  logs: [],
  engine: 'none',
  precision: 'float32',
  arenaBytes: 0,
}
const recordOf = (epoch: number, logs: Readonly<Record<string, number>>): EpochRecord => ({
  epoch,
  seconds: 0,
  samples: 10,
  learningRate: 1,
  ...logs,
})

interface Played {
  /** What the callback did, in its order: `keep 1`, `stop 3`, `restore`, `save best-2`. */
  readonly deeds: readonly string[]
  readonly why: string | undefined
  /** The learning rate after each epoch; it begins as 1. */
  readonly rates: readonly number[]
}

/** A training that is made up of the logs of its epochs. */
async function played(
  callback: Callback,
  epochs: readonly Readonly<Record<string, number>>[],
  { ended, hasSchedule = false, ...told }: Partial<TrainingInfo & History & { hasSchedule: boolean }> = {},
): Promise<Played> {
  const deeds: string[] = []
  const rates: number[] = []
  let [epoch, why] = [0, undefined as string | undefined]
  const training = {
    learningRate: 1,
    hasSchedule,
    isCutShort: false,
    stop(reason: string) {
      deeds.push(`stop ${epoch}`)
      why = reason
    },
    keepWeights: async () => void deeds.push(`keep ${epoch}`),
    restoreWeights: async () => deeds.push('restore') > 0,
    save: async (path: string) => void deeds.push(`save ${path}`),
  }
  const logs = [...new Set(epochs.flatMap((epoch) => Object.keys(epoch)))].filter((log) => log !== 'samples').sort()
  await callback.onTrainBegin?.({ ...info, logs, ...told }, training)
  for (const logs of epochs) {
    if (why !== undefined) break
    epoch++
    await callback.onEpochBegin?.(epoch, training)
    training.isCutShort = logs['samples'] !== undefined
    await callback.onEpochEnd?.(recordOf(epoch, logs), training)
    rates.push(training.learningRate)
  }
  const end = ended ?? (why === undefined ? 'finished' : 'stopped')
  await callback.onTrainEnd?.({ epochs: [], history: {}, steps: epoch, ended: end }, training)
  return { deeds, why, rates }
}
const logsOf = (monitor: string, series: readonly number[]) => series.map((value) => ({ [monitor]: value }))

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

for (const [monitor, isMax] of [
  ['val_accuracy', true],
  ['accuracy', true],
  ['side_accuracy', true],
  ['val_top5Accuracy', true],
  ['val_precision', true],
  ['val_recall', true],
  ['val_auc', true],
  ['val_f1', true],
  ['val_loss', false],
  ['side_loss', false],
  ['val_meanAbsoluteError', false],
] as const) {
  test(`mode auto: of ${monitor} ${isMax ? 'more' : 'less'} is better`, async () => {
    const better = isMax ? [1, 2, 3] : [3, 2, 1]
    assert.deepEqual((await played(earlyStopping({ monitor }), logsOf(monitor, better))).deeds, [])
    assert.deepEqual((await played(earlyStopping({ monitor }), logsOf(monitor, better.toReversed()))).deeds, ['stop 2'])
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

test('a second training begins anew', async () => {
  const stopping = earlyStopping({ patience: 2 })
  const series = logsOf('val_loss', [1, 2, 3])
  for (let i = 0; i < 2; i++) assert.deepEqual((await played(stopping, series)).deeds, ['stop 3'])
  const plateau = reduceLearningRateOnPlateau({ patience: 2, factor: 0.5 })
  for (let i = 0; i < 2; i++) assert.deepEqual((await played(plateau, series)).rates, [1, 1, 0.5])
  const best = modelCheckpoint({ path: '{epoch}', saveBestOnly: true })
  for (let i = 0; i < 2; i++) assert.deepEqual((await played(best, series)).deeds, ['save 1'])
})

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

test('reduceLearningRateOnPlateau refuses a schedule', async () => {
  const refused = failure('E_OPTION', 'reduceLearningRateOnPlateau', 'schedule', 'learningRate as a number')
  const plateau = reduceLearningRateOnPlateau({ monitor: 'loss' })
  await assert.rejects(played(plateau, [], { hasSchedule: true, logs: ['loss'] }), refused)
  const learningRate = { type: 'cosineDecay', initialLearningRate: 0.1 } as const
  await assert.rejects(tiny().fit(points(12), { learningRate, callbacks: [plateau] }), refused)
})

/** Takes note of the weights at the end of every epoch. */
function keeping(model: Model) {
  const weights: Record<string, Float32Array>[] = []
  const callback: Callback = { onEpochEnd: async () => void weights.push(await model.weights()) }
  return { weights, callback }
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
  const at = newPath()
  const model = tiny()
  const { weights, callback } = keeping(model)
  const path = join(at, 'm-{epoch}-{val_loss}.safetensors')
  const { history } = await model.fit(points(12), {
    ...five,
    epochs: 2,
    callbacks: [modelCheckpoint({ path }), callback],
  })
  const files = history['val_loss'].map((loss, i) => `m-${i + 1}-${loss.toFixed(4)}.safetensors`)
  assert.deepEqual((await readdir(at)).sort(), files)
  for (const [i, file] of files.entries()) {
    assert.deepEqual(await (await loadModel(join(at, file))).weights(), weights[i])
  }
})

const logged = [{ loss: 0.5, accuracy: 0.25 }, { loss: 0.375, accuracy: 1 }, { loss: 1e-7 }]
const lines = ['epoch,accuracy,loss', '0,0.25,0.5', '1,1,0.375', '2,NA,1e-7', '']
const csvs: [
  what: string,
  options: { separator?: string; append?: boolean },
  before: string | undefined,
  after: string,
][] = [
  ['a header, epochs from 0, NA for what is missing', {}, undefined, lines.join('\n')],
  ['another separator', { separator: '\t' }, undefined, lines.join('\n').replaceAll(',', '\t')],
  [
    'a separator that is in numbers',
    { separator: '.' },
    undefined,
    'epoch.accuracy.loss\n0."0.25"."0.5"\n1.1."0.375"\n2.NA.1e-7\n',
  ],
  ['what was there before is gone', {}, 'old\n', lines.join('\n')],
  [
    'on at the end, without a second header',
    { append: true },
    lines.join('\n'),
    [...lines.slice(0, 4), ...lines.slice(1)].join('\n'),
  ],
  ['on at the end of nothing', { append: true }, undefined, lines.join('\n')],
  ['on at the end of an empty file', { append: true }, '', lines.join('\n')],
  [
    'under a header in another order, with more',
    { append: true },
    'loss,val_loss,epoch,accuracy\n',
    'loss,val_loss,epoch,accuracy\n0.5,,0,0.25\n0.375,,1,1\n1e-7,,2,NA\n',
  ],
  [
    'under a quoted header of other line ends',
    { append: true },
    '\ufeff"epoch","a ""b"",\nc",loss,accuracy\r\n',
    '\ufeff"epoch","a ""b"",\nc",loss,accuracy\r\n0,,0.5,0.25\n1,,0.375,1\n2,,1e-7,NA\n',
  ],
  [
    'behind a last line that was cut short',
    { append: true },
    'epoch,accuracy,loss\n0,1',
    'epoch,accuracy,loss\n0,1\n0,0.25,0.5\n1,1,0.375\n2,NA,1e-7\n',
  ],
]
for (const [what, options, before, wanted] of csvs) {
  test(`csvLogger: ${what}`, async () => {
    const path = newPath()
    if (before !== undefined) await writeFile(path, before)
    await played(csvLogger({ path, ...options }), logged)
    assert.equal(await readFile(path, 'utf8'), wanted)
  })
}

for (const header of ['epoch,loss\n', 'old\n', 'epoch;accuracy;loss\n', '0,0.25,0.5\n']) {
  test(`csvLogger does not go on under ${JSON.stringify(header)}, which has no column for a log`, async () => {
    const path = newPath()
    await writeFile(path, header)
    const refused = failure('E_OPTION', path, 'accuracy', "again without 'append'")
    await assert.rejects(played(csvLogger({ path, append: true }), logged), refused)
    assert.equal(await readFile(path, 'utf8'), header)
  })
}

test('csvLogger in a training: a second one with data for validation has no columns for them', async () => {
  const path = newPath()
  const model = tiny()
  await model.fit(points(12), { callbacks: [csvLogger({ path })] })
  const before = await readFile(path, 'utf8')
  const more = { validationSplit: 0.25, callbacks: [csvLogger({ path, append: true })] }
  await assert.rejects(model.fit(points(12), more), failure('E_OPTION', path, 'val_accuracy, val_loss'))
  assert.equal(await readFile(path, 'utf8'), before)
})

test('csvLogger quotes what is no plain cell, and reads it again', async () => {
  const path = newPath()
  const odd = { 'a,b_loss': 1, 'say "x"_loss': 2, 'two\nlines_loss': 3 }
  await played(csvLogger({ path }), [odd])
  const header = 'epoch,"a,b_loss","say ""x""_loss","two\nlines_loss"\n'
  assert.equal(await readFile(path, 'utf8'), `${header}0,1,2,3\n`)
  await played(csvLogger({ path, append: true }), [odd])
  assert.equal(await readFile(path, 'utf8'), `${header}0,1,2,3\n0,1,2,3\n`)
})

for (const separator of ['', '"', '\n', ', ']) {
  test(`csvLogger refuses ${JSON.stringify(separator)} between columns`, () =>
    assert.throws(() => csvLogger({ path: 'x', separator }), failure('E_OPTION', 'csvLogger', 'separator')))
}

for (const make of [csvLogger, jsonLogger]) {
  test(`${make.name} that is new in a training that goes on begins its file, or goes on at its end`, async () => {
    const resumed = { path: 'checkpoint', step: 3, skipped: [] }
    const linesOf = async (append: boolean, path: string): Promise<number> => {
      await played(make({ path, append }), logged, { resumed })
      return (await readFile(path, 'utf8')).trimEnd().split('\n').length
    }
    const path = newPath()
    await writeFile(path, 'epoch,accuracy,loss\n')
    const header = make === csvLogger ? 1 : 0
    assert.equal(await linesOf(true, path), 1 + logged.length)
    assert.equal(await linesOf(false, path), header + logged.length)
  })
}

test('csvLogger goes on after a checkpoint in a file that was taken away, under a new header', async () => {
  const path = newPath()
  const logger = csvLogger({ path })
  await played(logger, logged)
  const state = logger.state?.()
  await rm(path)
  const next = csvLogger({ path })
  await next.restore?.(state as never)
  await played(next, logged, { resumed: { path: 'checkpoint', step: 3, skipped: [] } })
  assert.equal(await readFile(path, 'utf8'), lines.join('\n'))
})

test('csvLogger begins anew with the next training, by the logs of that one', async () => {
  const path = newPath()
  const logger = csvLogger({ path })
  await played(logger, logged)
  await played(logger, [{ loss: 2, val_loss: 3 }])
  assert.equal(await readFile(path, 'utf8'), 'epoch,loss,val_loss\n0,2,3\n')
  const both = csvLogger({ path, append: true })
  await played(both, [{ loss: 4, val_loss: 5 }])
  await played(both, [{ loss: 6, val_loss: 7 }])
  assert.equal(await readFile(path, 'utf8'), 'epoch,loss,val_loss\n0,2,3\n0,4,5\n0,6,7\n')
})

const events: [what: string, every: number | undefined, events: string[]][] = [
  ['epochs alone', undefined, ['epoch 1', 'epoch 2']],
  ['every second step', 2, ['step 2', 'epoch 1', 'step 4', 'step 6', 'epoch 2']],
  ['every step', 1, ['step 1', 'step 2', 'step 3', 'epoch 1', 'step 4', 'step 5', 'step 6', 'epoch 2']],
]
for (const [what, every, wanted] of events) {
  test(`jsonLogger: ${what}`, async () => {
    const path = newPath()
    const logger = jsonLogger({ path, ...(every !== undefined && { every }) })
    const { epochs } = await tiny().fit(points(12), { epochs: 2, batchSize: 4, callbacks: [logger] })
    const text = await readFile(path, 'utf8')
    assert.ok(text.endsWith('}\n'))
    const objects = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      objects.map(({ event, step, epoch }) => `${event} ${event === 'step' ? step : epoch}`),
      wanted,
    )
    const last = objects.at(-1)
    assert.deepEqual(last, { event: 'epoch', ...epochs[1] })
    for (const { event, learningRate, batchLogs } of objects) {
      assert.equal(learningRate, 0.001)
      if (event === 'step') assert.deepEqual(Object.keys(batchLogs), ['accuracy', 'loss'])
    }
  })
}

test('jsonLogger begins anew, or goes on at the end', async () => {
  const path = newPath()
  const countOf = async (append: boolean): Promise<number> => {
    await played(jsonLogger({ path, append }), logged)
    return (await readFile(path, 'utf8')).trimEnd().split('\n').length
  }
  assert.deepEqual([await countOf(false), await countOf(true), await countOf(false)], [3, 6, 3])
})
