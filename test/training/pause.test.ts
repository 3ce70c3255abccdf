/** Pausing a training, taking one step, going on: the result is the same however it was done. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Callback, DoneStep, FitOptions, PauseControl } from '../../src/index.ts'
import { callbacks, trainingControl } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { points, tiny } from '../support/tiny-model.ts'

const data = points(16)
const options: FitOptions = { epochs: 2, batchSize: 4, validationSplit: 0.25, learningRate: 0.1 } // three steps an epoch

/** A training with callbacks that depend on when they are called, and what came of it. */
async function trained(drive: (control: PauseControl) => Promise<void>, more: FitOptions = {}) {
  const control = trainingControl()
  const model = tiny()
  const heard: string[] = []
  const listen: Callback = {
    onEpochBegin: (epoch) => void heard.push(`epoch ${epoch}`),
    onBatchBegin: ({ batch }) => void heard.push(`begin ${batch}`),
    onBatchEnd({ batch, learningRate }, training) {
      heard.push(`end ${batch} ${learningRate}`)
      training.learningRate *= 0.5
    },
    onEpochEnd: ({ epoch, val_loss }) => void heard.push(`epoch ${epoch} ${val_loss}`),
  }
  const fitting = model.fit(data, { ...options, ...more, control, callbacks: [listen] })
  await drive(control)
  const { history, steps, ended } = await fitting
  assert.notEqual(control.state, 'running')
  return { heard, history, steps, ended, weights: await model.weights() }
}
const notAtAll = async (): Promise<void> => {}

const drives: [what: string, drive: (control: PauseControl) => Promise<void>][] = [
  [
    'paused before it began, then resumed',
    async (control) => {
      await control.pause()
      await setTimeout(5)
      control.resume()
    },
  ],
  [
    'paused and resumed again and again',
    async (control) => {
      for (let i = 0; i < 20; i++) {
        await control.pause()
        control.resume()
        await setTimeout(0)
      }
    },
  ],
  [
    'step by step to its end',
    async (control) => {
      while (await control.step()) assert.ok(control.state === 'paused' || control.state === 'ended')
    },
  ],
  [
    'two steps asked for at once, then on',
    async (control) => {
      const two = await Promise.all([control.step(), control.step()])
      assert.deepEqual(
        two.map((done) => done?.step),
        [1, 2],
      )
      control.resume()
    },
  ],
]
for (const [what, drive] of drives) {
  test(`the same comes of a training that is ${what}`, async () => {
    assert.deepEqual(await trained(drive), await trained(notAtAll))
  })
}

test('a step tells what it gave, and training rests until the next', async () => {
  const control = trainingControl()
  const model = tiny()
  const before = await model.weights()
  void control.pause()
  assert.equal(control.state, 'idle')
  const fitting = model.fit(data, { ...options, control })
  await control.pause()
  assert.deepEqual([control.state, await model.weights()], ['paused', before])
  const steps: DoneStep[] = []
  for (let i = 0; i < 4; i++) {
    const done = await control.step()
    assert.equal(control.state, 'paused')
    steps.push(done as DoneStep)
    const resting = await model.weights()
    await setTimeout(5)
    assert.deepEqual(await model.weights(), resting)
  }
  assert.deepEqual(
    steps.map(({ epoch, batch, step, learningRate }) => [epoch, batch, step, learningRate]),
    [
      [1, 1, 1, 0.1],
      [1, 2, 2, 0.1],
      [1, 3, 3, 0.1],
      [2, 1, 4, 0.1],
    ],
  )
  control.resume()
  assert.equal(control.state, 'running')
  const { history } = await fitting
  const [one, two, three] = steps.map(({ logs }) => logs['loss'])
  assert.ok(Math.abs((one + two + three) / 3 - history['loss'][0]) < 1e-12)
})

test('the last step tells what it gave too; a step after the end gives nothing', async () => {
  const control = trainingControl()
  void control.pause()
  const fitting = tiny().fit(data, { ...options, epochs: 1, control })
  const done = [await control.step(), await control.step(), await control.step()]
  assert.deepEqual(
    done.map((one) => one?.step),
    [1, 2, 3],
  )
  assert.equal((await fitting).ended, 'finished')
  assert.deepEqual([control.state, await control.step()], ['ended', undefined])
  void control.pause() // for the next one
  const next = tiny().fit(data, { ...options, steps: 2, epochs: 1, control })
  assert.equal((await control.step())?.step, 1)
  control.resume()
  assert.equal((await next).steps, 2)
})

test('the abort signal ends a paused training', async () => {
  const [control, stop] = [trainingControl(), new AbortController()]
  void control.pause()
  const fitting = tiny().fit(data, { ...options, control, signal: stop.signal })
  await control.step()
  const waiting = control.pause()
  await setTimeout(20)
  assert.equal(control.state, 'paused')
  stop.abort()
  await waiting
  const { ended, steps } = await fitting
  assert.deepEqual([ended, steps, control.state], ['aborted', 1, 'ended'])
})

