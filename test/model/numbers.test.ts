/** A model that learned from floats is not asked about bytes: they would be divided by 255, whatever was done to the floats. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Model, ModelGraph } from '../../src/index.ts'
import { fromArrays, input, layers, modelFrom, model as modelOf, sequential } from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const { dense, rescaling } = layers
const bytes = Uint8Array.of(0, 255, 255, 0, 255, 0, 0, 255)
const floats = Float32Array.from(bytes, (byte) => byte / 127.5 - 1)
const whole = Int32Array.from(bytes)
const dataOf = (data: Uint8Array | Float32Array | Int32Array) =>
  fromArrays({
    name: 'pairs',
    inputs: { pair: { shape: [2], data } },
    targets: { label: { shape: [], data: Int32Array.of(0, 1, 1, 0) } },
  })
const fresh = (...first: ReturnType<typeof rescaling>[]): Model =>
  sequential({ inputShape: [2], engine: 'reference' }, [...first, dense({ units: 2 })])
const outputs = (model: Model): ModelGraph['outputs'] => model.graph().outputs

const calls: Readonly<Record<string, (model: Model, data: Uint8Array | Float32Array) => Promise<unknown>>> = {
  evaluate: (model, data) => model.evaluate(dataOf(data)),
  'predict of a dataset': (model, data) => model.predict(dataOf(data)),
  'predict of an array': (model, data) => model.predict(data),
  'run of its graph': (model, data) => model.run({ outputs: outputs(model) }, data.subarray(0, 2)),
}

suite('bytes for a model', () => {
  for (const [name, call] of Object.entries(calls)) {
    for (const learned of [floats, whole]) {
      test(`${name}: refused where it learned from ${learned.constructor.name}, also after a file`, async () => {
        await using model = fresh()
        await call(model, bytes) // it has not learned from anything
        await model.fit(dataOf(learned))
        await using loaded = modelFrom(await model.toBytes(), 'm', { engine: 'reference' })
        for (const one of [model, loaded]) {
          await assert.rejects(
            call(one, bytes),
            failure('E_MISMATCH', 'these are bytes', 'transform', 'predictPicture'),
          )
          await call(one, floats)
        }
      })
    }
    test(`${name}: taken where the first layer scales them, and where it learned from bytes`, async () => {
      await using scaling = fresh(rescaling({ scale: 1 / 127.5, offset: -1 }))
      await scaling.fit(dataOf(Float32Array.from(bytes)))
      await call(scaling, bytes)
      await using model = fresh()
      await model.fit(dataOf(bytes))
      await call(model, bytes)
      await call(model, floats)
    })
  }
  test('validationData: refused beside floats that are trained on, whatever was learned before', async () => {
    await using model = fresh()
    const refused = model.fit(dataOf(floats), { validationData: dataOf(bytes) })
    await assert.rejects(refused, failure('E_MISMATCH', 'these are bytes'))
    await model.fit(dataOf(floats), { validationData: dataOf(floats) })
    await model.fit(dataOf(bytes), { validationData: dataOf(bytes) })
  })
})

suite('bytes for one of several inputs', () => {
  const [left, right] = [input([2], { name: 'left' }), input([2], { name: 'right' })]
  const both = (): Model =>
    modelOf({ left, right }, dense({ units: 2 })(layers.concatenate()(left, right)), { engine: 'reference' })
  const named = (a: Uint8Array | Float32Array, b: Uint8Array | Float32Array) =>
    fromArrays({
      name: 'both',
      inputs: { left: { shape: [2], data: a }, right: { shape: [2], data: b } },
      targets: { label: { shape: [], data: Int32Array.of(0, 1, 1, 0) } },
    })
  test('refused for the input that learned from floats, taken for the other, also after a file', async () => {
    await using trained = both()
    await trained.fit(named(floats, bytes))
    await using loaded = modelFrom(await trained.toBytes(), 'm', { engine: 'reference' })
    for (const one of [trained, loaded]) {
      await assert.rejects(one.predict({ left: bytes, right: bytes }), failure('E_MISMATCH', 'left', 'these are bytes'))
      await assert.rejects(one.evaluate(named(bytes, bytes)), failure('E_MISMATCH', 'left'))
      await one.predict({ left: floats, right: bytes })
    }
  })
  test('a model wired from its input knows it too', async () => {
    await using base = fresh()
    await base.fit(dataOf(floats))
    const wired = modelOf(base.tensor('input_layer'), base.tensor('dense'), { weightsFrom: base, engine: 'reference' })
    await assert.rejects(wired.predict(bytes), failure('E_MISMATCH', 'these are bytes'))
    await wired.predict(floats)
  })
})
