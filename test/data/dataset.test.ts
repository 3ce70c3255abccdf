import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocateBatch } from '../../src/data/batch.ts'
import type { Batch, Dataset } from '../../src/data/dataset.ts'
import { type ArraysOfSamples, fromArrays } from '../../src/data/in-memory.ts'
import { split, subset, take } from '../../src/data/subset.ts'
import { failure } from '../support/failure.ts'

/** Ten samples of two pixels and a weight: sample i is (10 i, 10 i + 1), 0.5 i, labelled i mod 3. */
const tens: ArraysOfSamples = {
  name: 'tens',
  inputs: {
    image: {
      shape: [1, 2, 1],
      dtype: 'uint8',
      data: Uint8Array.from({ length: 20 }, (_, i) => 10 * (i >> 1) + (i & 1)),
    },
    weight: { shape: [], data: Float32Array.from({ length: 10 }, (_, i) => i / 2) },
  },
  targets: { label: { shape: [], data: Int32Array.from({ length: 10 }, (_, i) => i % 3) } },
  classNames: ['a', 'b', 'c'],
}
const dataset = fromArrays(tens)

async function read(from: Dataset, indices: number[]): Promise<Batch> {
  const batch = allocateBatch(from, indices.length)
  await from.read(indices, batch)
  return batch
}
const labels = async (from: Dataset): Promise<number[]> =>
  Array.from(
    (
      await read(
        from,
        Array.from({ length: from.length }, (_, i) => i),
      )
    ).inputs['weight'],
    (w) => w * 2,
  )

test('dataset: says what it holds, and holds no arrays in its specs', () => {
  const { name, length, inputs, targets, classNames } = dataset
  assert.deepEqual(
    { name, length, inputs, targets, classNames },
    {
      name: 'tens',
      length: 10,
      inputs: { image: { shape: [1, 2, 1], dtype: 'uint8' }, weight: { shape: [], dtype: 'float32' } },
      targets: { label: { shape: [], dtype: 'int32' } },
      classNames: ['a', 'b', 'c'],
    },
  )
})

test('dataset: reads samples in any order, with repeats, into arrays of the caller', async () => {
  assert.deepEqual(await read(dataset, [7, 0, 7]), {
    inputs: { image: Uint8Array.of(70, 71, 0, 1, 70, 71), weight: Float32Array.of(3.5, 0, 3.5) },
    targets: { label: Int32Array.of(1, 0, 1) },
  })
  const larger = allocateBatch(dataset, 2)
  larger.inputs['image'].fill(9)
  await dataset.read(Uint32Array.of(1), larger)
  assert.deepEqual(larger.inputs['image'], Uint8Array.of(10, 11, 9, 9))
})

const parts: [name: string, () => Dataset, expected: number[]][] = [
  ['subset', () => subset(dataset, [9, 2, 2]), [9, 2, 2]],
  ['subset of a subset', () => subset(subset(dataset, [9, 2, 4]), [2, 0]), [4, 9]],
  ['no samples', () => subset(dataset, []), []],
  ['take 3', () => take(dataset, 3), [0, 1, 2]],
  ['take more than there are', () => take(dataset, 99), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['before the last 20%', () => split(dataset, 0.2)[0], [0, 1, 2, 3, 4, 5, 6, 7]],
  ['the last 20%', () => split(dataset, 0.2)[1], [8, 9]],
  ['the last 25% are three, as in Keras', () => split(dataset, 0.25)[1], [7, 8, 9]],
]
for (const [name, part, expected] of parts) {
  test(`dataset: ${name}`, async () => {
    assert.deepEqual(await labels(part()), expected)
    assert.equal(part().length, expected.length)
    assert.deepEqual(part().classNames, ['a', 'b', 'c'])
  })
}

test('dataset: 60,000 split as 48,000 + 12,000', () => {
  const large = fromArrays({ name: 'n', inputs: { x: { shape: [], data: new Uint8Array(60000) } }, targets: {} })
  assert.deepEqual(
    split(large, 0.2).map((part) => part.length),
    [48000, 12000],
  )
})

const float = (shape: number[], length: number) => ({ x: { shape, data: new Float32Array(length) } })
const label = (...data: number[]) => ({ label: { shape: [], data: Int32Array.from(data) } })
const wrongArrays: [rule: string, Omit<ArraysOfSamples, 'name'>, Parameters<typeof failure>[0], ...words: string[]][] =
  [
    ['no fields', { inputs: {}, targets: {} }, 'E_DATA', 'no fields'],
    ['unequal lengths', { inputs: float([2], 6), targets: label(0, 1) }, 'E_DATA', 'x 3', 'label 2'],
    ['half a sample', { inputs: float([4], 6), targets: {} }, 'E_SHAPE', 'inputs.x', '[4]', '6 elements'],
    ['a sample of nothing', { inputs: float([0], 6), targets: {} }, 'E_SHAPE', '[0]'],
    [
      'an array of another type',
      { inputs: { x: { shape: [], data: new Float64Array(2) as never } }, targets: {} },
      'E_DTYPE',
      'Float64Array',
    ],
    [
      'another dtype than said',
      { inputs: { x: { shape: [], dtype: 'uint8', data: new Int32Array(2) } }, targets: {} },
      'E_DTYPE',
      'uint8',
    ],
    [
      'a label too high',
      { inputs: {}, targets: label(0, 1, 2, 0), classNames: ['a', 'b'] },
      'E_LABEL',
      'sample 2',
      '0 to 1',
      'got 2',
    ],
    [
      'a negative label',
      { inputs: {}, targets: label(0, -1), classNames: ['a', 'b'] },
      'E_LABEL',
      'd: label of sample 1',
      'got -1',
    ],
    [
      'a wrong class in a map of classes',
      { inputs: {}, targets: { map: { shape: [2], data: Int32Array.of(0, 1, 0, 7) } }, classNames: ['a', 'b'] },
      'E_LABEL',
      'sample 1',
      'got 7',
    ],
  ]
for (const [rule, arrays, code, ...words] of wrongArrays) {
  test(`dataset: refuses ${rule}`, () =>
    assert.throws(() => fromArrays({ name: 'd', ...arrays }), failure(code, 'd', ...words)))
}

test('dataset: without class names any label will do', () => {
  assert.equal(fromArrays({ name: 'd', inputs: {}, targets: label(-5, 99) }).length, 2)
})

for (const index of [-1, 10, 0.5, NaN]) {
  test(`dataset: there is no sample ${index}`, async () => {
    await assert.rejects(read(dataset, [0, index]), failure('E_DATA', 'tens', '0 to 9', `${index}`))
    assert.throws(() => subset(dataset, [0, index]), failure('E_DATA', 'tens'))
    await assert.rejects(read(take(dataset, 2), [2]), failure('E_DATA', '0 to 1'))
  })
}

for (const fraction of [0, 1, -0.1, 2, NaN, 0.95]) {
  test(`dataset: no split by ${fraction}`, () =>
    assert.throws(() => split(dataset, fraction), failure('E_OPTION', `${fraction}`)))
}
for (const count of [0, -1, 1.5, NaN]) {
  test(`dataset: take(${count}) is refused`, () =>
    assert.throws(() => take(dataset, count), failure('E_OPTION', `${count}`)))
}
