/** Transforms that move places: by Keras with SciPy and by torchvision; joined in one interpolation; what they draw. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocateBatch } from '../../src/data/batch.ts'
import { dataHash } from '../../src/data/data-hash.ts'
import type { Dataset, Reading } from '../../src/data/dataset.ts'
import { Draws } from '../../src/data/draws.ts'
import { resize } from '../../src/data/image.ts'
import { fromArrays } from '../../src/data/in-memory.ts'
import { type Transform, transform } from '../../src/data/transformed.ts'
import type { Filling, FillMode } from '../../src/data/transforms/fill.ts'
import type { Corners, Matrix } from '../../src/data/transforms/geometry.ts'
import { identity, perspective, product, rotation, shear, shift, zoom } from '../../src/data/transforms/geometry.ts'
import type { Rectangle } from '../../src/data/transforms/rectangle.ts'
import { warpOf } from '../../src/data/transforms/warp.ts'
import type { TypedArray } from '../../src/graph/dtype.ts'
import { golden } from '../support/golden.ts'

interface Parameters {
  readonly theta?: number
  readonly tx?: number
  readonly ty?: number
  readonly shear?: number
  readonly zx?: number
  readonly zy?: number
}
const { cases, tensor } = golden<{
  name: string
  parameters?: Parameters
  corners?: Corners
  part?: readonly [top: number, left: number, rows: number, columns: number]
  fillMode: FillMode
  interpolation: Filling['interpolation']
}>('geometry')
const { shape, data } = tensor('picture')
const [height, width] = shape
const picture = Uint8Array.from(data)

/** Keras's parameters are for rows before columns. */
const affine = ({ theta = 0, tx = 0, ty = 0, shear: lean = 0, zx = 1, zy = 1 }: Parameters): Matrix =>
  [rotation(theta), shift(ty, tx), shear(lean), zoom(zy, zx)].reduce(product)

/** Kinds of numbers, and how far the pixels may be apart: half a step of the integers, and the rounding of the weights. */
const kinds = [
  ['uint8', picture, 0.5],
  ['float32', Float32Array.from(picture), 0],
  ['int32', Int32Array.from(picture), 0.5],
] as const
const WEIGHTS = 255 / 2048

for (const { name, parameters, corners, part, fillMode, interpolation } of cases) {
  if (part) continue
  test(`${name}: the pixels of ${corners ? 'torchvision' : 'Keras and SciPy'}`, () => {
    const matrix = corners ? perspective([height, width], corners) : affine(parameters ?? {})
    const expected = tensor(`${name}/moved`).data
    for (const [dtype, pixels, rounding] of kinds) {
      const moved = pixels.slice().fill(99)
      const filling = { interpolation, fillMode, fillValue: corners ? 0 : 7 }
      warpOf({ shape, dtype }, filling)(pixels, moved, matrix)
      const tolerance = interpolation === 'nearest' ? 0 : rounding + WEIGHTS
      for (const [i, value] of moved.entries())
        assert.ok(Math.abs(value - expected[i]) <= tolerance, `${dtype} ${i}: ${value}, not ${expected[i]}`)
    }
  })
}

test('sines and cosines are in steps of 2^-24, whose last bits no host sees otherwise', () => {
  for (let degrees = -180; degrees <= 180; degrees += 7.3)
    for (const matrix of [rotation(degrees), shear(degrees)])
      for (const value of matrix) assert.ok(Number.isInteger(value * 2 ** 24), `${degrees}: ${value}`)
})

const pictures = (count: number): Dataset =>
  fromArrays({
    name: 'pictures',
    inputs: { image: { shape: [...shape], data: Uint8Array.from({ length: picture.length * count }, (_, i) => picture[i % picture.length]) } }, // biome-ignore format: one thing
    targets: {},
  })
const training: Reading = { mode: 'train', epoch: 2, seed: 5 }
const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

async function samples(from: Dataset, indices: readonly number[], reading?: Reading): Promise<TypedArray[]> {
  const batch = allocateBatch(from, indices.length)
  await from.read(indices, batch, reading)
  return indices.map((_, i) => batch.inputs['image'].slice(i * picture.length, (i + 1) * picture.length))
}

const filling: Filling = { interpolation: 'bilinear', fillMode: 'nearest', fillValue: 0 }
function warped(from: Uint8Array, matrix: Matrix, how = filling): Uint8Array {
  const moved = new Uint8Array(from.length)
  warpOf({ shape, dtype: 'uint8' }, how)(from, moved, matrix)
  return moved
}

