/** Layers that look at a sample by itself: what they refuse, statistics of a dataset, pictures of another shape, bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromArrays, input, layers, modelFrom, sequential } from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const { centerCrop, flatten, groupNormalization, layerNormalization, normalization, rescaling, resizing } = layers

const pictures = (data: Uint8Array | Float32Array, shape: readonly number[], targets = data.length) =>
  fromArrays({
    name: 'pictures',
    inputs: { image: { shape, data } },
    targets: { label: { shape: [], data: new Int32Array(targets / shape.reduce((a, b) => a * b, 1)) } },
  })

test('gamma and beta have the sizes of their axes', () => {
  const shapes = (layer: ReturnType<typeof layerNormalization>, shape: readonly number[]) =>
    Object.values(layer.row.weights?.(layer.options, shape, [shape]) ?? {}).map((spec) => spec?.shape)
  assert.deepEqual(shapes(layerNormalization(), [4, 5, 6]), [[6], [6]])
  assert.deepEqual(shapes(layerNormalization({ axis: [-1, 1], scale: false }), [4, 5, 6]), [[4, 6]])
  assert.deepEqual(shapes(groupNormalization({ groups: 2, axis: 1 }), [4, 5, 6]), [[4], [4]])
})

test('what does not fit is refused', () => {
  const x = input([4, 4, 6])
  assert.throws(() => groupNormalization()(x), failure('E_OPTION', "'groups'", 'divides 6 channels', '32'))
  assert.throws(() => groupNormalization({ groups: 0 })(x), failure('E_OPTION', "'groups'"))
  assert.throws(() => layerNormalization({ axis: [0, 1] })(x), failure('E_OPTION', "'axis' 0 is the batch"))
  assert.throws(() => normalization({ mean: [1, 2], variance: 1 })(x), failure('E_OPTION', "'mean'", 'or 6', '2'))
  assert.throws(() => normalization({ mean: 0, variance: -1 })(x), failure('E_OPTION', "'variance'"))
  assert.throws(() => rescaling({ scale: [1, 2] })(x), failure('E_OPTION', "'scale'", 'or 6', '2'))
  assert.throws(() => centerCrop({ height: 5, width: 2 })(x), failure('E_SHAPE', 'more out than there is', 'resizing'))
  const both = { height: 2, width: 2, cropToAspectRatio: true, padToAspectRatio: true }
  assert.throws(() => resizing(both)(x), failure('E_OPTION', 'exclude each other'))
})

test("resizing: Keras's printed values", async () => {
  const x = Float32Array.from({ length: 16 }, (_, i) => i)
  const of = async (options: object) => {
    await using net = sequential({ inputShape: [4, 4, 1] }, [resizing({ height: 2, width: 2, ...options })])
    return Array.from((await net.predict(x)).data, (value) => Math.round(value * 1e4) / 1e4)
  }
  assert.deepEqual(await of({ antialias: false }), [2.5, 4.5, 10.5, 12.5])
  assert.deepEqual((await of({})).slice(0, 2), [3.5714, 5.1429])
})

test('resizing many channels: each as it would be alone', async () => {
  const [height, width, channels] = [6, 5, 7]
  const of = async (count: number, data: Float32Array) => {
    await using net = sequential({ inputShape: [height, width, count] }, [resizing({ height: 4, width: 9 })])
    return (await net.predict(data)).data
  }
  const x = Float32Array.from({ length: height * width * channels }, (_, i) => Math.sin(i * i))
  const together = await of(channels, x)
  for (let channel = 0; channel < channels; channel++) {
    const isOwn = (_: unknown, i: number) => i % channels === channel
    assert.deepEqual(together.filter(isOwn), await of(1, x.filter(isOwn)))
  }
})

test('resizing to another aspect ratio: cut to its middle, or framed', async () => {
  const of = async (options: object) => {
    await using net = sequential({ inputShape: [2, 4, 1] }, [resizing({ height: 2, width: 2, ...options })])
    return Array.from((await net.predict(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8))).data)
  }
  assert.deepEqual(await of({ cropToAspectRatio: true }), [2, 3, 6, 7])
  const framed = { padToAspectRatio: true, fillValue: 9, antialias: false, interpolation: 'nearest' }
  // [4, 4]: a row of 9, the picture, a row of 9; of it rows 1 and 3, columns 1 and 3
  assert.deepEqual(await of(framed), [2, 4, 9, 9])
})

test('normalization.adapt: mean and variance per channel, over many batches', async () => {
  const [samples, shape] = [700, [40, 40, 3]]
  const size = 4800
  // later samples are brighter: batches have other means
  const data = Uint8Array.from({ length: samples * size }, (_, i) =>
    i % 3 === 0 ? 7 : ((i * 31) % 100) + Math.floor(i / size / 7),
  )
  const layer = await normalization.adapt(pictures(data, shape), { name: 'own' })
  const { mean, variance } = layer.options as { mean: number[]; variance: number[] }
  for (const channel of [0, 1, 2]) {
    let [sum, squares] = [0, 0]
    for (let i = channel; i < data.length; i += 3) sum += data[i]
    const truth = sum / (data.length / 3)
    for (let i = channel; i < data.length; i += 3) squares += (data[i] - truth) ** 2
    assert.ok(Math.abs(mean[channel] - truth) < 1e-10)
    assert.ok(Math.abs(variance[channel] - squares / (data.length / 3)) < 1e-7)
  }
  assert.equal(layer.givenName, 'own')
})

test('normalization.adapt: other axes, files, and what it refuses', async () => {
  const data = pictures(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 14), [2, 2])
  const perPlace = await normalization.adapt(data, { axis: [1, 2] })
  assert.deepEqual(perPlace.options['mean'], [3, 4, 5, 9])
  assert.deepEqual(perPlace.options['variance'], [4, 4, 4, 25])
  await using net = sequential({ inputShape: [2, 2] }, [perPlace])
  assert.deepEqual([...(await net.predict(Float32Array.of(1, 2, 3, 4))).data], [-1, -1, -1, -1])
  await using again = modelFrom(await net.toBytes())
  assert.deepEqual([...(await again.predict(Float32Array.of(5, 6, 7, 14))).data], [1, 1, 1, 1])
  const undone = await normalization.adapt(data, { axis: [1, 2], invert: true })
  await using back = sequential({ inputShape: [2, 2] }, [perPlace, undone])
  assert.deepEqual([...(await back.predict(Float32Array.of(1, 2, 3, 4))).data], [1, 2, 3, 4])

  await assert.rejects(normalization.adapt(data, { input: 'picture' }), failure('E_OPTION', "'input'", 'image'))
  await assert.rejects(normalization.adapt(data, { axis: 0 }), failure('E_OPTION', 'the batch'))
  await assert.rejects(
    normalization.adapt(pictures(Float32Array.of(1, Number.NaN), [1])),
    failure('E_NONFINITE', 'not finite'),
  )
  const stopped = normalization.adapt(data, { signal: AbortSignal.abort(new Error('enough')) })
  await assert.rejects(stopped, { message: 'enough' })
  await assert.rejects(normalization.adapt([] as never), failure('E_MISMATCH', 'needs a dataset'))
})

test('normalization and what passes bytes on are given them as they are', async () => {
  const bytes = Uint8Array.of(0, 50, 100, 255)
  const seen = async (...first: ReturnType<typeof rescaling>[]) => {
    await using net = sequential({ inputShape: [2, 2, 1] }, [...first, flatten()])
    return Array.from((await net.predict(bytes)).data)
  }
  assert.deepEqual(await seen(normalization({ mean: 50, variance: 100 })), [-5, 0, 5, 20.5])
  const crop = centerCrop({ height: 2, width: 2 })
  assert.deepEqual(await seen(crop, rescaling({ scale: 2, offset: [1] })), [1, 101, 201, 511])
  const { cropping2d, permute, reshape, slice, zeroPadding2d } = layers
  const movers = [
    [flatten(), [0, 100, 200, 510]],
    [reshape({ targetShape: [1, 4, 1] }), [0, 100, 200, 510]],
    [permute({ dims: [2, 1, 3] }), [0, 200, 100, 510]],
    [cropping2d({ cropping: [[1, 0], [0, 0]] }), [200, 510]],
    [zeroPadding2d({ padding: [[0, 0], [0, 1]] }), [0, 100, 0, 200, 510, 0]],
    [slice({ begin: [0, 1, 0], size: [-1, -1, -1] }), [100, 510]],
  ] as const // biome-ignore format: a row each
  for (const [mover, wanted] of movers) assert.deepEqual(await seen(mover, rescaling({ scale: 2 })), wanted, mover.type)
  assert.deepEqual(
    (await seen(crop)).map((x) => Math.round(x * 255)),
    [...bytes],
  )
})
