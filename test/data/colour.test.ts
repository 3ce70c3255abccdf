/** Transforms that change colours: by torchvision and Keras; what they draw. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocateBatch } from '../../src/data/batch.ts'
import type { Dataset, Reading } from '../../src/data/dataset.ts'
import { Draws } from '../../src/data/draws.ts'
import { fromArrays } from '../../src/data/in-memory.ts'
import { type Transform, transform } from '../../src/data/transformed.ts'
import { blurOf } from '../../src/data/transforms/blur.ts'
import { brightness, channelShift, contrast, hue, saturation } from '../../src/data/transforms/colour.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'

const { cases, tensor } = golden<{ name: string; transform: string; amount: number }>('colour')
const { shape, data } = tensor('picture')
const [height, width] = shape
const picture = Uint8Array.from(data)

type Change = (from: Uint8Array, into: Uint8Array, amount: number) => void
const changes: Readonly<Record<string, Change>> = {
  randomBrightness: brightness,
  randomContrast: (from, into, factor) => contrast(from, into, factor, 3),
  randomSaturation: saturation,
  randomHue: hue,
  randomGrayscale: (from, into) => saturation(from, into, 0),
  randomBlur: blurOf([height, width, 3], 5),
  randomChannelShift: channelShift,
}
const changed = (name: string, amount: number): Uint8Array => {
  const into = new Uint8Array(picture.length).fill(99)
  changes[name](picture, into, amount)
  return into
}

for (const { name, transform: row, amount } of cases) {
  test(`${name}: within rounding of torchvision and Keras`, () => {
    const expected = tensor(`${name}/changed`).data
    // greys and their mean are bytes here, so one more rounding, times what is left of them
    const through = ['randomContrast', 'randomSaturation'].includes(row) ? 0.55 * Math.abs(1 - amount) : 0
    const weights = row === 'randomGrayscale' ? 0.03 : 0.001 // torchvision's sum to 0.9999
    for (const [i, value] of changed(row, amount).entries())
      assert.ok(Math.abs(value - expected[i]) <= 0.5 + through + weights, `${i}: ${value}, not ${expected[i]}`)
  })
}

test('contrast of one channel is from the mean of its bytes', () => {
  const into = new Uint8Array(4)
  contrast(Uint8Array.of(0, 100, 200, 100), into, 0.5, 1)
  assert.deepEqual(into, Uint8Array.of(50, 100, 150, 100))
})

test('a blur of a picture narrower than its window reflects as often as it must', () => {
  const into = new Uint8Array(2)
  blurOf([1, 2, 1], 7)(Uint8Array.of(0, 200), into, 1000)
  assert.deepEqual(into, Uint8Array.of(114, 86)) // 4 of 7 taps see the other pixel, 3 of 7 the own
})

const pictures = (count: number, from: Uint8Array = picture, channels = 3): Dataset =>
  fromArrays({
    name: 'pictures',
    inputs: {
      image: {
        shape: [from.length / width / channels, width, channels],
        data: Uint8Array.from({ length: from.length * count }, (_, i) => from[i % from.length]),
      },
    },
    targets: {},
  })
const training: Reading = { mode: 'train', epoch: 2, seed: 5 }
const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

async function samples(from: Dataset, count: number, reading?: Reading): Promise<Uint8Array[]> {
  const batch = allocateBatch(from, count)
  await from.read(all(count), batch, reading)
  const { image } = batch.inputs
  const size = image.length / count
  return all(count).map((i) => image.slice(i * size, (i + 1) * size) as Uint8Array)
}

/** A step, and the amount by the number that is drawn for it. */
const rows: readonly (readonly [Transform, (draws: Draws) => number])[] = [
  [{ type: 'randomBrightness', brightnessFraction: 0.4 }, (draws) => draws.uniform(0, 0.6, 1.4)],
  [{ type: 'randomContrast', contrastFraction: 1.5 }, (draws) => draws.uniform(0, 0, 2.5)],
  [{ type: 'randomSaturation', saturationFraction: 0.3 }, (draws) => draws.uniform(0, 0.7, 1.3)],
  [{ type: 'randomHue', hueDegrees: 36 }, (draws) => draws.uniform(0, -0.1, 0.1)],
  [{ type: 'randomChannelShift', shiftBytes: 40 }, (draws) => draws.uniform(0, -40, 40)],
  [{ type: 'randomBlur', kernelSize: 5, sigmaPixels: [0.5, 3] }, (draws) => draws.uniform(0, 0.5, 3)],
]
for (const [step, amountOf] of rows) {
  test(`${step.type}: drawn within its range; nothing at rest`, async () => {
    const data = transform(pictures(50), [step])
    const got = await samples(data, 50, training)
    const expected = all(50).map((i) => changed(step.type, amountOf(new Draws(5, 0).of(i, 2))))
    assert.deepEqual(got, expected)
    assert.deepEqual(await samples(data, 2), [picture, picture])
  })
}

