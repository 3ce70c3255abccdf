import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { asImage, borderColour, crop, type Image, invert, resize, toColour, toGrayscale } from '../../src/data/image.ts'
import { type Preprocessing, preprocess, settlePreprocessing } from '../../src/data/preprocessing.ts'
import { allocated } from '../hostile/allocations.ts'
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

// 4 -> 2 are Keras's numbers (keras.ops.image.resize on the ramp), 2 x 12 -> 8 x 3 are Pillow's (mode F, bilinear); the rest
// follows from the half-pixel rule by hand.
const resized: [name: string, Image<Float32Array>, [number, number], 'bilinear' | 'nearest', boolean, number[]][] = [
  ['Keras, plain', floats(4, ...ramp), [2, 2], 'bilinear', false, [2.5, 4.5, 10.5, 12.5]],
  ['Keras, antialiased', floats(4, ...ramp), [2, 2], 'bilinear', true, [25 / 7, 36 / 7, 69 / 7, 80 / 7]],
  [
    'Pillow, shorter and wider',
    floats(2, ...Array.from({ length: 24 }, (_, i) => (i * 37) % 101)),
    [3, 8],
    'bilinear',
    true,
    [
      ...[46.28571, 46.28571, 45.95089, 45.28125, 44.61161, 43.94196, 43.60714, 43.60714],
      ...[53.5, 53.5, 52.20703, 49.62109, 47.03516, 44.44922, 43.15625, 43.15625],
      ...[42.67857, 42.67857, 45.04911, 49.79018, 54.53125, 59.27232, 61.64286, 61.64286],
    ],
  ],
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
  [5, 4],
  [3, 9],
  [14, 2],
  [1, 1],
] as const)
  for (const by of ['bilinear', 'nearest'] as const)
    test(`image: resize: colour to [${to}], ${by}, is each channel alone`, () => {
      const [width, height, channels] = [7, 10, 3]
      const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * i * 37) % 256)
      const colour = resize({ width, height, channels, pixels }, { to, by, antialias: true })
      for (let c = 0; c < channels; c++) {
        const alone = resize(gray(width, ...pixels.filter((_, i) => i % channels === c)), { to, by, antialias: true })
        assert.deepEqual(
          alone.pixels,
          colour.pixels.filter((_, i) => i % channels === c),
        )
      }
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

const how = (given: object): Preprocessing => settlePreprocessing({ size: [2, 2], channels: 1, ...given })
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
  ['scale and offset', gray(2, 0, 255), { size: [1, 2], scale: 1 / 127.5, offset: -1 }, [-1, 1]],
  ['an offset alone', gray(2, 0, 255), { size: [1, 2], offset: -100 }, [-100, 155]],
  ['by the channel', gray(1, 10), { size: [1, 1], channels: 3, scale: [1, 2, 3], offset: [0, 5, 0] }, [10, 25, 30]],
  ['ink before scale', onLight, { ...same, ink: 'light', scale: 2 }, Array.from(onDark.pixels, (v) => 2 * v)],
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
  { size: [16_384, 16_384] },
  { scale: '1' },
  { scale: Number.NaN },
  { offset: [1, 2] },
  { scale: [] },
  { scale: 0 },
  { scale: -0, offset: 1 },
  { channels: 3, scale: [1, 0, 1] },
]) {
  test(`preprocessing: refuses ${JSON.stringify(wrong)}`, () => {
    assert.throws(
      () => how(wrong),
      failure('E_OPTION', 'preprocessing', `'${wrong.scale === undefined ? Object.keys(wrong)[0] : 'scale'}'`),
    )
  })
}

