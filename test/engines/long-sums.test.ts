/** Long sums keep what float32 can show: chains are short, and what they add up to is added in a tree or in double. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Node } from '../../src/graph/node.ts'
import { constant, input } from '../../src/graph/node.ts'
import type { Shape } from '../../src/graph/shape.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { slice } from '../../src/ops/movement.ts'
import { moments, softmax } from '../../src/ops/normalization.ts'
import { averagePool, maxPool } from '../../src/ops/pooling.ts'
import { sum } from '../../src/ops/reduction.ts'
import { openFast } from '../support/engines.ts'
import { evaluate } from '../support/tensors.ts'

const tenths = new Float32Array(1e7).fill(0.1)
const tenth = tenths[0]
const cancelling = Float32Array.from({ length: 1e6 }, (_, i) => (i % 2 > 0 ? -1e4 : 1e4) + 0.1)

/** All numbers of the result are to be `wanted`. */
interface Row {
  readonly name: string
  readonly shape: Shape
  readonly x?: Float32Array
  readonly of: (x: Node) => Node
  readonly wanted: number
  /** Relative. */
  readonly within?: number
}

const columns = [2, 3, 8, 32, 100, 1000].map((inner): Row => {
  const rows = Math.floor(1e7 / inner)
  return { name: `columns of ${inner}`, shape: [rows, inner], of: (x) => sum(x, { axes: [0] }), wanted: rows * tenth }
})
/** x [m, k] times ones [k, n]; oneDNN's order of sums, on engine `native`, is its own. */
const products = [
  [1, 1e6, 1],
  [3, 1e6, 2],
  [1, 5e5, 5],
  [6, 1e6, 1],
  [7, 3e5 + 5, 9],
].map(([m, k, n]): Row => {
  const of = (x: Node) => matmul(x, constant(new Float32Array(k * n).fill(1), [k, n]))
  const within = m < 6 ? 5e-3 : 5e-5 // PyTorch in float32: 1.3e-2 for one row
  return { name: `a product of [${m}, ${k}, ${n}]`, shape: [m, k], of, wanted: k * tenth, within }
})
const pools = [
  [1, 224, 224, 1],
  [1, 512, 512, 3],
  [1, 3000, 3000, 1],
  [1, 100_000, 5],
  [2, 40, 50, 60, 6],
].map((shape): Row => {
  const window = shape.slice(1, -1)
  const attrs = { window, strides: window.map(() => 1), padding: 'valid' } as const
  return { name: `an averagePool of all of [${shape}]`, shape, of: (x) => averagePool(x, attrs), wanted: tenth }
})
/** What the gradient is in the middle, which all windows cover; it is the largest of each, for maxPool. */
const covered = [
  { shape: [1, 20_000, 1], window: [10_001] },
  { shape: [2, 140, 140, 6], window: [71, 71] },
].flatMap(({ shape, window }): Row[] => {
  const attrs = { window, strides: window.map(() => 1), padding: 'valid' } as const
  const middle = [0, ...window.map((size) => size - 1), 0]
  const size = [shape[0], ...window.map(() => 1), shape[shape.length - 1]]
  const x = new Float32Array(shape.reduce((a, b) => a * b, 1))
  const [, ...ats] = middle
  const place = (image: number): number => ats.reduce((at, n, axis) => at * shape[axis + 1] + n, image)
  for (let i = 0; i < shape[0]; i++) x.fill(1, place(i), place(i) + size[size.length - 1])
  const windows = window.reduce((n, extent, axis) => n * (shape[axis + 1] - extent + 1), 1)
  const places = window.reduce((a, b) => a * b, 1)
  const gradient = (pool: typeof maxPool) => (x: Node) => {
    const [dx] = gradients(sum(mul(pool(x, attrs), tenth)), [x])
    return slice(dx, { begin: middle, size })
  }
  const name = `of windows of [${window}] over [${shape}]`
  return [
    {
      name: `the gradient of averagePool ${name}`,
      shape,
      x,
      of: gradient(averagePool),
      wanted: (windows * tenth) / places,
    },
    { name: `the gradient of maxPool ${name}`, shape, x, of: gradient(maxPool), wanted: windows * tenth },
  ]
})
const rows: readonly Row[] = [
  { name: '1e7 tenths', shape: [1e7], of: (x) => sum(x), wanted: 1e7 * tenth },
  { name: '1e7 products', shape: [1e7], of: (x) => sum(mul(x, x)), wanted: 1e7 * Math.fround(tenth * tenth) },
  // the numbers themselves add up to 99609; PyTorch says 99328
  { name: '1e6 numbers that cancel', shape: [1e6], x: cancelling, of: (x) => sum(x), wanted: 99609.375, within: 3e-3 },
  { name: 'a softmax of 1e6', shape: [1, 1e6], of: softmax, wanted: 1e-6 },
  ...columns,
  ...products,
  ...pools,
  ...covered,
  {
    name: 'a mean of pictures',
    shape: [64, 32, 32, 32],
    of: (x) => moments(x, { axes: [0, 1, 2] }).mean,
    wanted: tenth,
  },
]

for (const engine of await openFast()) {
  after(() => engine.close())
  suite(`long sums: ${engine.name}`, () => {
    for (const { name, shape, x = tenths, of, wanted, within = 1e-6 } of rows) {
      test(name, async () => {
        const size = shape.reduce((a, b) => a * b, 1)
        const { y } = await evaluate(engine, { outputs: { y: of(input('x', shape)) } }, { x: x.subarray(0, size) })
        for (const value of y) {
          const off = Math.abs(value - wanted) / wanted
          assert.ok(off <= within, `${value} in place of ${wanted}: off by ${off}`)
        }
      })
    }
  })
}