/** A step, and its matrix by what is drawn for it. */
const rows: readonly (readonly [Transform, (draws: Draws) => Matrix])[] = [
  [{ type: 'randomRotation', rotationDegrees: 40 }, (draws) => rotation(draws.uniform(0, -40, 40))],
  [
    { type: 'randomShift', widthFraction: 0.25, heightFraction: 0.5 },
    (draws) => shift(draws.uniform(0, -3, 3), draws.uniform(1, -4.5, 4.5)),
  ],
  [{ type: 'randomZoom', zoomFraction: 0.2 }, (draws) => zoom(draws.uniform(0, 0.8, 1.2), draws.uniform(1, 0.8, 1.2))],
  [
    { type: 'randomZoom', zoomFraction: 0.3, aspectRatio: 'kept' },
    (draws) => zoom(draws.uniform(0, 0.7, 1.3), draws.uniform(0, 0.7, 1.3)),
  ],
  [{ type: 'randomShear', shearDegrees: 15 }, (draws) => shear(draws.uniform(0, -15, 15))],
  [{ type: 'randomFlip', mode: 'horizontal' }, (draws) => zoom(draws.uniform(0) < 0.5 ? -1 : 1, 1)],
]

test('each draws its own, in every list that it is in, and all of a list are one matrix', async () => {
  const lists = [...rows.map((row) => [row]), rows, [...rows].reverse()]
  for (const list of lists) {
    const moved = transform(pictures(40), list.map(([step]) => step)) // biome-ignore format: one thing
    for (const [i, got] of (await samples(moved, all(40), training)).entries()) {
      const matrices = list.map(([, matrixOf], place) => matrixOf(new Draws(5, place).of(i, 2)))
      assert.deepEqual(got, warped(picture, matrices.reduce(product, identity)), `sample ${i} of ${list.length}`)
    }
    assert.deepEqual(await samples(moved, [0, 39]), [picture, picture], 'at rest')
  }
})

test('randomPerspective: corners within bounds, every one of them drawn, as often as it says', async () => {
  const step: Transform = { type: 'randomPerspective', distortionFraction: 0.5, probability: 0.7 }
  const moved = await samples(transform(pictures(300), [step]), all(300), training)
  const [across, down] = [4, 3] // half of 6 and of 4 pixels, and none
  let same = 0
  for (const [i, got] of moved.entries()) {
    const draws = new Draws(5, 0).of(i, 2)
    if (draws.uniform(0) >= 0.7) {
      assert.deepEqual(got, picture)
      same++
      continue
    }
    const [x, y] = [(n: number) => draws.integer(n, across), (n: number) => draws.integer(n, down)]
    const corners: Corners = [
      [x(1), y(2)],
      [11 - x(3), y(4)],
      [11 - x(5), 8 - y(6)],
      [x(7), 8 - y(8)],
    ]
    assert.deepEqual(got, warped(picture, perspective([height, width], corners)), `sample ${i}`)
  }
  assert.ok(Math.abs(same - 90) < 30, `${same} of 300 as they were`)
})

test('those with another filling, and what is between, are not joined; a flip is joined with all', async () => {
  const wrapped = { ...filling, fillMode: 'wrap' } as const
  const [turn, flip]: Transform[] = [
    { type: 'randomRotation', rotationDegrees: 30 },
    { type: 'randomFlip', mode: 'vertical', probability: 1 },
  ]
  const list = [flip, turn, { type: 'randomShift', widthFraction: 0.3, fillMode: 'wrap' } as const, flip, turn]
  const [upsideDown, draws] = [zoom(1, -1), all(5).map((place) => new Draws(5, place).of(3, 2))]
  const turned = (place: number): Matrix => rotation(draws[place].uniform(0, -30, 30))
  const first = warped(picture, product(upsideDown, turned(1)))
  const second = warped(first, product(shift(draws[2].uniform(0, -3.6, 3.6), 0), upsideDown), wrapped)
  assert.deepEqual(await samples(transform(pictures(4), list), [3], training), [warped(second, turned(4))])
  const apart = transform(pictures(4), [turn, { type: 'randomCrop' }, turn])
  const [before, after] = [0, 2].map((place) => rotation(new Draws(5, place).of(3, 2).uniform(0, -30, 30)))
  assert.deepEqual(await samples(apart, [3], training), [warped(warped(picture, before), after)])
})

