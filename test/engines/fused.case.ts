/** The part of the engine suite that is about steps that do several things: kernels with heads and tails, joined loops. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Goals } from '../../src/compile/goals.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input, makeNode } from '../../src/graph/node.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { reshape } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { add, div, exp, maximum, mul, relu, sigmoid, sqrt, sub, tanh } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { batchNorm, layerNorm, moments } from '../../src/ops/normalization.ts'
import { maxPool } from '../../src/ops/pooling.ts'
import { max, mean, sum } from '../../src/ops/reduction.ts'
import { windowSum } from '../../src/ops/window-sum.ts'
import type { Compared } from '../support/compared.ts'
import type { GraphRow } from '../support/tensors.ts'
import { assertClose, caseOf, evaluate, floats, ladder, sampleCases, vector, weighted } from '../support/tensors.ts'
import { overlapping, pool, same, valid } from '../support/windows.ts'

/** Graphs whose fused form has at most this many steps. */
const fused: readonly (GraphRow & { readonly steps: number })[] = [
  {
    name: 'convolution + bias + relu',
    steps: 1,
    specs: floats([2, 6, 7, 3], [3, 3, 3, 9], [9]),
    y: ([x, k, b]) => relu(add(convolution(x, k, same), b)),
  },
  {
    name: 'convolution + bias + relu in groups',
    steps: 1,
    specs: floats([2, 5, 5, 6], [3, 3, 3, 10], [10]),
    y: ([x, k, b]) => relu(add(convolution(x, k, { ...valid, groups: 2 }), b)),
  },
  {
    name: 'depthwise + bias + relu',
    steps: 1,
    specs: floats([2, 5, 5, 6], [3, 3, 1, 12], [12]),
    y: ([x, k, b]) => relu(add(convolution(x, k, { ...same, groups: 6 }), b)),
  },
  {
    name: 'matmul + bias + tanh + residual',
    steps: 1,
    specs: floats([7, 13], [13, 11], [11], [7, 11]),
    y: ([x, w, b, rest]) => add(tanh(add(matmul(x, w, {}), b)), rest),
  },
  {
    name: 'transposed matmul + scalar + residual',
    steps: 1,
    specs: floats([13, 7], [13, 11], [], [7, 11]),
    y: ([x, w, rate, rest]) => sub(rest, mul(matmul(x, w, { transposeA: true }), rate)),
  },
  {
    name: 'matmul of both transposed + column',
    steps: 1,
    specs: floats([5, 4], [9, 5], [1, 9]),
    y: ([x, w, b]) => sigmoid(add(matmul(x, w, { transposeA: true, transposeB: true }), b)),
  },
  {
    name: 'square matmul + column by column',
    steps: 2,
    specs: floats([3, 5], [5, 3], [3, 1]),
    y: ([x, w, b]) => relu(add(matmul(x, w, {}), b)),
  },
  {
    name: 'two loops of different shapes that read the same',
    steps: 3,
    specs: floats([5, 7], [7]),
    y: ([a, b]) => matmul(add(a, b), reshape(exp(b), { shape: [7, 1] })),
  },
  {
    name: 'one column',
    steps: 1,
    specs: floats([6, 5], [5, 1], [1]),
    y: ([x, w, b]) => relu(add(matmul(x, w, {}), b)),
  },
  { name: 'sum with a head', steps: 1, specs: floats([7, 33], [7, 33]), y: ([a, b]) => sum(mul(a, sub(a, b))) },
  ...(
    [
      ['over the rows', [600, 37], [0]],
      ['over a row', [5, 33], [1]],
      ['over all', [40, 7], [0, 1]],
      ['over the middle', [3, 4, 6], [1]],
      ['over the last two', [3, 4, 6], [1, 2]],
      ['over the first of three', [5, 4, 6], [0]],
    ] as const
  ).map(([over, shape, axes]) => ({
    name: `squared differences from a row, summed ${over}`,
    steps: 1,
    specs: floats(shape, shape.slice(-1)),
    y: ([x, row]: readonly Node[]) => sum(mul(sub(x, row), sub(x, row)), { axes }),
  })),
  // an operand may lack any of the axes before, along and behind the sum; large enough for several chunks and whole vectors
  ...(
    [
      [[3, 7, 70], [1]],
      [[5, 600, 9], [1]],
      [[6, 37], [1]],
      [[4, 9000], [1]],
      [[700, 35], [0]],
      [
        [4, 5, 6],
        [1, 2],
      ],
    ] as const
  ).flatMap(([shape, axes]) =>
    Array.from({ length: 2 ** shape.length - 1 }, (_, lacks) =>
      shape.map((n, axis) => (lacks & (1 << axis) ? 1 : n)),
    ).map((own) => ({
      name: `[${shape}] times [${own}], summed over ${axes}`,
      steps: 1,
      specs: floats(shape, own),
      y: ([x, by]: readonly Node[]) => sum(mul(x, by), { axes }),
    })),
  ),
  {
    name: 'sums of neighbours of a product, with a tail',
    steps: 1,
    specs: floats([3, 5, 19], [19], [3, 5, 19]),
    y: ([x, row, whole]) => relu(sub(windowSum(mul(x, row), { before: 3, after: 2 }), whole)),
  },
  {
    name: 'sums of neighbours of a product with a number per row',
    steps: 1,
    specs: floats([3, 5, 19], [3, 5, 1]),
    y: ([x, column]) => windowSum(mul(x, column), { before: 1, after: 4 }),
  },
  {
    name: 'layer normalisation',
    steps: 5,
    specs: floats([3, 5, 19], [19], [19]),
    y: ([x, gamma, beta]) => layerNorm(x, { gamma, beta, epsilon: 1e-3 }),
  },
  {
    name: 'convolution + batch normalisation by given moments + relu',
    steps: 2,
    specs: floats([2, 6, 7, 3], [3, 3, 3, 9], [9], [9], [9]),
    y: ([x, k, mean, gamma, beta]) =>
      relu(batchNorm(convolution(x, k, same), { mean, variance: mul(mean, mean), gamma, beta, epsilon: 1e-3 })),
  },
  {
    name: 'batch normalisation by its own moments + relu',
    steps: 5,
    specs: floats([3, 5, 4, 6], [6], [6]),
    y: ([x, gamma, beta]) => relu(batchNorm(x, { ...moments(x, { axes: [0, 1, 2] }), gamma, beta, epsilon: 1e-3 })),
  },
  {
    name: 'mean of squares across',
    steps: 3,
    specs: floats([600, 7]),
    y: ([x]) => mean(mul(x, x), { axes: [0] }),
  },
  {
    name: 'max is not given a head',
    steps: 2,
    specs: floats([6, 5]),
    y: ([x]) => max(mul(x, 2), { axes: [1] }),
  },
  {
    name: 'a chain with broadcasting',
    steps: 1,
    specs: floats([5, 1], [4], []),
    y: ([a, b, c]) => exp(mul(maximum(add(a, b), c), 0.25)),
  },
  {
    name: 'relu after relu',
    steps: 1,
    specs: floats([9]),
    y: ([x]) => relu(sub(relu(x), 0.5)),
  },
  {
    name: 'a number over eight elements',
    steps: 2,
    specs: floats([8], []),
    y: ([x, s]) => mul(x, add(sum(mul(s, s)), 1)),
  },
]