test('randomGrayscale: as often as it says', async () => {
  const data = transform(pictures(400), [{ type: 'randomGrayscale', probability: 0.25 }])
  const grey = changed('randomGrayscale', 0)
  const got = await samples(data, 400, training)
  const count = got.filter((one) => one.every((value, i) => value === grey[i])).length
  const untouched = got.filter((one) => one.every((value, i) => value === picture[i])).length
  assert.equal(count + untouched, 400)
  assert.ok(Math.abs(count - 100) < 35, `${count} of 400`)
  assert.deepEqual(await samples(data, 1), [picture])
})

test('randomNoise: mean and deviation as said, every byte apart, kept within bytes; nothing at rest', async () => {
  const middle = new Uint8Array(width * 300).fill(128)
  const data = transform(pictures(40, middle, 1), [{ type: 'randomNoise', standardDeviationBytes: 12 }])
  const got = await samples(data, 40, training)
  const values = got.flatMap((one) => Array.from(one, (value) => value - 128))
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)
  assert.ok(Math.abs(mean) < 0.15, `mean ${mean}`)
  assert.ok(Math.abs(deviation - Math.sqrt(144 + 1 / 12)) < 0.1, `deviation ${deviation}`) // rounding adds 1/12
  const product = (apart: number): number =>
    values.slice(apart).reduce((sum, value, i) => sum + value * values[i], 0) / values.length / 144
  for (const apart of [1, 2, 3, middle.length])
    assert.ok(Math.abs(product(apart)) < 0.02, `${apart}: ${product(apart)}`)
  assert.deepEqual(await samples(data, 1), [middle])
  const ends = Uint8Array.from({ length: width * 40 }, (_, i) => (i % 2) * 255)
  const [noisy] = await samples(
    transform(pictures(1, ends, 1), [{ type: 'randomNoise', standardDeviationBytes: 20 }]),
    1,
    training,
  )
  for (const [i, value] of noisy.entries()) assert.ok(Math.abs(value - ends[i]) < 120, `${ends[i]} became ${value}`)
})

test('randomErasing: one rectangle within its bounds, at every place, as often as it says; nothing at rest', async () => {
  const bright = new Uint8Array(width * 20).fill(200)
  const step: Transform = {
    type: 'randomErasing',
    probability: 0.6,
    minAreaFraction: 0.1,
    maxAreaFraction: 0.3,
    fillValue: 7,
  }
  const data = transform(pictures(500, bright, 1), [step])
  const [seen, ratios] = [new Set<number>(), [] as number[]]
  let erased = 0
  for (const got of await samples(data, 500, training)) {
    const places = all(got.length).filter((i) => got[i] !== 200)
    if (places.length === 0) continue
    erased++
    const [ys, xs] = [places.map((i) => Math.floor(i / width)), places.map((i) => i % width)]
    const rows = Math.max(...ys) - Math.min(...ys) + 1
    const columns = Math.max(...xs) - Math.min(...xs) + 1
    assert.equal(places.length, rows * columns, 'a whole rectangle')
    assert.ok(places.every((i) => got[i] === 7))
    // rows and columns are rounded, each by half a pixel at most
    assert.ok((rows - 0.5) * (columns - 0.5) <= 42 && (rows + 0.5) * (columns + 0.5) >= 14, `${rows} x ${columns}`)
    assert.ok((rows - 0.5) / (columns + 0.5) <= 3.3 && (columns - 0.5) / (rows + 0.5) <= 3.3, `${rows} x ${columns}`)
    ratios.push(rows / columns)
    for (const i of places) seen.add(i)
  }
  assert.ok(Math.abs(erased - 300) < 50, `${erased} of 500`)
  assert.equal(seen.size, bright.length)
  assert.ok(Math.min(...ratios) < 0.8 && Math.max(...ratios) > 2, 'both ways')
  assert.deepEqual(await samples(data, 1), [bright])
})

test('refused: other numbers than bytes, other channels than red, green and blue, a window that is none, areas upside down', () => {
  const brighter: Transform = { type: 'randomBrightness', brightnessFraction: 0.1 }
  assert.throws(() => transform(pictures(1), [{ type: 'rescale', scale: 2 }, brighter]), failure('E_DTYPE', 'float32', 'rescale')) // biome-ignore format: one thing
  for (const step of [
    { type: 'randomHue', hueDegrees: 3 },
    { type: 'randomSaturation', saturationFraction: 1 },
    'randomGrayscale',
  ])
    assert.throws(
      () => transform(pictures(1, picture, 1), [step as Transform]),
      failure('E_SHAPE', '[height, width, 3]'),
    )
  for (const step of [{ kernelSize: 4 }, { kernelSize: 3, sigmaPixels: [2, 1] as const }])
    assert.throws(() => transform(pictures(1), [{ type: 'randomBlur', ...step }]), failure('E_OPTION', 'odd'))
  const upsideDown: Transform = { type: 'randomErasing', minAreaFraction: 0.5 }
  assert.throws(() => transform(pictures(1), [upsideDown]), failure('E_OPTION', 'minAreaFraction', '0.33', '0.5'))
})
