import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '../../src/base/options.ts'
import { borderColour, crop, type Image, invert, resize, toColour, toGrayscale } from '../../src/data/image.ts'
import { type Preprocessing, preprocess, preprocessingOptions } from '../../src/data/preprocessing.ts'
import { failure } from '../support/failure.ts'

const floats = (width: number, ...values: number[]): Image<Float32Array> => ({
  width,
  height: values.length / width,
  channels: 1,
  pixels: Float32Array.from(values),
})
const gray = (width: number, ...values: number[]): Image => ({
  ...floats(width, ...values),
  pixels: Uint8Array.from(values),
})
const ramp = Array.from({ length: 16 }, (_, i) => i)

// 4 -> 2 are Keras's numbers (keras.ops.image.resize on the ramp); the rest follows from the half-pixel rule by hand.
const resized: [name: string, Image<Float32Array>, [number, number], 'bilinear' | 'nearest', boolean, number[]][] = [
  ['Keras, plain', floats(4, ...ramp), [2, 2], 'bilinear', false, [2.5, 4.5, 10.5, 12.5]],
  ['Keras, antialiased', floats(4, ...ramp), [2, 2], 'bilinear', true, [25 / 7, 36 / 7, 69 / 7, 80 / 7]],
  ['its own size', floats(4, ...ramp), [4, 4], 'bilinear', true, ramp],
  ['larger', floats(2, 0, 4), [1, 4], 'bilinear', true, [0, 1, 3, 4]],
  ['plain keeps two of six', floats(6, 0, 1, 2, 3, 4, 100), [1, 2], 'bilinear', false, [1, 4]],
  ['to one pixel', floats(2, 1, 2, 3, 6), [1, 1], 'bilinear', true, [3]],
  ['from one pixel', floats(1, 7), [2, 3], 'bilinear', true, [7, 7, 7, 7, 7, 7]],
  ['nearest, smaller', floats(5, 0, 1, 2, 3, 4), [1, 2], 'nearest', false, [1, 3]],
  ['nearest, larger', floats(2, 5, 9), [1, 5], 'nearest', true, [5, 5, 9, 9, 9]],
]
for (const [name, image, to, by, antialias, expected] of resized) {
  test(`image: resize: ${name}`, () => {
    const result = resize(image, { to, by, antialias })
    assert.deepEqual([result.height, result.width], to)
    for (const [i, value] of result.pixels.entries()) {
      assert.ok(Math.abs(value - expected[i]) < 1e-5, `[${i}] ${value}, not ${expected[i]}`)
    }
  })
}

test('image: bytes are rounded once, halves up', () => {
  assert.deepEqual(
    resize(gray(4, ...ramp), { to: [2, 2], by: 'bilinear', antialias: false }).pixels,
    Uint8Array.of(3, 5, 11, 13),
  )
})

test('image: channels stay apart, a flat picture stays flat', () => {
  const pixels = Uint8Array.from({ length: 7 * 5 * 3 }, (_, i) => [10, 200, 255][i % 3])
  const { pixels: small } = resize(
    { width: 7, height: 5, channels: 3, pixels },
    { to: [3, 2], by: 'bilinear', antialias: true },
  )
  assert.deepEqual(Array.from(small), Array(6).fill([10, 200, 255]).flat())
})

for (const to of [
  [0, 2],
  [2, -1],
  [1.5, 2],
] as const) {
  test(`image: no resize to [${to}]`, () => {
    assert.throws(
      () => resize(gray(2, 1, 2), { to, by: 'nearest', antialias: false }),
      failure('E_SHAPE', `[${to.join(', ')}]`),
    )
  })
}

