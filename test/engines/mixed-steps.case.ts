/** The part of the bfloat16 suite that is about single steps: loops, tails and heads that read and write bfloat16. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roundToBfloat16 } from '../../src/graph/dtype.ts'
import type { Node } from '../../src/graph/node.ts'
import { input, variable } from '../../src/graph/node.ts'
import type { Shape } from '../../src/graph/shape.ts'
import { convolution, convolutionInputGradient } from '../../src/ops/convolution.ts'
import { add, div, exp, less, maximum, mul, relu, sub, tanh, toFloat } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { averagePoolGradient, maxPool, maxPoolGradient } from '../../src/ops/pooling.ts'
import { sum } from '../../src/ops/reduction.ts'
import { low, mixed, seen, stored, ULP } from '../support/bfloat16.ts'
import type { Compared } from '../support/compared.ts'
import type { Case } from '../support/tensors.ts'
import { caseOf, evaluate, floats, ladder, weighted } from '../support/tensors.ts'
import { overlapping, pool, same } from '../support/windows.ts'

interface Row {
  readonly name: string
  readonly shapes: readonly Shape[]
  readonly y: (x: readonly Node[]) => Node
}
const rowCase = ({ name, shapes, y }: Row): Case => caseOf({ name, specs: floats(...shapes), y })

/** Loops that read and write bfloat16. */
const loops: readonly Row[] = [
  ...Array.from({ length: 19 }, (_, i): Row => {
    return { name: `whole ${i + 1}`, shapes: [[i + 1], [i + 1]], y: ([a, b]) => add(stored(a), mul(stored(b), 3)) }
  }),
  { name: 'beside float32', shapes: [[5, 7], [5, 7]], y: ([a, b]) => mul(sub(stored(a), b), 0.3) }, // biome-ignore format: a row
  { name: 'with a row and a number', shapes: [[5, 7], [7], []], y: ([a, b, c]) => maximum(mul(stored(a), b), c) }, // biome-ignore format: a row
  { name: 'a row of bfloat16', shapes: [[5, 7], [7]], y: ([a, b]) => add(a, stored(b)) },
  {
    name: 'a column of bfloat16',
    shapes: [
      [5, 7],
      [5, 1],
    ],
    y: ([a, b]) => add(stored(a), stored(b)),
  },
  { name: 'an axis in the middle', shapes: [[3, 4, 6], [3, 1, 6]], y: ([a, b]) => mul(stored(a), stored(b)) }, // biome-ignore format: a row
  { name: 'large', shapes: [[300_007], [300_007]], y: ([a, b]) => tanh(add(stored(a), mul(a, stored(b)))) },
  { name: 'large rows', shapes: [[401, 301], [301]], y: ([a, b]) => add(stored(a), b) }, // biome-ignore format: a row
]

/** A convolution or product with what may be fused into it; the same that is kept as float32. */
const tails: readonly Row[] = [
  {
    name: 'convolution + bias + relu',
    shapes: [[2, 6, 7, 3], [3, 3, 3, 9], [9]], // biome-ignore format: a row
    y: ([x, k, b]) => relu(add(convolution(low(x), low(k), same), b)),
  },
  {
    name: 'convolution + bfloat16 + relu',
    shapes: [[2, 6, 7, 3], [3, 3, 3, 9], [2, 6, 7, 9]], // biome-ignore format: a row
    y: ([x, k, rest]) => relu(add(convolution(low(x), low(k), same), stored(rest))),
  },
  {
    name: 'convolution + float32',
    shapes: [[2, 6, 7, 3], [3, 3, 3, 9], [2, 6, 7, 9]], // biome-ignore format: a row
    y: ([x, k, rest]) => add(convolution(low(x), low(k), same), rest),
  },
  {
    name: 'depthwise + scale + bias',
    shapes: [[2, 6, 7, 8], [3, 3, 1, 8], [8], [8]], // biome-ignore format: a row
    y: ([x, k, scale, b]) => add(mul(convolution(low(x), low(k), { ...same, groups: 8 }), scale), b),
  },
  {
    name: 'input gradient where relu passed',
    shapes: [[2, 5, 6, 4], [3, 3, 7, 4], [2, 5, 6, 7]], // biome-ignore format: a row
    y: ([dy, k, x]) => {
      const attrs = { ...same, inputShape: [2, 5, 6, 7] }
      return mul(convolutionInputGradient(low(dy), low(k), attrs), less(0, stored(x)))
    },
  },
  {
    name: 'matmul + bias + tanh',
    shapes: [[7, 13], [13, 11], [11]], // biome-ignore format: a row
    y: ([x, w, b]) => tanh(add(matmul(low(x), low(w)), b)),
  },
  {
    name: 'matmul of both transposed + bfloat16',
    shapes: [[13, 7], [11, 13], [7, 11]], // biome-ignore format: a row
    y: ([x, w, rest]) => sub(matmul(low(x), low(w), { transposeA: true, transposeB: true }), stored(rest)),
  },
  {
    name: 'gradient of overlapping maxima + scale + row',
    shapes: [[2, 6, 8, 5], [2, 3, 4, 5], [5], [5]], // biome-ignore format: a row
    y: ([x, dy, scale, b]) => {
      const most = maxPool(stored(x), overlapping)
      return add(mul(maxPoolGradient(stored(x), most, stored(dy), overlapping), scale), b)
    },
  },
  {
    name: 'gradient of maxima + scale',
    shapes: [[2, 6, 8, 5], [2, 3, 4, 5], [5]], // biome-ignore format: a row
    y: ([x, dy, scale]) => mul(maxPoolGradient(stored(x), maxPool(stored(x), pool), stored(dy), pool), scale),
  },
  {
    name: 'gradient of means + bfloat16',
    shapes: [[2, 3, 4, 5], [2, 6, 8, 5]], // biome-ignore format: a row
    y: ([dy, rest]) => sub(averagePoolGradient(stored(dy), { ...overlapping, inputShape: [2, 6, 8, 5] }), stored(rest)),
  },
  {
    name: 'a step down the gradient',
    shapes: [[13, 7], [13, 11], [], [7, 11]], // biome-ignore format: a row
    y: ([x, dy, rate, w]) => sub(w, mul(matmul(low(x), low(dy), { transposeA: true }), rate)),
  },
]

