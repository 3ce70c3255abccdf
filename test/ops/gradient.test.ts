/**
 * Gradients against finite differences: on the reference engine, in float64, along random directions. The central
 * difference (f(x + h d) - f(x - h d)) / 2h has an error of order h^2.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Numbers } from '../../src/compile/engine.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, defineOp, input } from '../../src/graph/node.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { add, clip, elementwiseOps, mul, select } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { kernelOps } from '../../src/ops/index.ts'
import { batchNorm, moments } from '../../src/ops/normalization.ts'
import { max, mean, sum } from '../../src/ops/reduction.ts'
import { failure } from '../support/failure.ts'
import { lenet } from '../support/network.ts'
import type { Case } from '../support/tensors.ts'
import { elementwiseCase, ladder, sampleCases, seedOf, valuesFor, weighted } from '../support/tensors.ts'

const engine = referenceEngine()
const STEP = 1e-5

/** Where x and y stand for a place that does not move: held to differences as the derivatives of maxPool. */
const ofMaxima = new Set(['maxPoolGradient', 'maxPoolTake'])
/** Where nothing flows: integers, comparisons, random numbers. */
const flat = new Set(['argmax', 'oneHot', 'randomUniform', 'randomNormal'])

type Values = Readonly<Record<string, Numbers>>

/** Holds the gradients of `of` to finite differences along two directions; gives the sizes of the slopes. */
async function compare(of: Node, floats: readonly Node[], values: Values, tolerance: number): Promise<number> {
  const flows = gradients(of, floats)
  const outputs = Object.fromEntries([['f', of], ...flows.map((flow, i) => [`d${i}`, flow] as const)])
  const program = compile(new State(engine), { outputs })
  const at = await program.run(values)
  let slopes = 0
  for (const seed of [1, 2]) {
    const directions = floats.map((x, i) => ladder(sizeOf(x.shape), seed * 100 + i, [-1, 1.2]))
    const moved = async (h: number): Promise<number> => {
      const next: Record<string, Numbers> = { ...values }
      floats.forEach((x, i) => {
        const name = String(x.attrs.name)
        next[name] = Float64Array.from(values[name], (value, j) => value + h * directions[i][j])
      })
      return (await program.run(next)).f[0]
    }
    const truth = ((await moved(STEP)) - (await moved(-STEP))) / (2 * STEP)
    const slope = directions.reduce(
      (total, direction, i) => total + direction.reduce((dot, d, j) => dot + d * at[`d${i}`][j], 0),
      0,
    )
    const size = Math.max(Math.abs(truth), Math.abs(at.f[0]), 1)
    assert.ok(Math.abs(slope - truth) <= tolerance * size, `slope ${slope}, by differences ${truth}`)
    slopes += Math.abs(truth)
  }
  program.close()
  return slopes
}

/** Two operands of different shapes too, so that sums over what was repeated are in it. */
const elementwiseRows = (Object.keys(elementwiseOps) as (keyof typeof elementwiseOps)[]).flatMap((name) => {
  const one = { shape: [3, 8], dtype: 'float32' } as const
  if (elementwiseOps[name].length === 1) return [elementwiseCase(name, [one])]
  return [one, { shape: [8], dtype: 'float32' } as const, { shape: [3, 1], dtype: 'float32' } as const].map((other) =>
    elementwiseCase(name, [one, other]),
  )
})
const comparisons = new Set(['less', 'lessEqual', 'greater', 'greaterEqual', 'equal', 'finite'])

const rows = [...sampleCases, ...elementwiseRows].filter(({ opName }) => !flat.has(opName) && !ofMaxima.has(opName))
const floatsOf = ({ inputs }: Case) => inputs.filter((x) => x.dtype === 'float32')

