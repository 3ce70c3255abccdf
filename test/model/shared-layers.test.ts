/** Layers that several models have: what belongs to the layer, and what each model has for itself. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Model } from '../../src/index.ts'
import { defineLayer, layers, model, modelFrom, sequential } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { train } from '../support/small-model.ts'

const { conv2d, batchNormalization, flatten, dense } = layers
const learn = { batchSize: 64, learningRate: 0.01 } as const

/** A convolution and statistics under a head. */
const made = (options: { engine?: 'reference' | 'wasm' | 'native'; seed?: number } = {}): Model =>
  sequential({ inputShape: [28, 28, 1], seed: 1, threads: 2, ...options }, [
    conv2d({ filters: 4, kernelSize: 5, strides: 4 }),
    batchNormalization({ name: 'norm' }),
    flatten(),
    dense({ units: 10 }),
  ])
/** Another head on what `base` makes of pictures. */
const onTop = (base: Model, options: { engine?: 'reference' | 'wasm' | 'native' } = {}): Model =>
  model(base.tensor('input_layer'), dense({ units: 10, name: 'head' })(base.tensor('flatten')), {
    weightsFrom: base,
    threads: 2,
    ...options,
  })
const changed = async (net: Model, action: () => Promise<unknown>): Promise<string[]> => {
  const before = await net.weights()
  await action()
  const now = await net.weights()
  return Object.keys(now).filter((name) => !now[name].every((x, i) => x === before[name][i]))
}
const head = ['head/kernel', 'head/bias']

suite('trainable belongs to the layer', () => {
  test('what is frozen stays so in a model that is wired onto it, statistics too, and after saving', async () => {
    const base = made()
    base.freeze()
    const net = onTop(base)
    assert.deepEqual(await changed(net, () => net.fit(train, learn)), head)
    assert.match(net.summary(), /\n Trainable params: 1,4[0-9]0 /) // 144 features and a bias, ten times
    const again = modelFrom(await net.toBytes())
    assert.deepEqual(await changed(again, () => again.fit(train, learn)), head)
    assert.deepEqual(
      Object.values(again.layers).map(({ trainable }) => trainable),
      [false, false, false, true],
    )
  })

  test('freezing reaches models that were wired before, parts too, and unfreezing as well', async () => {
    const base = made()
    const net = onTop(base)
    const part = base.features('norm')
    base.freeze('conv2d', 'norm')
    assert.deepEqual(await changed(net, () => net.fit(train, learn)), head)
    assert.match(part.summary(), /\n Trainable params: 0 /)
    net.unfreeze('norm')
    assert.equal(base.layers['norm'].trainable, true)
    assert.equal((await changed(base, () => base.fit(train, learn))).includes('norm/movingMean'), true)
    assert.equal((await changed(base, () => base.fit(train, learn))).includes('conv2d/kernel'), false)
  })

  test('an option of every layer, as in Keras; a layer may be set at any time', async () => {
    const fixed = dense({ units: 4, trainable: false, name: 'fixed' })
    const net = sequential({ inputShape: [28, 28, 1] }, [flatten(), fixed, dense({ units: 10, name: 'head' })])
    assert.deepEqual(await changed(net, () => net.fit(train, learn)), head)
    fixed.trainable = true
    assert.deepEqual(await changed(net, () => net.fit(train, learn)), ['fixed/kernel', 'fixed/bias', ...head])
    assert.match(sequential([dense({ units: 1, trainable: false })]).summary({ showTrainable: true }), /dense/)
    assert.throws(() => dense({ units: 1, trainable: 1 as never }), failure('E_OPTION', 'true or false'))
  })

  test('a training goes by what was frozen when it began', async () => {
    const net = made()
    const names = await changed(net, () =>
      net.fit(train, { ...learn, epochs: 2, callbacks: [{ onBatchBegin: () => void net.freeze('conv2d') }] }),
    )
    assert.ok(names.includes('conv2d/kernel'))
    assert.ok(!(await changed(net, () => net.fit(train, learn))).includes('conv2d/kernel'))
  })

  test('an option of a layer of one’s own cannot have the name of one that all have', () => {
    const options = { trainable: { ...layers.dense.row.options['useBias'] } }
    const row = { className: 'Odd', says: 'Odd.', options, forward: ([x]: readonly [never]) => x }
    assert.throws(() => defineLayer('odd', row as never), failure('E_OPTION', "'trainable'"))
  })
})

const kernel = 'conv2d/kernel'
for (const engine of ['reference', ...fastEngines] as const)
  suite(`weights of another model, ${engine}: those of the call`, () => {
    const later: readonly [what: string, prepare: (base: Model) => unknown, change: (base: Model) => unknown][] = [
      [
        'base is given other weights',
        (base) => base.weights(),
        (base) => base.setWeights({ [kernel]: new Float32Array(100) }),
      ],
      ['base learns', (base) => base.weights(), (base) => base.fit(train, learn)],
      ['base is closed', (base) => base.weights(), (base) => base.close()],
      [
        'base, never asked before, is given other weights',
        () => {},
        (base) => base.setWeights({ [kernel]: new Float32Array(100) }),
      ],
      ['base, never asked before, learns', () => {}, (base) => base.fit(train, learn)],
      ['base, never asked before, is closed', () => {}, (base) => base.close()],
    ]
    for (const [what, prepare, change] of later)
      test(what, async () => {
        const base = made({ engine })
        await prepare(base)
        const wanted = (await made({ engine }).weights())[kernel] // of the same seed
        const net = onTop(base, { engine })
        const changing = change(base)
        assert.deepEqual((await net.weights())[kernel], wanted)
        await changing
        await net.close()
        await base.close()
      })

    test('what was asked of base before the call is done, though nobody waited', async () => {
      const base = made({ engine })
      const writing = base.setWeights({ [kernel]: new Float32Array(100).fill(7) })
      const net = onTop(base, { engine })
      await base.setWeights({ [kernel]: new Float32Array(100).fill(8) })
      assert.deepEqual((await net.weights())[kernel], new Float32Array(100).fill(7))
      await writing
    })

    test('models made of models, none of them asked', async () => {
      const first = made({ engine, seed: 5 })
      const last = onTop(onTop(first, { engine }), { engine })
      await first.setWeights({ [kernel]: new Float32Array(100) })
      assert.deepEqual((await last.weights())[kernel], (await made({ engine, seed: 5 }).weights())[kernel])
    })
  })

test('a sequential model without an input shape takes them at the call too', async () => {
  const base = made()
  const [conv] = Object.values(base.layers)
  const net = sequential({ weightsFrom: base }, [conv, flatten(), dense({ units: 10 })])
  const wanted = (await base.weights())[kernel]
  await base.setWeights({ [kernel]: new Float32Array(100) })
  net.build([28, 28, 1])
  assert.deepEqual((await net.weights())[kernel], wanted)
})

test('a model that shares nothing is refused at the call', () => {
  const build = () => sequential({ inputShape: [28, 28, 1], weightsFrom: made() }, [flatten(), dense({ units: 2 })])
  assert.throws(build, failure('E_MODEL', 'shares no layer', 'wire it'))
})