test('a list in parts is the list: joined across them, with one identity', async () => {
  const list = rows.map(([step]) => step)
  const whole = transform(pictures(30), list)
  const parts = transform(transform(transform(pictures(30), list.slice(0, 1)), list.slice(1, 3)), list.slice(3))
  assert.deepEqual(await samples(parts, all(30), training), await samples(whole, all(30), training))
  assert.deepEqual([parts.transforms, parts.describe?.()], [whole.transforms, whole.describe?.()])
  assert.equal(await dataHash(parts), await dataHash(whole))
})

/** A part of a picture that is `wide` pixels wide, resized. */
function scaledPart(
  from: Uint8Array,
  wide: number,
  { top, left, rows, columns }: Rectangle,
  to: readonly [number, number],
): Uint8Array {
  const row = (y: number): Uint8Array => from.slice((y * wide + left) * 3, (y * wide + left + columns) * 3)
  const pixels = Uint8Array.from(all(rows).flatMap((y) => [...row(top + y)]))
  return resize({ height: rows, width: columns, channels: 3, pixels }, { to, by: 'bilinear', antialias: true }).pixels
}

test('randomResizedCrop: a part is resized as torchvision resizes it', () => {
  for (const { name, part } of cases) {
    if (!part) continue
    const [top, left, rows, columns] = part
    const { shape: size, data: expected } = tensor(`${name}/moved`)
    const scaled = scaledPart(picture, width, { top, left, rows, columns }, [size[0], size[1]])
    for (const [i, value] of scaled.entries())
      assert.ok(Math.abs(value - expected[i]) <= 0.5001, `${name} ${i}: ${value}, not ${expected[i]}`)
  }
})

test('randomResizedCrop: parts within their bounds, from everywhere, resized; the largest in the middle at rest', async () => {
  // a picture that says where it is: the bytes are 5y, 5x and 0
  const [high, wide] = [40, 50]
  const bytes = Uint8Array.from({ length: high * wide * 3 }, (_, i) => {
    const [y, x] = [Math.floor(i / 3 / wide), Math.floor(i / 3) % wide]
    return [5 * y, 5 * x, 0][i % 3]
  })
  const data = Uint8Array.from({ length: bytes.length * 300 }, (_, i) => bytes[i % bytes.length])
  const map = fromArrays({ name: 'map', inputs: { image: { shape: [high, wide, 3], data } }, targets: {} })
  const step = { type: 'randomResizedCrop', size: [6, 4], minAreaFraction: 0.1, maxAreaFraction: 0.5 } as const
  const cropped = transform(map, [step])
  assert.deepEqual(cropped.inputs['image'], { shape: [6, 4, 3], dtype: 'uint8' })
  const batch = allocateBatch(cropped, 300)
  await cropped.read(all(300), batch, training)
  const { image } = batch.inputs
  const areas: number[] = []
  for (const i of all(300)) {
    let found: Rectangle | undefined
    const draws = new Draws(5, 0).of(i, 2)
    for (let k = 4; k < 44 && !found; k += 4) {
      const area = 2000 * draws.uniform(k, 0.1, 0.5)
      const ratio = Math.exp(draws.uniform(k + 1, -Math.log(4 / 3), Math.log(4 / 3)))
      const [rows, columns] = [Math.round(Math.sqrt(area * ratio)), Math.round(Math.sqrt(area / ratio))]
      if (rows > high || columns > wide) continue
      found = {
        rows,
        columns,
        top: draws.integer(k + 2, high - rows + 1),
        left: draws.integer(k + 3, wide - columns + 1),
      }
    }
    assert.ok(found)
    areas.push((found.rows * found.columns) / 2000)
    assert.deepEqual(image.slice(i * 72, (i + 1) * 72), scaledPart(bytes, wide, found, [6, 4]), `sample ${i}`)
  }
  assert.ok(Math.min(...areas) < 0.14 && Math.max(...areas) > 0.45)
  const rest = allocateBatch(cropped, 1)
  await cropped.read([0], rest)
  const middle = { rows: 40, columns: 27, top: 0, left: 11 } // 26.7 columns
  assert.deepEqual(rest.inputs['image'], scaledPart(bytes, wide, middle, [6, 4]))
})
