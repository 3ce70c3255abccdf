/** Long sums keep what float32 can show: chains are short, and what they add up to is added in a tree or in double. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Node } from '../../src/graph/node.ts'
import { constant, input } from '../../src/graph/node.ts'
import type { Shape } from '../../src/graph/shape.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { moments, softmax } from '../../src/ops/normalization.ts'
import { sum } from '../../src/ops/reduction.ts'
import { openFast } from '../support/engines.ts'
import { evaluate } from '../support/tensors.ts'

const tenths = new Float32Array(1e7).fill(0.1)
const tenth = tenths[0]
const cancelling = Float32Array.from({ length: 1e6 }, (_, i) => (i % 2 > 0 ? -1e4 : 1e4) + 0.1)

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
const rows: readonly Row[] = [
  { name: '1e7 tenths', shape: [1e7], of: (x) => sum(x), wanted: 1e7 * tenth },
  { name: '1e7 products', shape: [1e7], of: (x) => sum(mul(x, x)), wanted: 1e7 * Math.fround(tenth * tenth) },
  // the numbers themselves add up to 99609; PyTorch says 99328
  { name: '1e6 numbers that cancel', shape: [1e6], x: cancelling, of: (x) => sum(x), wanted: 99609.375, within: 3e-3 },
  { name: 'a softmax of 1e6', shape: [1, 1e6], of: softmax, wanted: 1e-6 },
  ...columns,
  ...products,
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
        const off = Math.abs(y[0] - wanted) / wanted
        assert.ok(off <= within, `${y[0]} in place of ${wanted}: off by ${off}`)
      })
    }
  })
}
