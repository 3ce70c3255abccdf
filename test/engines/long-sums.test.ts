/** Long sums keep what float32 can show, those of products too: chains are short, and what they add up to is added in a tree or in double. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Node } from '../../src/graph/node.ts'
import { constant, input } from '../../src/graph/node.ts'
import type { Shape } from '../../src/graph/shape.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { convolution, convolutionKernelGradient } from '../../src/ops/convolution.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { gradients as gradientsOf } from '../../src/ops/gradient.ts'
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

interface Row {
  readonly name: string
  readonly shape: Shape
  readonly x?: Float32Array
  readonly of: (x: Node) => Node
  readonly wanted: number
  /** Relative, for all results. */
  readonly within?: number | Bounds
}
type Bounds = Readonly<Record<string, number>>
/** oneDNN's order of sums is its own. */
const ofProducts: Bounds = { wasm: 1e-5, native: 5e-5 } // PyTorch in float32: 1.3e-2

const columns = [2, 3, 8, 32, 100, 1000, 5000].map((inner): Row => {
  const rows = Math.floor(1e7 / inner)
  return { name: `columns of ${inner}`, shape: [rows, inner], of: (x) => sum(x, { axes: [0] }), wanted: rows * tenth }
})
const ones = (shape: Shape): Node => constant(new Float32Array(sizeOf(shape)).fill(1), shape)
/** x [m, k] times ones [k, n]. */
const products = [
  [1, 1e6, 1],
  [3, 1e6, 2],
  [1, 5e5, 5],
  [6, 1e6, 1],
  [7, 3e5 + 5, 9],
  [4, 8192, 40],
].map(([m, k, n]): Row => {
  const of = (x: Node) => matmul(x, ones([k, n]))
  return { name: `a product of [${m}, ${k}, ${n}]`, shape: [m, k], of, wanted: k * tenth, within: ofProducts }
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
  const x = new Float32Array(sizeOf(shape))
  const [, ...ats] = middle
  const place = (image: number): number => ats.reduce((at, n, axis) => at * shape[axis + 1] + n, image)
  for (let i = 0; i < shape[0]; i++) x.fill(1, place(i), place(i) + size[size.length - 1])
  const windows = window.reduce((n, extent, axis) => n * (shape[axis + 1] - extent + 1), 1)
  const places = sizeOf(window)
  const gradient = (pool: typeof maxPool) => (x: Node) => {
    const [dx] = gradientsOf(sum(mul(pool(x, attrs), tenth)), [x])
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
const transposed: Row = {
  name: 'a product of [1000000, 3] transposed and [1000000, 2]',
  shape: [1e6, 3],
  of: (x) => matmul(x, ones([1e6, 2]), { transposeA: true }),
  wanted: 1e6 * tenth,
  within: ofProducts,
}

const plain = (rank: number) => ({
  strides: Array<number>(rank).fill(1),
  dilation: Array<number>(rank).fill(1),
  padding: 'valid' as const,
  groups: 1,
})
/** x by a kernel of ones whose windows hold very many numbers, and where they are chains of oneDNN's that bound. */
const windowed: readonly (readonly [Shape, Shape, Bounds?])[] = [
  [[1, 300, 300, 1], [300, 300, 1, 2], { wasm: 1e-5, native: 5e-4 }],
  [
    [1, 4, 4, 4096],
    [3, 3, 4096, 16],
  ],
  [
    [1, 8, 8, 20000],
    [1, 1, 20000, 16],
  ],
]
const windows = windowed.map(
  ([shape, kernel, within = ofProducts]): Row => ({
    name: `a convolution of [${shape}] by [${kernel}]`,
    shape,
    of: (x) => convolution(x, ones(kernel), plain(2)),
    wanted: sizeOf(kernel.slice(0, -1)) * tenth,
    within,
  }),
)

/** From ones x and tenths dy: [x, kernel, stride, groups], and where chains are as long as a row of the first axis its bound. */
const gradients: readonly (readonly [Shape, Shape, stride?: number, groups?: number, within?: Bounds])[] = [
  [
    [16, 128, 128, 8],
    [1, 1, 8, 8],
  ],
  [
    [16, 130, 130, 16],
    [3, 3, 16, 16],
  ],
  [
    [16, 132, 132, 16],
    [5, 5, 16, 16],
  ],
  [
    [1, 514, 514, 3],
    [3, 3, 3, 16],
  ],
  [[4, 257, 257, 1], [5, 5, 1, 8], 1],
  [[16, 257, 257, 4], [3, 3, 4, 8], 2],
  [[16, 130, 130, 8], [3, 3, 1, 8], 1, 8],
  [[16, 130, 130, 8], [3, 3, 4, 8], 1, 2],
  [
    [1, 300001, 4],
    [3, 4, 8],
  ],
  [[1, 66, 66, 66, 4], [3, 3, 3, 4, 8], 1, 1, { wasm: 1e-5, native: 5e-5 }],
]

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
  transposed,
  ...windows,
  {
    name: 'a mean of pictures',
    shape: [64, 32, 32, 32],
    of: (x) => moments(x, { axes: [0, 1, 2] }).mean,
    wanted: tenth,
  },
]

function near(numbers: ArrayLike<number>, wanted: number, within: number): void {
  const worst = Array.from(numbers).reduce((a, b) => (Math.abs(b - wanted) > Math.abs(a - wanted) ? b : a), wanted)
  const off = Math.abs(worst - wanted) / wanted
  assert.ok(off <= within, `${worst} in place of ${wanted}: off by ${off}`)
}

for (const engine of await openFast()) {
  after(() => engine.close())
  suite(`long sums: ${engine.name}`, () => {
    for (const { name, shape, x = tenths, of, wanted, within = 1e-6 } of rows) {
      test(name, async () => {
        const outputs = { y: of(input('x', shape)) }
        const { y } = await evaluate(engine, { outputs }, { x: x.subarray(0, sizeOf(shape)) })
        near(y, wanted, typeof within === 'number' ? within : within[engine.name])
      })
    }
    for (const [shape, kernelShape, stride = 1, groups = 1, within] of gradients) {
      const x = ones(shape)
      const attrs = { ...plain(shape.length - 2), groups }
      attrs.strides.fill(stride)
      const result = convolution(x, ones(kernelShape), attrs).shape
      const places = sizeOf(result.slice(0, -1))
      test(`gradients of [${kernelShape}] over [${result}]`, async () => {
        const dy = input('dy', result)
        const bias = sum(dy, { axes: result.slice(0, -1).map((_, axis) => axis) })
        const outputs = { kernel: convolutionKernelGradient(x, dy, { ...attrs, kernelShape }), bias }
        const made = await evaluate(engine, { outputs }, { dy: tenths.subarray(0, sizeOf(result)) })
        for (const one of [made.kernel, made.bias]) near(one, places * tenth, within?.[engine.name] ?? 2e-5)
      })
    }
  })
}
