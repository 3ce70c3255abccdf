import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { FoveaError } from '../../src/base/errors.ts'
import type { Dataset } from '../../src/data/dataset.ts'
import { drawDigit } from '../../src/data/datasets/digits/draw.ts'
import { skeletons } from '../../src/data/datasets/digits/strokes.ts'
import { digits } from '../../src/data/datasets/digits.ts'

const pixels = 28 * 28

async function read(dataset: Dataset, indices: ArrayLike<number>): Promise<{ image: Uint8Array; label: Int32Array }> {
  const image = new Uint8Array(indices.length * pixels)
  const label = new Int32Array(indices.length)
  await dataset.read(indices, { inputs: { image }, targets: { label } })
  return { image, label }
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i)
const nth = (image: Uint8Array, i: number): Uint8Array => image.subarray(i * pixels, (i + 1) * pixels)
const hash = (...arrays: NodeJS.TypedArray[]): string => {
  const sum = createHash('sha256')
  for (const array of arrays) sum.update(array)
  return sum.digest('hex').slice(0, 16)
}

test('digits says what it holds', async () => {
  const { train, test } = await digits()
  assert.deepEqual([train.length, test.length], [20_000, 2_000])
  for (const dataset of [train, test]) {
    assert.deepEqual(dataset.inputs, { image: { shape: [28, 28, 1], dtype: 'uint8' } })
    assert.deepEqual(dataset.targets, { label: { shape: [], dtype: 'int32' } })
    assert.deepEqual(dataset.classNames, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  }
})

test('the bytes of the first digits are pinned', async () => {
  const rows = [
    { seed: 0, part: 'train', sum: 'e8ae583c732029fb' },
    { seed: 0, part: 'test', sum: '9beb4234a857b85c' },
    { seed: -7, part: 'train', sum: '2eefcb1a4258820e' },
  ] as const
  for (const { seed, part, sum } of rows) {
    const { image, label } = await read((await digits({ seed }))[part], range(200))
    assert.equal(hash(image, label), sum, `seed ${seed} ${part}`)
  }
})

test('a sample is the same however it is read, and whatever the length of the set', async () => {
  const forward = await read((await digits({ samples: 60 })).train, range(60))
  const { train } = await digits({ samples: 100 })
  const order = [...range(60).reverse(), 7, 7, 0]
  const mixed = await read(train, order)
  for (const [at, index] of order.entries()) {
    assert.equal(mixed.label[at], forward.label[index])
    assert.deepEqual(nth(mixed.image, at), nth(forward.image, index), `sample ${index}`)
  }
})

test('a sample too far out to be kept is drawn the same each time', async () => {
  const { train } = await digits({ samples: 1_000_000 })
  const { image } = await read(train, [999_999, 70_000, 999_999])
  assert.deepEqual(nth(image, 0), nth(image, 2))
  assert.notDeepEqual(nth(image, 0), nth(image, 1))
})

test('every image differs: within a set, between training and test, between seeds', async () => {
  const seen = new Set<string>()
  for (const seed of [0, 1, 2 ** 40]) {
    const { train, test } = await digits({ seed })
    for (const dataset of [train, test]) {
      const { image } = await read(dataset, range(300))
      for (const i of range(300)) seen.add(hash(nth(image, i)))
    }
  }
  assert.equal(seen.size, 3 * 2 * 300)
})

test('labels are balanced to within one and shuffled', async () => {
  const { label } = await read((await digits({ samples: 1003 })).train, range(1003))
  const counts = range(10).map((digit) => label.filter((other) => other === digit).length)
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, String(counts))
  const tens = new Set(range(100).map((ten) => label.slice(10 * ten, 10 * ten + 10).join('')))
  assert.ok(tens.size > 95, `${tens.size} of 100 tens have an order of their own`)
})

test('every way of writing every digit leaves ink in the middle and a black border', () => {
  const image = new Uint8Array(pixels)
  for (const [digit, ways] of skeletons().entries()) {
    for (const [way, strokes] of ways.entries()) {
      for (const number of range(20)) {
        drawDigit([strokes], { seed: 0, number, into: image, offset: 0 })
        const where = `digit ${digit}, way ${way}, number ${number}`
        let [ink, border, x, y] = [0, 0, 0, 0]
        for (const [place, value] of image.entries()) {
          const [row, column] = [Math.floor(place / 28), place % 28]
          ink += value / 255
          x += (value / 255) * (column + 0.5)
          y += (value / 255) * (row + 0.5)
          if (Math.min(row, column, 27 - row, 27 - column) === 0) border += value / 255
        }
        assert.ok(ink > 10 && ink < 330, `${where}: ink ${ink}`)
        assert.ok(border < 8, `${where}: ink ${border} on the border`)
        assert.ok(Math.hypot(x / ink - 14, y / ink - 14) < 1.6, `${where}: centre ${x / ink}, ${y / ink}`)
      }
    }
  }
})

test('wrong options and samples are refused', async () => {
  const rows: [options: object, words: RegExp][] = [
    [{ samples: 0 }, /'samples' is wrong: expected an integer >= 1/],
    [{ testSamples: 1.5 }, /'testSamples' is wrong/],
    [{ seed: '1' }, /'seed' is wrong: expected an integer, got '1'/],
    [{ sample: 10 }, /unknown option 'sample'; did you mean 'samples'/],
  ]
  for (const [options, words] of rows) {
    await assert.rejects(digits(options), (error) => {
      assert.ok(error instanceof FoveaError)
      assert.equal(error.code, 'E_OPTION')
      assert.match(error.message, words)
      return true
    })
  }
  const { train } = await digits({ samples: 10 })
  for (const index of [10, -1, 0.5, Number.NaN]) {
    await assert.rejects(read(train, [index]), { code: 'E_DATA' })
  }
})
