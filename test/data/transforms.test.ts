/** Transforms: what they make of pictures, by torchvision and NumPy; what they draw, and when. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocateBatch } from '../../src/data/batch.ts'
import { dataHash } from '../../src/data/data-hash.ts'
import type { Dataset, Reading } from '../../src/data/dataset.ts'
import { Draws } from '../../src/data/draws.ts'
import { fromArrays } from '../../src/data/in-memory.ts'
import { preprocess } from '../../src/data/preprocessing.ts'
import { subset, take } from '../../src/data/subset.ts'
import { type Transform, transform } from '../../src/data/transformed.ts'
import type { TypedArray } from '../../src/graph/dtype.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'
import { assertClose } from '../support/tensors.ts'

const { cases, tensor } = golden<{ name: string; mode: string; padding: number }>('transforms')
const [height, width, channels] = [4, 5, 3]
const picture = Uint8Array.from(tensor('picture').data)

/** `count` pictures, all the same. */
const same = (count: number): Dataset =>
  fromArrays({
    name: 'same',
    inputs: {
      image: {
        shape: [height, width, channels],
        data: Uint8Array.from({ length: 60 * count }, (_, i) => picture[i % 60]),
      },
    },
    targets: { label: { shape: [], data: Int32Array.from({ length: count }, (_, i) => i % 2) } },
  })
const training: Reading = { mode: 'train', epoch: 1, seed: 3 }

async function samples(data: Dataset, indices: readonly number[], reading?: Reading): Promise<TypedArray[]> {
  const batch = allocateBatch(data, indices.length)
  await data.read(indices, batch, reading)
  const image = batch.inputs['image']
  const size = image.length / indices.length
  return indices.map((_, i) => image.slice(i * size, (i + 1) * size))
}
const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

function window(padded: ArrayLike<number>, side: number, [top, left]: number[], [rows, columns]: number[]): number[] {
  return all(rows).flatMap((y) =>
    all(columns * channels).map((x) => padded[(top + y) * side * channels + left * channels + x]),
  )
}

for (const { name, mode, padding } of cases) {
  for (const size of [
    [height, width],
    [2, 3],
    [height + padding, 1],
  ]) {
    test(`randomCrop: ${name}, to ${size}: parts of the padded picture, every place drawn, the middle at rest`, async () => {
      const { shape, data } = tensor(`${name}/padded`)
      const places = shape[0] - size[0] + 1
      const acrosses = shape[1] - size[1] + 1
      const step = { type: 'randomCrop', size, padding, fillMode: mode, fillValue: 7 } as unknown as Transform
      const cropped = transform(same(600), [step])
      assert.deepEqual(cropped.inputs['image'], { shape: [...size, channels], dtype: 'uint8' })
      const drawn = new Draws(3, 0)
      const seen = new Set<number>()
      for (const [i, got] of (await samples(cropped, all(600), training)).entries()) {
        drawn.of(i, 1)
        const [top, left] = [drawn.integer(0, places), drawn.integer(1, acrosses)]
        seen.add(top * acrosses + left)
        assert.deepEqual(Array.from(got), window(data, shape[1], [top, left], size), `sample ${i} at ${top}, ${left}`)
      }
      if (places * acrosses < 100) assert.equal(seen.size, places * acrosses)
      const [atRest] = await samples(cropped, [0])
      const middle = [(places - 1) >> 1, (acrosses - 1) >> 1]
      assert.deepEqual(Array.from(atRest), window(data, shape[1], middle, size))
    })
  }
}

for (const [mode, kinds] of [
  ['horizontal', ['horizontal']],
  ['vertical', ['vertical']],
  ['horizontal_and_vertical', ['horizontal', 'vertical', 'both']],
] as const) {
  test(`randomFlip: ${mode}`, async () => {
    const flipped = transform(same(1000), [{ type: 'randomFlip', mode }])
    const known = [['none', picture] as const, ...kinds.map((kind) => [kind, tensor(`${kind}/flipped`).data] as const)]
    const counts = new Map<string, number>()
    for (const got of await samples(flipped, all(1000), training)) {
      const kind = known.find(([, pixels]) => got.every((value, i) => value === pixels[i]))?.[0] ?? 'something else'
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
    }
    assert.deepEqual([...counts.keys()].sort(), known.map(([kind]) => kind).sort())
    const expected = 1000 / known.length
    for (const [kind, count] of counts) assert.ok(Math.abs(count - expected) < 70, `${kind}: ${count}`)
    assert.deepEqual(await samples(flipped, [0, 999]), [picture, picture])
  })
}

