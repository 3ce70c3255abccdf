/** Pictures and models: what is set is settled, training and serving make the same numbers, pixels are taken by name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import {
  encodePng,
  fromArrays,
  layers,
  type Model,
  modelFrom,
  type PreprocessingOptions,
  sequential,
} from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const { flatten, dense } = layers

const bytes = Uint8Array.from({ length: 12 * 16 }, (_, i) => ((i * 37) % 200) + (Math.floor(i / 16) % 2) * 55)
const floats = Float32Array.from(bytes, (v) => v / 127.5 - 1)
const labels = Int32Array.from({ length: 12 }, (_, i) => i % 2)
const dataOf = (data: Uint8Array | Float32Array, preprocessing?: PreprocessingOptions) =>
  fromArrays({
    name: 'squares',
    inputs: { image: { shape: [4, 4, 1], data } },
    targets: { label: { shape: [], data: labels } },
    classNames: ['even', 'odd'],
    ...(preprocessing && { preprocessing }),
  })
const plain = { size: [4, 4], channels: 1 } as const
const fresh = (shape: readonly number[] = [4, 4, 1], units = 2): Model =>
  sequential({ inputShape: [...shape], seed: 1, engine: 'reference' }, [flatten(), dense({ units })])

const ways: [name: string, data: Uint8Array | Float32Array, how: PreprocessingOptions][] = [
  ['bytes', bytes, plain],
  ['float32 of -1 to 1', floats, { ...plain, scale: 1 / 127.5, offset: -1 }],
  ['float32 by the channel', floats, { ...plain, scale: [1 / 127.5], offset: [-1] }],
]
for (const [name, data, how] of ways) {
  test(`trained on ${name}: predict and predictPicture answer alike, also after saving`, async () => {
    await using net = fresh()
    await net.fit(dataOf(data, how), { epochs: 3, learningRate: 0.1 })
    await using loaded = modelFrom(await net.toBytes(), 'f', { engine: 'reference' })
    assert.deepEqual(loaded.preprocessing, net.preprocessing)
    assert.deepEqual(await loaded.toBytes(), await net.toBytes())
    const picture = { width: 4, height: 4, channels: 1, pixels: bytes.subarray(16, 32) }
    const expected = (await net.predict(data.subarray(16, 32))).data
    const rgba = Uint8ClampedArray.from({ length: 64 }, (_, i) => (i % 4 === 3 ? 255 : picture.pixels[i >> 2]))
    const file = await encodePng(picture)
    const forms = [
      picture,
      { width: 4, height: 4, data: rgba },
      file,
      new Uint8Array(file).buffer,
      new Blob([new Uint8Array(file)]),
    ]
    for (const form of forms)
      for (const model of [net, loaded]) {
        const { data: answer } = await model.predictPicture(form)
        for (const [i, value] of answer.entries())
          assert.ok(Math.abs(value - expected[i]) < 1e-6, `${answer}, not ${expected}`)
      }
  })
}

test('a file says the oldest format that has all it holds', async () => {
  for (const [data, how, version] of [
    [bytes, plain, '1'],
    [floats, { ...plain, scale: 1 }, '2'],
  ] as const) {
    await using net = fresh()
    await net.fit(dataOf(data, how), { epochs: 1 })
    assert.match(new TextDecoder('latin1').decode(await net.toBytes()), new RegExp(`"formatVersion":"${version}"`))
  }
})

test('pixels are taken during the call', async () => {
  await using net = fresh()
  net.preprocessing = plain
  const pixels = Uint8Array.from(bytes.subarray(0, 16))
  const file = await encodePng({ width: 4, height: 4, channels: 1, pixels })
  const expected = (await net.predict(pixels.slice())).data
  const asked = [net.predictPicture({ width: 4, height: 4, channels: 1, pixels }), net.predictPicture(file)]
  pixels.fill(0)
  file.fill(0)
  for (const { data } of await Promise.all(asked)) assert.deepEqual(data, expected)
})

test('preprocessing that is set is settled, and the same after saving', async () => {
  await using net = fresh()
  net.preprocessing = plain
  const settled = { ...plain, fit: 'stretch', ink: 'any', antialias: true, scale: undefined, offset: undefined }
  assert.deepEqual(net.preprocessing, settled)
  assert.throws(() => Object.assign(net.preprocessing as object, { fit: 'crop' }), TypeError)
  assert.deepEqual(modelFrom(await net.toBytes()).preprocessing, settled)
  net.preprocessing = undefined
  assert.equal(net.preprocessing, undefined)
})

const wrong: [how: object | null, code: 'E_OPTION' | 'E_MISMATCH', ...words: string[]][] = [
  [{ ...plain, fit: 'crop' }, 'E_OPTION', "'fit'"],
  [{ ...plain, channels: '1' }, 'E_OPTION', "'channels'"],
  [{ ...plain, sise: [4, 4] }, 'E_OPTION', "did you mean 'size'?"],
  [{ channels: 1 }, 'E_OPTION', "'size' is missing"],
  [null, 'E_OPTION', 'one object'],
  [{ size: [4, 5], channels: 1 }, 'E_MISMATCH', '[4, 4, 1]', '[4, 5, 1]'],
  [{ size: [4, 4], channels: 3 }, 'E_MISMATCH', '[4, 4, 3]'],
]
for (const [how, code, ...words] of wrong) {
  test(`preprocessing ${JSON.stringify(how)} is refused wherever it is set`, async () => {
    await using net = fresh()
    assert.throws(() => (net.preprocessing = how as never), failure(code, ...words))
    assert.equal(net.preprocessing, undefined)
    if (how === null) return
    assert.throws(() => dataOf(bytes, how as never), failure(code, ...words))
    const own = { ...dataOf(bytes), preprocessing: how as never }
    await assert.rejects(net.fit(own, { epochs: 1 }), failure(code, ...words))
    assert.throws(() => net.check(own), failure(code, ...words))
  })
}

test('float32 samples want scale or offset, bytes have none; a model knows what it learned from', async () => {
  assert.throws(() => dataOf(floats, plain), failure('E_MISMATCH', 'scale: 1 / 127.5, offset: -1'))
  assert.throws(() => dataOf(bytes, { ...plain, scale: 1 / 255 }), failure('E_MISMATCH', 'leave scale and offset out'))
  await using net = fresh()
  net.preprocessing = plain
  await assert.rejects(net.fit(dataOf(floats), { epochs: 1 }), failure('E_MISMATCH', 'scale'))
  net.preprocessing = undefined
  await net.fit(dataOf(floats), { epochs: 1 })
  await using loaded = modelFrom(await net.toBytes())
  for (const model of [net, loaded]) {
    assert.throws(() => (model.preprocessing = plain), failure('E_MISMATCH', 'scale'))
    model.preprocessing = { ...plain, scale: 1 / 127.5, offset: -1 }
  }
})

for (const data of [bytes, floats]) {
  test(`the way out that predictPicture names works: ${data.constructor.name}`, async () => {
    await using net = fresh()
    await net.fit(dataOf(data), { epochs: 1 })
    const ask = () => net.predictPicture({ width: 1, height: 1, channels: 1, pixels: Uint8Array.of(9) })
    const message = await ask().then(String, (error) => error.message)
    const [, code] = /model\.preprocessing = (\{.*\})/.exec(message) ?? []
    assert.ok(code, message)
    net.preprocessing = JSON.parse(JSON.stringify(runInNewContext(`(${code})`)))
    assert.equal((await ask()).shape[0], 1)
  })
}

test('a model of other inputs does not take pictures', async () => {
  await assert.rejects(fresh([16]).predictPicture(new Uint8Array(3)), failure('E_MODEL', 'does not take pictures'))
  assert.throws(() => (fresh([16]).preprocessing = plain), failure('E_MISMATCH', '[16]'))
})

test('preprocessing that was set before the shape was known must fit it', () => {
  for (const size of [[4, 16] as const, [4, 4] as const]) {
    const net = sequential({ engine: 'reference' }, [flatten(), dense({ units: 2 })])
    net.preprocessing = { size, channels: size[1] === 4 ? 3 : 1 }
    assert.throws(() => net.build([8, 8, 1]), failure('E_MISMATCH', '[8, 8, 1]'))
    net.build([...size, size[1] === 4 ? 3 : 1])
  }
})

for (const names of ['ab', ['a', 1], {}, null]) {
  test(`class names ${JSON.stringify(names)} are refused`, async () => {
    const net = fresh()
    const own = { ...dataOf(bytes), classNames: names as never }
    await assert.rejects(net.fit(own, { epochs: 1 }), failure('E_OPTION', 'classNames'))
    assert.throws(() => (net.classNames = names as never), failure('E_OPTION', 'classNames'))
    assert.throws(
      () =>
        fromArrays({ name: 'd', inputs: { x: { shape: [1], data: floats } }, targets: {}, classNames: names as never }),
      failure('E_OPTION', 'classNames'),
    )
  })
}

test('class names fit the outputs of a model that has learned; a later change of the list is not seen', async () => {
  await using net = fresh()
  await net.fit(dataOf(bytes), { epochs: 1 })
  assert.throws(() => (net.classNames = ['one']), failure('E_MISMATCH', '1 (one)', 'got 2'))
  const names = ['left', 'right']
  net.classNames = names
  names.push('more')
  assert.deepEqual(net.classNames, ['left', 'right'])
})

const pixels = (length: number) => new Uint8ClampedArray(length)
const refused: [name: string, shape: readonly number[], samples: unknown][] = [
  ['a canvas for one channel', [4, 4, 1], pixels(64)],
  ['a canvas for three', [4, 4, 3], pixels(4 * 48)],
  ['one channel from a clamped array', [4, 4, 1], pixels(16)],
  ['RGBA bytes for three', [4, 4, 3], new Uint8Array(64)],
  ['a canvas by name', [4, 4, 1], { input_layer: pixels(64) }],
]
for (const [name, shape, samples] of refused) {
  test(`predict refuses ${name}, and names predictPicture`, async () => {
    await assert.rejects(
      fresh(shape).predict(samples as never),
      failure('E_SHAPE', 'predictPicture({ width, height, data })'),
    )
  })
}

test('a model of four channels takes a canvas as it is', async () => {
  assert.deepEqual((await fresh([4, 4, 4]).predict(pixels(64) as never)).shape, [1, 2])
})