test('preprocessing: bytes without scale and offset, float32 with either; settled for good', () => {
  const settled = how({ scale: 2 })
  assert.ok(preprocess(gray(1, 7), how({})) instanceof Uint8Array)
  assert.deepEqual(preprocess(gray(1, 7), settled), Float32Array.of(14, 14, 14, 14))
  assert.throws(() => Object.assign(settled, { fit: 'crop' }), TypeError)
  assert.throws(
    () => preprocess(gray(1, 7), { size: [2, 2], channels: 1, sise: 1 } as never),
    failure('E_OPTION', "'size'"),
  )
  assert.throws(() => preprocess(gray(1, 7), undefined as never), failure('E_OPTION', 'one object'))
})

// Pillow's alpha_composite over white: round((c * a + 255 * (255 - a)) / 255)
const rgba = [255, 0, 0, 255, 0, 0, 255, 0, 10, 20, 30, 128]
const overWhite = [255, 0, 0, 255, 255, 255, 132, 137, 142]
const pictures: [name: string, picture: unknown, channels: number, pixels: number[]][] = [
  ['gray', { width: 2, height: 1, channels: 1, pixels: Uint8Array.of(3, 4) }, 1, [3, 4]],
  ['RGBA', { width: 3, height: 1, channels: 4, pixels: Uint8Array.from(rgba) }, 3, overWhite],
  ['an ImageData', { width: 3, height: 1, colorSpace: 'srgb', data: Uint8ClampedArray.from(rgba) }, 3, overWhite],
  [
    'of another realm',
    { width: 3, height: 1, data: runInNewContext(`new Uint8ClampedArray([${rgba}])`) },
    3,
    overWhite,
  ],
]
for (const [name, picture, channels, pixels] of pictures) {
  test(`image: pixels: ${name}`, () => {
    assert.deepEqual(asImage(picture, 'p'), {
      width: pixels.length / channels,
      height: 1,
      channels,
      pixels: Uint8Array.from(pixels),
    })
  })
}

const noPictures: [picture: unknown, code: 'E_MISMATCH' | 'E_SHAPE', ...words: string[]][] = [
  [undefined, 'E_MISMATCH', 'decodeImage'],
  [new Uint8Array(4), 'E_MISMATCH', '{ width, height, data }'],
  [new Uint8ClampedArray(4), 'E_MISMATCH', '{ width, height, data }'],
  [{ width: 1, height: 1, channels: 1, pixels: [0] }, 'E_MISMATCH', 'not a picture'],
  [{ width: 1, height: 1, channels: 1, pixels: new Float32Array(1) }, 'E_MISMATCH', 'not a picture'],
  [{ width: 1, height: 1, colorSpace: 'display-p3', data: new Uint8ClampedArray(4) }, 'E_MISMATCH', 'sRGB'],
  [{ width: 2, height: 1, channels: 1, pixels: new Uint8Array(3) }, 'E_SHAPE', '1 x 2 x 1 = 2', 'got 3'],
  [{ width: 2, height: 1, data: new Uint8Array(6) }, 'E_SHAPE', '1 x 2 x 4 = 8', 'got 6'],
  [{ width: 0, height: 1, channels: 1, pixels: new Uint8Array(0) }, 'E_SHAPE', 'from 1 on'],
  [{ width: 0.5, height: 2, channels: 1, pixels: new Uint8Array(1) }, 'E_SHAPE', 'from 1 on'],
  [{ width: 1, height: 1, channels: 2, pixels: new Uint8Array(2) }, 'E_SHAPE', '1, 3 or 4'],
]
for (const [i, [picture, code, ...words]] of noPictures.entries()) {
  test(`preprocessing: refuses what is no picture, ${i}`, () => {
    assert.throws(() => preprocess(picture as never, how({})), failure(code, ...words))
  })
}

// What is asked of memory, by all arrays together: a small multiple of the picture's own bytes, whatever the forms.
const strip = (width: number, height: number): Image => ({
  width,
  height,
  channels: 1,
  pixels: new Uint8Array(width * height).map((_, i) => i % 251),
})
for (const [width, height] of [
  [20_000, 1],
  [1, 20_000],
  [60_000, 3],
  [3, 60_000],
])
  for (const fit of ['stretch', 'contain', 'cover'] as const)
    test(`preprocessing: ${width} x ${height} to 28 x 28, ${fit}: memory as the picture is, not as the result would be`, () => {
      const picture = strip(width, height)
      const { asked, result } = allocated(() => preprocess(picture, how({ size: [28, 28], fit, ink: 'light' })))
      assert.equal(result.length, 784)
      assert.ok(asked < 2e6, `${asked} bytes`)
    })