// Pillow's convert('L') of pure colours, white, and a mixture.
const grays: [rgb: number[], gray: number][] = [
  [[255, 0, 0], 76],
  [[0, 255, 0], 150],
  [[0, 0, 255], 29],
  [[255, 255, 255], 255],
  [[0, 0, 0], 0],
  [[100, 150, 200], 141],
]
for (const [rgb, expected] of grays) {
  test(`image: [${rgb}] is gray ${expected}`, () => {
    const image = { width: 1, height: 1, channels: 3, pixels: Uint8Array.from(rgb) }
    assert.deepEqual(toGrayscale(image), { width: 1, height: 1, channels: 1, pixels: Uint8Array.of(expected) })
  })
}

test('image: colour from gray, inversion, cropping and padding, border', () => {
  const image = gray(3, 1, 2, 3, 4, 250, 6)
  assert.deepEqual(toColour(gray(2, 4, 7)).pixels, Uint8Array.of(4, 4, 4, 7, 7, 7))
  assert.deepEqual(invert(image).pixels, Uint8Array.of(254, 253, 252, 251, 5, 249))
  assert.deepEqual(crop(image, { at: [1, 1], size: [2, 2], fill: [9] }), gray(2, 250, 6, 9, 9))
  assert.deepEqual(crop(image, { at: [0, -1], size: [1, 2], fill: [9] }), gray(2, 9, 1))
  assert.deepEqual(borderColour(gray(3, 1, 1, 1, 1, 99, 1, 1, 1, 80)), [1])
  assert.deepEqual(borderColour(gray(1, 5)), [5])
  for (const change of [toGrayscale, toColour]) {
    assert.throws(() => change({ ...image, channels: 2 }), failure('E_SHAPE', 'got 2'))
  }
})

const how = (given: object): Preprocessing =>
  settle(preprocessingOptions, { size: [2, 2], channels: 1, ...given }, 'preprocessing')
const onDark = gray(3, 0, 0, 0, 0, 255, 0, 0, 0, 0)
const onLight = invert(onDark)
const same = { size: [3, 3] }
const preprocessed: [name: string, Image, options: object, expected: ArrayLike<number>][] = [
  ['its own size and ground: unchanged', onDark, { ...same, ink: 'light' }, onDark.pixels],
  ['dark ink for a network of light ink', onLight, { ...same, ink: 'light' }, onDark.pixels],
  ['light ink for a network of dark ink', onDark, { ...same, ink: 'dark' }, onLight.pixels],
  ['any ink', onLight, { ...same, ink: 'any' }, onLight.pixels],
  ['a ground of 127 is dark', gray(1, 127), { size: [1, 1], ink: 'light' }, [127]],
  ['a ground of 128 is light', gray(1, 128), { size: [1, 1], ink: 'light' }, [127]],
  ['colour to gray', toColour(onDark), { ...same, ink: 'light' }, onDark.pixels],
  ['gray to colour', gray(1, 6), { size: [1, 1], channels: 3 }, [6, 6, 6]],
  ['stretch', gray(2, 10, 20), {}, [10, 20, 10, 20]],
  ['contain pads with the border', gray(4, 10, 10, 30, 30), { size: [3, 2], fit: 'contain' }, [30, 30, 13, 27, 30, 30]],
  ['cover cuts to the middle', gray(4, 1, 2, 3, 4, 5, 6, 7, 8), { fit: 'cover' }, [2, 3, 6, 7]],
]
for (const [name, image, options, expected] of preprocessed) {
  test(`preprocessing: ${name}`, () => {
    const settled = how(options)
    const result = preprocess(image, settled)
    assert.deepEqual(Array.from(result), Array.from(expected))
    assert.equal(result.length, settled.size[0] * settled.size[1] * settled.channels)
    assert.deepEqual(how(JSON.parse(JSON.stringify(settled))), settled)
  })
}

for (const wrong of [
  { size: [28] },
  { size: [0, 28] },
  { size: 28 },
  { channels: 2 },
  { fit: 'crop' },
  { ink: 'auto' },
]) {
  test(`preprocessing: refuses ${JSON.stringify(wrong)}`, () => {
    assert.throws(() => how(wrong), failure('E_OPTION', 'preprocessing', `'${Object.keys(wrong)[0]}'`))
  })
}
