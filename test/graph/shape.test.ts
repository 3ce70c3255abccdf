import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Node } from '../../src/graph/node.ts'
import { constant, input } from '../../src/graph/node.ts'
import type { Padding } from '../../src/graph/shape.ts'
import { axisOf, broadcastShapes, broadcastStrides, slide, stridesOf } from '../../src/graph/shape.ts'
import { broadcastTo, reshape } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { add } from '../../src/ops/elementwise.ts'
import { gather, oneHot } from '../../src/ops/indexing.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { concat, pad, slice, transpose } from '../../src/ops/movement.ts'
import { softmax } from '../../src/ops/normalization.ts'
import { averagePool, maxPool } from '../../src/ops/pooling.ts'
import { argmax, sum } from '../../src/ops/reduction.ts'
import { randomUniform } from '../../src/ops/sampling.ts'
import { failure } from '../support/failure.ts'

suite('sliding windows', () => {
  type Row = [
    n: number,
    window: number,
    stride: number,
    dilation: number,
    padding: Padding,
    output: number,
    before: number,
    after: number,
  ]
  /** TensorFlow's rule for 'same' (expectations.md, B2), 'valid' and explicit borders. */
  const rows: readonly Row[] = [
    [5, 2, 1, 1, 'same', 5, 0, 1], // an even kernel pads at the end
    [5, 4, 1, 1, 'same', 5, 1, 2],
    [5, 3, 1, 1, 'same', 5, 1, 1],
    [6, 3, 2, 1, 'same', 3, 0, 1], // pads on the right alone
    [5, 3, 2, 1, 'same', 3, 1, 1],
    [5, 2, 3, 1, 'same', 2, 0, 0],
    [5, 3, 1, 2, 'same', 5, 2, 2],
    [7, 1, 3, 1, 'same', 3, 0, 0],
    [2, 5, 1, 1, 'same', 2, 2, 2],
    [28, 5, 1, 1, 'same', 28, 2, 2],
    [224, 7, 2, 1, 'same', 112, 2, 3],
    [8, 3, 2, 1, 'valid', 3, 0, 0],
    [5, 3, 1, 1, 'valid', 3, 0, 0],
    [9, 3, 1, 3, 'valid', 3, 0, 0],
    [5, 3, 1, 1, [[2, 0]], 5, 2, 0], // causal
    [7, 2, 3, 1, [[1, 0]], 3, 1, 0],
    [1, 1, 10, 1, [[3, 3]], 1, 3, 3],
  ]
  for (const [n, window, stride, dilation, padding, output, before, after] of rows) {
    test(`${n} by ${window}, stride ${stride}, dilation ${dilation}, ${JSON.stringify(padding)}`, () => {
      const [axis] = slide([n], { window: [window], strides: [stride], dilation: [dilation], padding })
      assert.deepEqual(axis, { input: n, output, window, stride, dilation, before, after })
    })
  }
})

test('broadcasting', () => {
  const rows: readonly [shapes: number[][], result: number[]][] = [
    [[[3, 1], [1, 4]], [3, 4]],
    [[[5, 7, 3], [3]], [5, 7, 3]],
    [[[], [2]], [2]],
    [[[], []], []],
    [[[1], [1, 1]], [1, 1]],
    [[[2, 1, 4], [3, 1], [1]], [2, 3, 4]],
  ] // biome-ignore format: rows
  for (const [shapes, result] of rows) assert.deepEqual(broadcastShapes(shapes), result)
  assert.deepEqual(stridesOf([2, 3, 4]), [12, 4, 1])
  assert.deepEqual(broadcastStrides([3, 1], [2, 3, 4]), [0, 1, 0])
})

test('axes are counted from both ends', () => {
  assert.deepEqual([axisOf(0, 3), axisOf(-1, 3), axisOf(-3, 3)], [0, 2, 0])
  for (const axis of [3, -4, 0.5, Number.NaN]) assert.throws(() => axisOf(axis, 3), failure('E_SHAPE', '-3 to 2'))
})

const x = (...shape: number[]): Node => input('x', shape)
const bytes = input('bytes', [2, 4], 'uint8')
const indices = input('i', [2], 'int32')
const plain = { strides: [1, 1], dilation: [1, 1], padding: 'valid', groups: 1 } as const
const pool = { window: [2, 2], strides: [2, 2], padding: 'valid' } as const