test('a pause is not part of maxTime, nor of the seconds of an epoch', async () => {
  const control = trainingControl()
  void control.pause()
  const fitting = tiny().fit(data, { ...options, maxTime: 30, control })
  await control.pause()
  await setTimeout(300)
  control.resume()
  const { ended, epochs } = await fitting
  assert.equal(ended, 'finished')
  const whole = await tiny().fit(data, options)
  assert.ok(epochs[0].seconds < 0.3 + whole.epochs[0].seconds, `${epochs[0].seconds}`)
})

test('an error ends a paused step; one control is for one training at a time', async () => {
  const control = trainingControl()
  void control.pause()
  const failing: Callback = {
    onBatchBegin({ batch }) {
      if (batch === 2) throw new Error('enough')
    },
  }
  const fitting = tiny().fit(data, { ...options, control, callbacks: [failing] })
  await control.step()
  await assert.rejects(tiny().fit(data, { control }), failure('E_OPTION', 'control', 'another training'))
  control.resume()
  await assert.rejects(fitting, /enough/)
  assert.equal(control.state, 'ended')
})

for (const wrong of [{}, { pause() {} }, 'pause'])
  test(`refused as a control: ${JSON.stringify(wrong)}`, () =>
    assert.rejects(tiny().fit(data, { control: wrong as never }), failure('E_OPTION', 'control', 'trainingControl()')))

test('what callbacks of the house make of a training does not change by pausing', async () => {
  const run = async (drive: (control: PauseControl) => Promise<void>) => {
    const control = trainingControl()
    const model = tiny()
    const list = [callbacks.earlyStopping({ patience: 1, restoreBestWeights: true })]
    const fitting = model.fit(data, { ...options, epochs: 12, learningRate: 3, control, callbacks: list })
    await drive(control)
    const { history, steps, why } = await fitting
    return { history, steps, why, weights: await model.weights() }
  }
  const stepped = await run(async (control) => {
    while (await control.step());
  })
  assert.deepEqual(stepped, await run(notAtAll))
})

const settlesWithin = (promise: Promise<unknown>, ms = 2000) =>
  Promise.race([promise.then((value) => ({ value })), setTimeout(ms, 'late', { ref: false })])

test('a pause that is taken back before training rests is settled', async () => {
  const control = trainingControl()
  let waiting: Promise<unknown> | undefined
  const begin: Callback = {
    onTrainBegin() {
      const pausing = control.pause()
      control.resume()
      waiting = settlesWithin(pausing)
    },
    onBatchEnd: async () => assert.deepEqual(await waiting, { value: undefined }),
  }
  await tiny().fit(data, { ...options, control, callbacks: [begin] })
})

test('a step that was asked for and not taken gives nothing: an abort, a refusal, a fit that is refused', async () => {
  const [control, stop] = [trainingControl(), new AbortController()]
  void control.pause()
  const fitting = tiny().fit(data, { ...options, control, signal: stop.signal })
  assert.equal((await control.step())?.step, 1)
  const second = control.step()
  stop.abort()
  assert.deepEqual([await second, (await fitting).steps], [undefined, 1])

  const diverging = trainingControl()
  void diverging.pause()
  function* batches() {
    for (const x of [1, NaN, 1]) yield [Float32Array.of(x, 2, 3), Int32Array.of(1)] as const
  }
  const diverged = tiny().fit(batches(), { stepsPerEpoch: 3, onNonFinite: 'stop', control: diverging })
  assert.equal((await diverging.step())?.step, 1)
  assert.equal(await diverging.step(), undefined)
  const { ended, steps } = await diverged
  assert.deepEqual([ended, steps], ['diverged', 1])

  const refused = trainingControl()
  const asked = refused.step()
  await assert.rejects(tiny().fit(data, { control: refused, epochs: 0 }), failure('E_OPTION', 'epochs'))
  assert.deepEqual(await settlesWithin(asked), { value: undefined })
})

test('a training that waits for a batch can be paused', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  async function* batches() {
    const batch = () => [Float32Array.of(1, 2, 3), Int32Array.of(1)] as const
    yield batch()
    yield batch()
    await promise
    yield batch()
  }
  const control = trainingControl()
  const waits = Promise.withResolvers<void>()
  const second: Callback = { onBatchBegin: ({ batch }) => void (batch === 2 && waits.resolve()) }
  const fitting = tiny().fit(batches(), { stepsPerEpoch: 3, control, callbacks: [second] })
  await waits.promise
  await setTimeout(20)
  assert.deepEqual(await settlesWithin(control.pause()), { value: undefined })
  assert.equal(control.state, 'paused')
  resolve()
  await setTimeout(20)
  assert.equal(control.state, 'paused')
  assert.equal((await control.step())?.step, 3)
  assert.equal((await fitting).steps, 3)
})

test('users of a control see nothing of its other side', () => {
  const control = trainingControl()
  assert.deepEqual(Object.keys(control).sort(), ['pause', 'resume', 'state', 'step'])
  assert.equal(Object.getPrototypeOf(control), Object.prototype)
})