test('randomFlip: never and always', async () => {
  for (const [probability, expected] of [
    [0, picture],
    [1, Uint8Array.from(tensor('vertical/flipped').data)],
  ] as const) {
    const flipped = transform(same(50), [{ type: 'randomFlip', mode: 'vertical', probability }])
    for (const got of await samples(flipped, all(50), training)) assert.deepEqual(got, expected)
  }
})

test('rescale: Keras computes x * scale + offset in float32, per channel too; in training and at rest', async () => {
  const scaled = transform(same(2), [{ type: 'rescale', scale: 1 / 127.5, offset: -1 }])
  assert.deepEqual(scaled.inputs['image'], { shape: [4, 5, 3], dtype: 'float32' })
  const expected = Float32Array.from(picture, (x) => x / 127.5 - 1)
  for (const reading of [training, undefined]) {
    const [got] = await samples(scaled, [1], reading)
    for (const [i, value] of got.entries()) assert.ok(Math.abs(value - expected[i]) <= 1e-7, `${value} ${expected[i]}`)
  }
  const [each] = await samples(transform(same(1), [{ type: 'rescale', scale: [1, 2, 4], offset: [0, -1, 0.5] }]), [0])
  assert.deepEqual(
    each,
    Float32Array.from(picture, (x, i) => [x, 2 * x - 1, 4 * x + 0.5][i % 3]),
  )
})

const chain: Transform[] = [
  { type: 'randomFlip', mode: 'horizontal' },
  { type: 'randomCrop', padding: 2, fillMode: 'reflect' },
  { type: 'rescale', scale: 2 },
]

test('what is drawn is a function of seed, epoch, sample and place in the list, whoever reads what before', async () => {
  const data = transform(same(40), chain)
  const whole = await samples(data, all(40), training)
  assert.deepEqual(await samples(data, all(40), training), whole)
  const backwards = all(40).reverse()
  assert.deepEqual((await samples(transform(same(40), chain), backwards, training)).reverse(), whole)
  assert.deepEqual(await samples(data, [17], training), [whole[17]])
  assert.deepEqual(await samples(subset(data, [5, 17]), [1], training), [whole[17]])
  const inTwo = transform(transform(same(40), chain.slice(0, 1)), chain.slice(1))
  assert.deepEqual(await samples(inTwo, all(40), training), whole)
  for (const other of [{ epoch: 2 }, { seed: 4 }, { epoch: 2 ** 20 }, { seed: 2 ** 33 + 3 }]) {
    assert.notDeepEqual(await samples(data, all(40), { ...training, ...other }), whole, JSON.stringify(other))
  }
  assert.notDeepEqual(whole[0], whole[1])
  const twice = await samples(transform(same(200), [chain[0], chain[0]]), all(200), training)
  const unmoved = twice.filter((got) => got.every((value, i) => value === picture[i])).length
  assert.ok(unmoved > 60 && unmoved < 140, `two flips are drawn apart: ${unmoved} of 200 as they were`)
})

test('targets and other inputs come through; a field is named where there are several', async () => {
  const [a, b] = [1, 2].map((value) => ({ shape: [2, 2, 1], data: new Uint8Array(8).fill(value) }))
  const data = fromArrays({ name: 'pair', inputs: { a, b }, targets: { y: { shape: [], data: Int32Array.of(3, 4) } } })
  const changed = transform(data, [
    { type: 'rescale', scale: 3, field: 'b' },
    { type: 'rescale', scale: 5, field: 'a' },
    { type: 'rescale', scale: 2, field: 'b' },
  ])
  const batch = allocateBatch(changed, 2)
  await changed.read([1, 0], batch)
  assert.deepEqual(batch.inputs, { a: new Float32Array(8).fill(5), b: new Float32Array(8).fill(12) })
  assert.deepEqual(batch.targets, { y: Int32Array.of(4, 3) })
  assert.throws(() => transform(data, [{ type: 'rescale', scale: 3 }]), failure('E_OPTION', "field: 'a' or field: 'b'"))
  assert.throws(() => transform(data, [{ type: 'rescale', scale: 3, field: 'c' }]), failure('E_OPTION', 'a, b', 'c'))
})