/** What is wrong, and the words that help. */
const wrong: readonly [title: string, make: () => unknown, code: 'E_SHAPE' | 'E_DTYPE' | 'E_GRAPH', ...words: string[]][] = [
  ['shapes that do not broadcast', () => add(x(3), x(4)), 'E_SHAPE', 'add', '[3] and [4]'],
  ['a vector for a matrix', () => matmul(x(3), x(3, 4)), 'E_SHAPE', 'matmul', '[3] and [3, 4]', 'reshape'],
  ['inner sizes', () => matmul(x(2, 3), x(4, 5)), 'E_SHAPE', 'matmul', 'b does not fit a [2, 3]', '[3, n]', '[4, 5]'],
  ['bytes in a product', () => matmul(bytes, x(4, 5)), 'E_DTYPE', 'matmul', 'float32', 'uint8', '1 / 255'],
  ['integers in a product', () => softmax(indices), 'E_DTYPE', 'softmax', 'int32'],
  ['images without channels', () => convolution(x(2, 5), x(3, 3), plain), 'E_SHAPE', 'convolution', '[2, 5] and [3, 3]'],
  ['a kernel of another rank', () => convolution(x(2, 5, 5, 1), x(3, 1, 4), plain), 'E_SHAPE', 'spatial'],
  ['channels', () => convolution(x(2, 5, 5, 3), x(3, 3, 2, 4), plain), 'E_SHAPE', '3 channels', '[3, 3, 2, 4]'],
  ['groups', () => convolution(x(2, 5, 5, 4), x(3, 3, 2, 3), { ...plain, groups: 2 }), 'E_SHAPE', '2 groups'],
  ['an empty output', () => convolution(x(1, 4, 4, 1), x(5, 5, 1, 1), plain), 'E_SHAPE', 'window of 5', 'size of 4', "'same'"],
  ['too few strides', () => convolution(x(1, 4, 4, 1), x(3, 3, 1, 1), { ...plain, strides: [1] }), 'E_SHAPE', 'strides', '2 entries', '[1]'],
  ['a stride of nothing', () => convolution(x(1, 4, 4, 1), x(3, 3, 1, 1), { ...plain, strides: [0, 1] }), 'E_SHAPE', 'strides', '[0, 1]'],
  ['negative padding', () => convolution(x(1, 4, 4, 1), x(3, 3, 1, 1), { ...plain, padding: [[-1, 0], [0, 0]] }), 'E_SHAPE', 'padding'],
  ['padding for one axis of two', () => convolution(x(1, 4, 4, 1), x(3, 3, 1, 1), { ...plain, padding: [[1, 0]] }), 'E_SHAPE', 'padding'],
  ['pooling of a matrix', () => maxPool(x(2, 5), pool), 'E_SHAPE', 'maxPool', '[2, 5]'],
  ['pooling of nothing', () => averagePool(x(1, 1, 1, 3), pool), 'E_SHAPE', 'averagePool', 'window of 2', 'fewer pooling layers'],
  ['padding beyond the window', () => maxPool(x(1, 4, 4, 1), { ...pool, padding: [[2, 0], [0, 0]] }), 'E_SHAPE', 'smaller than the window'],
  ['a reshape to more', () => reshape(x(2, 3), { shape: [4, 2] }), 'E_SHAPE', '6 elements [2, 3]', '8 [4, 2]'],
  ['a reshape with a rest', () => reshape(x(2, 3), { shape: [4, -1] }), 'E_SHAPE', 'number of elements'],
  ['two unknown sizes', () => reshape(x(2, 3), { shape: [-1, -1] }), 'E_SHAPE', 'number of elements'],
  ['a broadcast to less', () => broadcastTo(x(2, 3), { shape: [3] }), 'E_SHAPE', '[2, 3]', '[3]'],
  ['an axis named twice', () => transpose(x(2, 3), { permutation: [0, 0] }), 'E_SHAPE', 'every axis once', '[0, 0]'],
  ['padding for one axis', () => pad(x(2, 3), { padding: [[1, 1]] }), 'E_SHAPE', 'every axis'],
  ['a box outside', () => slice(x(2, 3), { begin: [1, 1], size: [1, 3] }), 'E_SHAPE', 'within [2, 3]', 'begin [1, 1]'],
  ['an axis too far', () => argmax(x(2, 3), 2), 'E_SHAPE', 'axis 2', '-2 to 1'],
  ['a sum too far', () => sum(x(2, 3), { axes: [-3] }), 'E_SHAPE', 'axis -3'],
  ['concat of unequal', () => concat([x(2, 3), x(3, 3)]), 'E_SHAPE', 'axis 1', '[2, 3]', '[3, 3]'],
  ['concat of two dtypes', () => concat([x(2, 4), bytes]), 'E_SHAPE', 'uint8'],
  ['concat of nothing', () => concat([]), 'E_GRAPH', 'nothing'],
  ['concat of two ranks', () => concat([x(2, 3), x(3)]), 'E_SHAPE', 'axis 1', '[2, 3]', '[3]'],
  ['float indices', () => gather(x(3, 2), x(2)), 'E_DTYPE', 'gather', 'int32', 'float32'],
  ['float classes', () => oneHot(x(2), { depth: 3 }), 'E_DTYPE', 'oneHot'],
  ['a short key', () => randomUniform(indices, { shape: [3], stream: 0 }), 'E_SHAPE', 'key', '[4]', '[2]'],
  ['a size of zero', () => x(0, 3), 'E_SHAPE', '[0,3]'],
  ['half a size', () => x(1.5), 'E_SHAPE', '[1.5]'],
  ['too few values', () => constant(new Float32Array(3), [2, 2]), 'E_SHAPE', '[2, 2]', '3 values'],
] // biome-ignore format: rows
for (const [title, make, code, ...words] of wrong) {
  test(`refused: ${title}`, () => {
    assert.throws(make, failure(code, ...words))
  })
}