suite('gradients by finite differences', () => {
  for (const row of rows) {
    test(row.title, async () => {
      const slopes = await compare(weighted(row.y), floatsOf(row), row.values, 2e-8)
      const isFlat = comparisons.has(row.opName) || /oftmax .*\[4, 1\]/.test(row.title)
      assert.equal(slopes > 0, !isFlat, 'a slope of zero tells nothing')
    })
  }

  test('every op is in the tables', () => {
    const seen = new Set([...rows.map(({ opName }) => opName), ...flat, ...ofMaxima])
    const opNames = Object.values(kernelOps).map(({ opName }) => opName)
    for (const name of [...opNames, ...Object.keys(elementwiseOps)]) assert.ok(seen.has(name), name)
  })

  test('select: the gradient goes where the value came from', async () => {
    const [c, a, b] = ['c', 'a', 'b'].map((name) => input(name, [4, 3]))
    const values = { c: Float32Array.from({ length: 12 }, (_, i) => i % 2), a: ladder(12, 1), b: ladder(12, 2) }
    assert.ok((await compare(weighted(select(c, mul(a, a), b)), [a, b], values, 1e-8)) > 0)
  })

  test('batch normalisation by its own moments, and once more: the mean has a part in the second derivative', async () => {
    const floats = [input('x', [4, 2, 3]), input('gamma', [3]), input('beta', [3])]
    const [x, gamma, beta] = floats
    const own = moments(x, { axes: [0, 1] })
    const y = batchNorm(x, { ...own, gamma, beta, epsilon: 1e-3 })
    const values = { x: ladder(24, 1), gamma: ladder(3, 2), beta: ladder(3, 3) }
    assert.ok((await compare(weighted(mul(y, y)), floats, values, 1e-7)) > 0)
    assert.ok((await compare(along(gradients(weighted(mul(y, y)), floats)), floats, values, 1e-6)) > 0)
    const spread = weighted(moments(x, { axes: [1], keepDims: true }).variance)
    assert.ok((await compare(along(gradients(spread, [x])), [x], values, 1e-7)) > 0)
  })

  test('a node that is used often gets the sum of its flows', async () => {
    const x = input('x', [5])
    let y: Node = x
    for (let i = 0; i < 4; i++) y = mul(add(y, x), add(mul(y, 0.5), 0.5))
    assert.ok((await compare(mean(y), [x], { x: ladder(5, 3, [-0.9, 0.8]) }, 1e-8)) > 0)
  })

  test('a whole network', async () => {
    const { loss, weights } = lenet(3)
    const asInputs = new Map(weights.map((w) => [w, input(String(w.attrs.name), w.shape)]))
    const floats = [...asInputs.values()]
    const swapped = replaced(loss, asInputs)
    const values: Record<string, Numbers> = {
      image: valuesFor({ shape: [3 * 144], dtype: 'uint8' }, 4),
      label: Int32Array.of(1, 7, 3),
    }
    for (const x of floats)
      values[String(x.attrs.name)] = ladder(sizeOf(x.shape), seedOf(String(x.attrs.name)), [-0.3, 0.31])
    assert.ok((await compare(swapped, floats, values, 1e-6)) > 0)
  })
})

/** Gradients along a direction of their own: a scalar. */
const along = (flows: readonly Node[]): Node =>
  flows
    .map((flow, i) => sum(mul(flow, constant(ladder(sizeOf(flow.shape), 50 + i, [-1, 1.3]), flow.shape))))
    .reduce((a, b) => add(a, b))

/** The same graph on other leaves. */
function replaced(node: Node, leaves: Map<Node, Node>): Node {
  const known = leaves.get(node)
  if (known) return known
  const next = { ...node, inputs: node.inputs.map((x) => replaced(x, leaves)) }
  leaves.set(node, next)
  return next
}