const wrong: [name: string, list: unknown, code: string, ...words: string[]][] = [
  ['no list', undefined, 'E_OPTION', 'transforms'],
  ['an empty list', [], 'E_OPTION', 'transforms'],
  ['nothing', [null], 'E_OPTION', 'randomCrop'],
  ['an unknown name', [{ type: 'randomFlop' }], 'E_OPTION', "did you mean 'randomFlip'?"],
  ['an unknown option', [{ type: 'rescale', scale: 1, ofset: 2 }], 'E_OPTION', "did you mean 'offset'?"],
  ['a missing option', [{ type: 'randomFlip' }], 'E_OPTION', 'mode'],
  ['too large a part', [{ type: 'randomCrop', size: [9, 5] }], 'E_SHAPE', '[4, 5]', '[9, 5]'],
  ['other channels', [{ type: 'rescale', scale: [1, 2] }], 'E_SHAPE', '3', '2'],
]
for (const [name, list, code, ...words] of wrong) {
  test(`refused: ${name}`, () => {
    assert.throws(() => transform(same(2), list as Transform[]), failure(code as 'E_OPTION', ...words))
  })
}
test('refused: a flip of what is no picture', () => {
  const flat = fromArrays({ name: 'flat', inputs: { x: { shape: [4], data: new Uint8Array(4) } }, targets: {} })
  const flip = (): Dataset => transform(flat, [{ type: 'randomFlip', mode: 'vertical' }])
  assert.throws(flip, failure('E_SHAPE', '[height, width, channels]', '[4]'))
})

test('data hash: one for a transformed dataset, another for each list, order and nesting', async () => {
  const hash = await dataHash(transform(same(300), chain))
  const again = transform(same(300), chain)
  await samples(again, all(40), training)
  assert.equal(await dataHash(again), hash)
  const spelled = transform(same(300), [
    { type: 'randomFlip', mode: 'horizontal', probability: 0.5 },
    ...chain.slice(1),
  ])
  assert.equal(await dataHash(spelled), hash, 'defaults said or not')
  assert.equal(await dataHash(transform(transform(same(300), chain.slice(0, 1)), chain.slice(1))), hash)
  const others = [
    same(300),
    transform(same(300), chain.slice(0, 2)),
    transform(same(300), [{ type: 'randomFlip', mode: 'vertical' }, ...chain.slice(1)]),
    transform(same(300), [chain[1], chain[0], chain[2]]),
    transform(same(299), chain),
    take(transform(same(300), chain), 300), // which numbers its samples by itself
  ]
  const hashes = await Promise.all(others.map((one) => dataHash(one)))
  assert.equal(new Set([hash, ...hashes]).size, others.length + 1)
})

test('data hash: a dataset may say its identity, and parts and transforms of it go by that', async () => {
  const named = (text: string): Dataset => ({ ...same(20), identity: async () => text })
  const forms: ((data: Dataset) => Dataset)[] = [
    (data) => data,
    (data) => take(data, 10),
    (data) => transform(data, chain),
  ]
  const hashes = await Promise.all(
    forms.flatMap((form) => [dataHash(form(named('one'))), dataHash(form(named('two'))), dataHash(form(named('one')))]),
  )
  for (let i = 0; i < hashes.length; i += 3) assert.equal(hashes[i], hashes[i + 2])
  assert.equal(new Set(hashes).size, 6)
  const unread: Dataset = {
    ...named('one'),
    read: async () => {
      throw new Error('nothing is read')
    },
  }
  assert.equal(await dataHash(unread), hashes[0])
})

for (const [what, list] of [
  ['once', [{ type: 'rescale', scale: 1 / 127.5, offset: -1 }]],
  ['per channel', [{ type: 'rescale', scale: [1 / 255, 1 / 128, 1 / 64], offset: [-1, 0, 1] }]],
  [
    'twice',
    [
      { type: 'rescale', scale: 1 / 255 },
      { type: 'rescale', scale: [2, 4, 8], offset: -0.5 },
    ],
  ],
] as const satisfies readonly (readonly [string, readonly Transform[]])[])
  test(`rescale ${what}: a picture is prepared as the samples are`, async () => {
    const bytes = fromArrays({
      name: 'bytes',
      inputs: { image: { shape: [height, width, channels], data: picture } },
      targets: {},
      preprocessing: { size: [height, width], channels: 3 },
    })
    const data = transform(bytes, list)
    assert.ok(data.preprocessing)
    const made = preprocess({ width, height, channels: 3, pixels: picture }, data.preprocessing)
    const [sample] = await samples(data, [0])
    assert.ok(made instanceof Float32Array)
    assertClose(made, sample, 1e-6, what)
  })