/** Sums whose operands are computed from bfloat16 as they are read. */
const heads: readonly Row[] = (
  [
    ['over the rows', [600, 37], [0]],
    ['over a row', [5, 33], [1]],
    ['over all', [40, 7], [0, 1]],
    ['over the middle', [3, 4, 6], [1]],
    ['over images', [4, 9, 8, 6], [0, 1, 2]],
  ] as const
).flatMap(([over, shape, axes]): Row[] => [
  { name: `sum ${over}`, shapes: [shape], y: ([x]) => sum(stored(x), { axes }) },
  {
    name: `squared differences ${over}`,
    shapes: [shape, shape.slice(-1)],
    y: ([x, row]) => {
      const difference = sub(stored(x), row)
      return sum(mul(difference, difference), { axes })
    },
  },
  {
    name: `products ${over}`,
    shapes: [shape, shape, shape.slice(-1)],
    y: ([x, dy, row]) => sum(mul(stored(dy), sub(stored(x), row)), { axes }),
  },
])

export function mixedStepsSuite({ engine, toleranceOf, agreesWithin }: Compared): void {
  for (const row of [...loops, ...tails]) {
    test(`${row.name}, stored and not`, async () => {
      const { y, values } = rowCase(row)
      await agreesWithin({ outputs: { y } }, values, { tolerance: toleranceOf('matmul') })
      await agreesWithin({ outputs: { y: seen(low(y)) } }, values, { tolerance: ULP })
    })
  }
  for (const row of heads) {
    test(row.name, () => {
      const { y, values } = rowCase(row)
      return agreesWithin({ outputs: { y } }, values, { tolerance: toleranceOf('sum') })
    })
  }

  test('bytes are scaled into bfloat16', async () => {
    const x = input('x', [3, 5, 7], 'uint8')
    const y = seen(low(mul(toFloat(x), 1 / 255)))
    const values = { x: Uint8Array.from({ length: 105 }, (_, i) => (i * 37) % 256) }
    const got = await evaluate(engine, { outputs: { y } }, values)
    const wanted = Array.from(values.x, (byte) => roundToBfloat16(byte * Math.fround(1 / 255)))
    assert.deepEqual([...got['y']], wanted)
  })

  test('one loop may store both', async () => {
    const [x, w] = [input('x', [6, 5]), input('w', [5, 4])]
    const y = add(exp(x), 1)
    const outputs = { y, z: matmul(low(y), low(w)) }
    await agreesWithin({ outputs }, { x: ladder(30, 1), w: ladder(20, 2) }, { tolerance: toleranceOf('exp') })
  })

  test('a result does not lie over an operand of as many bytes and half the elements', async () => {
    const [x, y, w] = [input('x', [3, 64]), input('y', [2, 64]), input('w', [64, 5])]
    const row = sum(x, { axes: [0] })
    const outputs = { z: matmul(low(mul(y, row)), low(w)) }
    const values = { x: ladder(192, 1), y: ladder(128, 2), w: ladder(320, 3) }
    await agreesWithin({ outputs }, values, { tolerance: ULP })
  })

  test('a weight has its next value before the last reader of its cast', async () => {
    const [x, first, second, speed] = [
      input('x', [16, 64]),
      variable('first', [64, 80]),
      variable('second', [80, 48]),
      variable('speed', [80, 48]),
    ]
    const y = matmul(matmul(x, first), second)
    const [early, late] = gradients(weighted(y), [first, second])
    const moved = add(mul(speed, 0.9), late)
    const updates = [[speed, moved], [second, sub(second, moved)], [first, sub(first, early)]] as const // biome-ignore format: pairs
    const variables = { first: ladder(5120, 1), second: ladder(3840, 2), speed: ladder(3840, 4) }
    const goals = { outputs: { y }, updates }
    await agreesWithin(goals, { x: ladder(1024, 3) }, { tolerance: ULP, options: { ...mixed, variables } })
  })

  test('a value that is asked for and one between products', async () => {
    const [x, k1, k2] = [input('x', [2, 5, 5, 3]), input('k1', [3, 3, 3, 4]), input('k2', [3, 3, 4, 2])]
    const hidden = relu(convolution(x, k1, same))
    const outputs = { hidden, y: convolution(hidden, k2, same), mean: div(sum(hidden), 200) }
    const values = { x: ladder(150, 1), k1: ladder(108, 2), k2: ladder(72, 3) }
    await agreesWithin({ outputs }, values, { tolerance: ULP, options: mixed })
  })
}