/** An Adam-like rule: three variables out of one loop. */
function adam(count: number): Partial<Goals> {
  const [w, m, v] = ['w', 'm', 'v'].map((name) => vector(name, count))
  const gradient = input('g', [count])
  const rate = input('rate', [])
  const nextM = add(mul(m, 0.9), mul(gradient, 0.1))
  const nextV = add(mul(v, 0.999), mul(mul(gradient, gradient), 0.001))
  const next = sub(w, div(mul(rate, nextM), add(sqrt(nextV), 1e-7)))
  return {
    updates: [[w, next], [m, nextM], [v, nextV]], // biome-ignore format: pairs
    outputs: { before: sum(w) },
  }
}

export function fusedSuite({ engine, truth, toleranceOf, agrees, agreesBothWays }: Compared): void {
  suite('what a row says it fuses', () => {
    for (const row of sampleCases) {
      const { fuses } = row.y.op.row
      const rank = row.y.shape.length
      if (fuses?.tail) {
        const [scalar, column, whole] = [[], row.y.shape.slice(-1), row.y.shape].map((shape, i) =>
          constant(ladder(sizeOf(shape), i + 3, [0.5, 2]), shape),
        )
        const tailed = add(mul(relu(sub(row.y, scalar)), rank > 0 ? column : scalar), whole)
        test(`a tail on ${row.title}`, () => agrees({ y: tailed }, row.values, row.opName))
      }
      if (fuses?.head && row.inputs.length === 1) {
        const { op, attrs } = row.y
        const [x] = row.inputs
        const headed = makeNode(op, [mul(sub(x, 0.25), add(x, constant(Float32Array.of(2), [1])))], attrs)
        test(`a head on ${row.title}`, () => agrees({ y: headed }, row.values, row.opName))
      }
    }
  })

  suite('fused', () => {
    for (const { steps, ...row } of fused) {
      test(row.name, async () => {
        const whole = caseOf(row)
        const program = compile(new State(engine), { outputs: { y: whole.y } })
        assert.ok(program.steps.length <= steps, program.print())
        program.close()
        await agreesBothWays(whole)
      })
    }
  })

  test('fused: the gradient of relu rides on that of max pooling, tiled or overlapping', async () => {
    for (const attrs of [pool, overlapping]) {
      const x = input('x', [2, 6, 8, 7])
      const y = maxPool(relu(sub(x, 0.3)), attrs)
      const [dx] = gradients(weighted(y), [x])
      await agrees({ y, dx }, { x: ladder(672, 5) }, 'maxPool')
    }
  })

  test('adam: three variables from one loop, at any size', async () => {
    for (const count of [1, 4, 7, 33, 5000]) {
      const goals = adam(count)
      const values = { g: ladder(count, 2), rate: Float32Array.of(0.01) }
      const variables = { w: ladder(count, 3), m: ladder(count, 4), v: ladder(count, 5, [0, 1]) }
      const wanted = await evaluate(truth, goals, values, { variables, optimize: 'off' })
      const got = await evaluate(engine, goals, values, { variables })
      for (const key of Object.keys(wanted)) assertClose(got[key], wanted[key], toleranceOf('adam'), `${key} ${count}`)
    }
  })
}