suite('second derivatives by finite differences', () => {
  for (const row of rows) {
    if (comparisons.has(row.opName)) continue
    test(row.title, async () => {
      const floats = floatsOf(row)
      // squared first, so that linear ops have a second derivative too
      const first = gradients(weighted(mul(row.y, row.y)), floats)
      await compare(along(first), floats, row.values, 3e-7)
    })
  }

  for (const row of sampleCases.filter(({ opName }) => opName === 'maxPool')) {
    test(`${row.title}: second and third derivatives are there`, async () => {
      const first = along(gradients(weighted(mul(row.y, mul(row.y, row.y))), row.inputs))
      assert.ok((await compare(first, row.inputs, row.values, 3e-7)) > 0)
      const second = along(gradients(first, row.inputs))
      assert.ok((await compare(second, row.inputs, row.values, 3e-6)) > 0)
    })
  }

  test('an op without a rule says so', () => {
    const bare = defineOp<1>('bare', 1, { infer: ([x]) => x, samples: [] })
    const x = input('x', [2])
    assert.throws(() => gradients(sum(bare(x)), [x]), failure('E_GRAPH', 'bare', 'not differentiable'))
  })
})

suite('gradients: the rules of the walk', () => {
  const x = input('x', [2, 3])

  test('clip needs its ends in order', () => {
    assert.throws(() => clip(x, 1, 0), failure('E_OPTION', 'clip', '1 and 0'))
    assert.throws(() => clip(x, NaN, 0), failure('E_OPTION', 'clip'))
  })

  test('only a scalar has gradients', () => {
    assert.throws(() => gradients(mul(x, x), [x]), failure('E_GRAPH', 'scalar', '[2, 3]', 'sum or mean'))
  })

  test('where nothing flows there are zeros', async () => {
    const other = input('other', [4])
    const [dx, dOther] = gradients(sum(x), [x, other])
    const got = await compile(new State(engine), { outputs: { dx, dOther } }).run({ x: ladder(6, 1) })
    assert.deepEqual([...got.dx, ...got.dOther], [1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
  })

  test('ties: maximum gives all to the first, max shares, relu and abs are flat at 0', async () => {
    const { maximum, minimum, relu, abs } = elementwiseOps
    const y = input('y', [3])
    const z = input('z', [3])
    const values = { y: Float32Array.of(1, 2, 0), z: Float32Array.of(1, 2, 0) }
    const flowsOf = async (of: Node) => {
      const flows = gradients(of, [y, z])
      const got = await compile(new State(engine), { outputs: { dy: flows[0], dz: flows[1] } }).run(values)
      return [[...got.dy], [...got.dz]]
    }
    const none = [0, 0, 0]
    assert.deepEqual(await flowsOf(sum(maximum(y, z))), [[1, 1, 1], none])
    assert.deepEqual(await flowsOf(sum(minimum(y, z))), [[1, 1, 1], none])
    assert.deepEqual(await flowsOf(sum(relu(y))), [[1, 1, 0], none])
    assert.deepEqual(await flowsOf(sum(abs(y))), [[1, 1, 0], none])
    assert.deepEqual(await flowsOf(sum(clip(y, 0, 1))), [[1, 0, 1], none])
    assert.deepEqual(await flowsOf(max(mul(y, 0))), [none, none])
    assert.deepEqual(await flowsOf(max(mul(select(1, 2, y), y))), [[0, 2, 0], none])
    assert.deepEqual(await flowsOf(max(add(y, mul(y, -1)))), [none, none])
  })

  test("another rule may stand before the op's own: guided backprop, say", async () => {
    const y = mul(x, elementwiseOps.relu(x))
    const doubled = gradients(sum(y), [x], (dy, node) => (node.attrs.label === 'relu' ? [mul(dy, 2)] : undefined))
    const got = await compile(new State(engine), { outputs: { dx: doubled[0] } }).run({ x: ladder(6, 2) })
    const values = ladder(6, 2)
    values.forEach((value, i) => {
      assert.ok(Math.abs(got.dx[i] - (Math.max(value, 0) + 2 * value)) < 1e-12)
    })
  })
})
