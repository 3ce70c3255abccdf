/** First values: orthogonal matrices by what defines them, scaled variances by the names they generalise. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normals } from '../../src/base/random.ts'
import type { Initializer } from '../../src/nn/initializers.ts'
import { initialize } from '../../src/nn/initializers.ts'
import { orthogonalMatrix } from '../../src/nn/orthogonal.ts'
import { failure } from '../support/failure.ts'
import { assertClose } from '../support/tensors.ts'

const draw = { seed: 7, stream: 3 }

type Matrix = (row: number, column: number) => number
/** [rows, columns] of the product a^T b of matrices with `inner` rows. */
const product = (a: Matrix, b: Matrix, [rows, inner, columns]: readonly [number, number, number]): Float64Array =>
  Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns]
    return Array.from({ length: inner }, (_, k) => a(k, i) * b(k, j)).reduce((x, y) => x + y, 0)
  })

for (const [rows, columns] of [
  [1, 1],
  [5, 5],
  [12, 5],
  [5, 12],
  [200, 3],
]) {
  test(`orthogonal ${rows} x ${columns}: the Q of the QR of the normals drawn, R's diagonal being positive`, () => {
    const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)]
    const values = orthogonalMatrix([rows, columns], draw)
    const q: Matrix = (i, j) => (rows >= columns ? values[i * columns + j] : values[j * columns + i])
    const drawn = normals(draw, long * short)
    const unit = Float64Array.from({ length: short * short }, (_, at) => (at % (short + 1) === 0 ? 1 : 0))
    assertClose(product(q, q, [short, long, short]), unit, 1e-13, 'Q^T Q')
    const r = product(q, (i, j) => drawn[i * short + j], [short, long, short])
    for (let i = 0; i < short; i++) {
      assert.ok(r[i * short + i] > 0, `R[${i}][${i}] is ${r[i * short + i]}`)
      for (let j = 0; j < i; j++) assert.ok(Math.abs(r[i * short + j]) < 1e-12, `R[${i}][${j}] is ${r[i * short + j]}`)
    }
  })
}

test('orthogonal kernels: W^T W = gain^2 I over [height * width * channels, filters]', () => {
  const kernel = initialize({ type: 'orthogonal', gain: 3 }, [3, 3, 4, 8], draw)
  const w: Matrix = (i, j) => kernel[i * 8 + j]
  const wanted = Float64Array.from({ length: 64 }, (_, at) => (at % 9 === 0 ? 9 : 0))
  assertClose(product(w, w, [8, 36, 8]), wanted, 1e-6, 'W^T W')
  assert.notDeepEqual(initialize('orthogonal', [4, 4], draw), initialize('orthogonal', [4, 4], { ...draw, stream: 4 }))
})

const kernel = [3, 3, 4, 16]
for (const [name, scale, mode, distribution] of [
  ['glorotUniform', 1, 'fanAvg', 'uniform'],
  ['glorotNormal', 1, 'fanAvg', 'truncatedNormal'],
  ['heUniform', 2, 'fanIn', 'uniform'],
  ['heNormal', 2, 'fanIn', 'truncatedNormal'],
  ['lecunNormal', undefined, undefined, undefined],
] as const) {
  test(`varianceScaling makes ${name}`, () => {
    const general = { type: 'varianceScaling', scale, mode, distribution } as Initializer
    assertClose(initialize(general, kernel, draw), initialize(name, kernel, draw), 1e-7, name)
  })
}

test('varianceScaling: fanOut, and normals that are not cut', () => {
  const scaled = { type: 'varianceScaling', mode: 'fanOut', distribution: 'untruncatedNormal' } as const
  const wanted = normals(draw, 576).map((z) => z / 12) // fan out is 3 * 3 * 16
  assertClose(initialize(scaled, kernel, draw), wanted, 1e-7, 'fanOut')
})

test('identity: gain on the diagonal, whether rows or columns are more', () => {
  const identity = (shape: number[]) => Array.from(initialize({ type: 'identity', gain: 2 }, shape, draw))
  assert.deepEqual(identity([2, 3]), [2, 0, 0, 0, 2, 0])
  assert.deepEqual(identity([3, 2]), [2, 0, 0, 2, 0, 0])
})

for (const [initializer, shape] of [
  ['orthogonal', [4]],
  ['identity', [4]],
  ['identity', [3, 3, 4, 4]],
] as const) {
  test(`refused: ${initializer} of [${shape.join(', ')}]`, () => {
    assert.throws(() => initialize(initializer, shape, draw), failure('E_SHAPE', initializer, 'two axes'))
  })
}