test('image: a part of a resized picture is that part of it', () => {
  const image = { width: 9, height: 7, channels: 3, pixels: Uint8Array.from({ length: 189 }, (_, i) => (i * 37) % 256) }
  for (const to of [
    [4, 3],
    [20, 31],
    [7, 2],
    [3, 40],
  ] as const)
    for (const [by, antialias] of [
      ['bilinear', true],
      ['bilinear', false],
      ['nearest', true],
    ] as const) {
      const whole = resize(image, { to, by, antialias })
      const size = [to[0] - 2, to[1] - 1] as const
      const part = resize(image, { to, by, antialias, part: { at: [1, 1], size } })
      assert.deepEqual(part, crop(whole, { at: [1, 1], size, fill: [] }))
    }
  const beyond = { to: [2, 2], by: 'nearest', antialias: true, part: { at: [1, 0], size: [2, 2] } } as const
  assert.throws(() => resize(image, beyond), failure('E_SHAPE'))
})

/** Rows become columns. */
function onItsSide({ width, height, channels, pixels }: Image<Float32Array>): Image<Float32Array> {
  const turned = new Float32Array(pixels.length)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++)
        turned[(x * height + y) * channels + c] = pixels[(y * width + x) * channels + c]
  return { width: height, height: width, channels, pixels: turned }
}

for (const [width, height, to] of [
  [2, 300, [5, 90]],
  [3, 40, [7, 3]],
  [4, 9, [3, 31]],
  [5, 200, [20, 400]],
  [6, 4, [60, 50]],
] as const)
  for (const [by, antialias] of [
    ['bilinear', true],
    ['bilinear', false],
    ['nearest', true],
  ] as const)
    test(`image: resize: ${width} x ${height} to [${to}] as on its side, ${by}${antialias ? ', antialiased' : ''}`, () => {
      const pixels = Float32Array.from({ length: width * height * 3 }, (_, i) => (i * 37) % 256)
      const image = { width, height, channels: 3, pixels }
      const upright = resize(image, { to, by, antialias })
      const { pixels: turned } = onItsSide(resize(onItsSide(image), { to: [to[1], to[0]], by, antialias }))
      for (const [i, value] of upright.pixels.entries())
        assert.ok(Math.abs(value - turned[i]) < 1e-4, `[${i}] ${value}, on its side ${turned[i]}`)
    })

/** Counts how often a number of an array is read. */
function watched(pixels: Float32Array): { pixels: Float32Array; reads: () => number } {
  let reads = 0
  const get = (target: Float32Array, key: string | symbol): unknown => {
    if (key === 'subarray') {
      return (from: number, to: number) => {
        reads += to - from
        return target.subarray(from, to)
      }
    }
    if (typeof key === 'string' && /^\d+$/.test(key)) reads++
    return Reflect.get(target, key)
  }
  return { pixels: new Proxy(pixels, { get }), reads: () => reads }
}

for (const [width, height, to] of [
  [1, 2000, [10, 300]],
  [2000, 1, [300, 10]],
  [3, 2000, [10, 300]],
  [300, 200, [100, 100]],
] as const)
  test(`image: resize: ${width} x ${height} to [${to}]: no pixel is read for every column of the result`, () => {
    const { pixels, reads } = watched(new Float32Array(width * height).fill(7))
    const result = resize({ width, height, channels: 1, pixels }, { to, by: 'bilinear', antialias: true })
    assert.deepEqual(new Set(result.pixels), new Set([7]))
    assert.ok(reads() <= 4 * width * height, `${reads()} reads`)
  })
