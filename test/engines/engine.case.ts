/** The suite that every engine must pass: all ops forward and backward, fused forms, state, queue, lifetime. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { FoveaError } from '../../src/base/errors.ts'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import type { Goals } from '../../src/compile/goals.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { DType, TensorSpec } from '../../src/graph/dtype.ts'
import type { Node } from '../../src/graph/node.ts'
import { constant, input, makeNode, variable } from '../../src/graph/node.ts'
import type { Padding, Shape } from '../../src/graph/shape.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { broadcastTo, reshape } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import {
  add,
  cast,
  clip,
  div,
  elementwiseOps,
  exp,
  finite,
  less,
  maximum,
  mul,
  neg,
  relu,
  select,
  sigmoid,
  sqrt,
  sub,
  tanh,
  toFloat,
} from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { gather } from '../../src/ops/indexing.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { concat, pad, slice, transpose } from '../../src/ops/movement.ts'
import { batchNorm, logSoftmax, moments, softmax } from '../../src/ops/normalization.ts'
import { averagePool, maxPool } from '../../src/ops/pooling.ts'
import { argmax, max, mean, sum } from '../../src/ops/reduction.ts'
import { failure } from '../support/failure.ts'
import type { Case } from '../support/tensors.ts'
import {
  assertClose,
  bytesOf,
  elementwiseCase,
  elementwiseCases,
  evaluate,
  ladder,
  sampleCases,
  seedOf,
  stateWith,
  uniform,
  valuesFor,
  vector,
  weighted,
} from '../support/tensors.ts'
import { mixedSuite } from './mixed.case.ts'
import { wideSuite } from './wide.case.ts'

export interface EngineCase {
  readonly open: () => Engine
  /** Relative errors that are allowed, by op; `other` for the rest. */
  readonly tolerances: Readonly<Record<string, number>> & { readonly other: number }
  /** What the engine lacks, by op, each with its reason. */
  readonly holes?: Readonly<Record<string, string>>
  /** Why it cannot be tested here. */
  readonly skip?: string | false
}

const image = { strides: [1, 1], dilation: [1, 1], groups: 1 } as const
const same = { ...image, padding: 'same' } as const
const valid = { ...image, padding: 'valid' } as const
const pool = { window: [2, 2], strides: [2, 2], padding: 'valid' } as const

/** The gradients of a weighted sum of `y`, where there are any. */
function backward({ y, inputs }: Pick<Case, 'y' | 'inputs'>): Record<string, Node> {
  const floats = inputs.filter((x) => x.dtype === 'float32')
  if (y.dtype !== 'float32' || floats.length === 0 || !y.op.row.gradient) return {}
  const flows = gradients(weighted(y), floats)
  return Object.fromEntries(flows.map((node, i) => [`d${floats[i].attrs.name}`, node]))
}

const floats = (...shapes: readonly Shape[]): TensorSpec[] => shapes.map((shape) => ({ shape, dtype: 'float32' }))

/** Shapes that broadcast, odd sizes, and operands that are not float32. */
const broadcasts: readonly (readonly TensorSpec[])[] = [
  floats([3, 1], [1, 4]),
  floats([5, 7, 3], [3]),
  floats([5, 7, 3], [7, 1]),
  floats([2, 3, 4], [3, 1]),
  floats([2, 1, 4], [1, 3, 1]),
  floats([1, 9], [9, 1]),
  floats([3, 5, 2], [3, 1, 2]),
  floats([], [7]),
  floats([6], []),
  floats([], []),
  floats([1], [1]),
  floats([4, 1], []),
  ...Array.from({ length: 9 }, (_, i) => floats([i + 1], [i + 1])),
  ...Array.from({ length: 9 }, (_, i) => floats([2, i + 1], [i + 1])),
  ...Array.from({ length: 9 }, (_, i) => floats([i + 1], [1])),
  ...(['uint8', 'int32'] as const).flatMap((dtype: DType) =>
    [[1], [3], [8], [9], [5, 3], [2, 4, 6]].flatMap((shape) => [
      [{ shape, dtype }, ...floats(shape)],
      [...floats(shape), { shape: shape.slice(-1), dtype }],
      [
        { shape, dtype },
        { shape, dtype: 'uint8' as const },
      ],
    ]),
  ),
]

/** Sizes that are cut over several threads, with ends that fill no vector. */
export const large: readonly { name: string; specs: readonly TensorSpec[]; y: (x: readonly Node[]) => Node }[] = [
  { name: 'elementwise', specs: floats([300_007], [300_007]), y: ([a, b]) => add(mul(a, b), tanh(a)) },
  { name: 'elementwise rows', specs: floats([401, 301], [301], [401, 1]), y: ([a, b, c]) => mul(add(a, b), c) },
  { name: 'sum along', specs: floats([3, 100_003]), y: ([x]) => sum(x, { axes: [1] }) },
  { name: 'sum across', specs: floats([9001, 37]), y: ([x]) => sum(x, { axes: [0] }) },
  {
    name: 'sum of differences across',
    specs: floats([9001, 37], [37]),
    y: ([x, m]) => sum(mul(sub(x, m), x), { axes: [0] }),
  },
  { name: 'sum of all', specs: floats([90, 41, 23]), y: ([x]) => sum(x) },
  { name: 'max', specs: floats([9001, 19]), y: ([x]) => max(x, { axes: [0] }) },
  { name: 'slice of one run', specs: floats([70_001]), y: ([x]) => slice(x, { begin: [3], size: [69_990] }) },
  { name: 'softmax', specs: floats([2001, 33]), y: ([x]) => softmax(x) },
  { name: 'logSoftmax', specs: floats([3, 7001]), y: ([x]) => logSoftmax(x) },
  { name: 'transpose', specs: floats([300, 401]), y: ([x]) => transpose(x, { permutation: [1, 0] }) },
  { name: 'broadcastTo', specs: floats([301, 1]), y: ([x]) => broadcastTo(x, { shape: [301, 303] }) },
  { name: 'matmul', specs: floats([131, 157], [157, 99]), y: ([a, b]) => matmul(a, b, {}) },
  { name: 'convolution', specs: floats([6, 20, 20, 5], [5, 5, 5, 13]), y: ([x, k]) => convolution(x, k, same) },
  {
    name: 'depthwise',
    specs: floats([6, 30, 31, 33], [3, 3, 1, 33]),
    y: ([x, k]) => convolution(x, k, { ...same, groups: 33 }),
  },
  {
    name: 'depthwise with stride and multiplier',
    specs: floats([5, 24, 25, 10], [5, 5, 1, 20]),
    y: ([x, k]) => convolution(x, k, { ...same, strides: [2, 2], groups: 10 }),
  },
  { name: 'maxPool', specs: floats([9, 32, 30, 21]), y: ([x]) => maxPool(x, pool) },
  { name: 'averagePool', specs: floats([9, 32, 30, 21]), y: ([x]) => averagePool(x, { ...pool, padding: 'same' }) },
  {
    name: 'gather',
    specs: [...floats([50, 301]), { shape: [700], dtype: 'int32' }],
    y: ([table, indices]) => gather(table, indices),
  },
]

/** Graphs whose fused form has at most this many steps. */
const fused: readonly { name: string; steps: number; specs: readonly TensorSpec[]; y: (x: readonly Node[]) => Node }[] =
  [
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

/** A window that does not fit is no case; test/graph/shape.test.ts has the error. */
function unlessEmpty(make: () => Node): Node | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof FoveaError && error.code === 'E_SHAPE') return undefined
    throw error
  }
}

interface Drawn {
  readonly title: string
  readonly specs: readonly TensorSpec[]
  readonly y: (x: readonly Node[]) => Node
}

/** What a hand-made list forgets: sizes, strides, borders and groups by chance, the same ones at every run. */
const drawn: readonly Drawn[] = (() => {
  const draw = uniform(20240229)
  const below = (n: number): number => Math.floor(draw() * n)
  const list = (count: number, low: number, high: number) =>
    Array.from({ length: count }, () => low + below(high - low + 1))
  const borders = (rank: number, most: number): Padding =>
    below(3) === 0
      ? 'same'
      : below(2) === 0
        ? 'valid'
        : list(rank, 0, most).map((before) => [before, below(most + 1)] as const)
  const makers: readonly (() => Drawn)[] = [
    () => {
      const rank = 1 + below(3)
      const groups = 1 + below(3)
      const window = list(rank, 1, 4)
      const [perGroup, filters] = [1 + below(5), groups * (1 + below(9))]
      const attrs = { strides: list(rank, 1, 4), dilation: list(rank, 1, 3), padding: borders(rank, 4), groups }
      const x = [1 + below(3), ...list(rank, 1, 7), perGroup * groups]
      const title = `convolution [${x}] by [${window}] to ${filters} ${JSON.stringify(attrs)}`
      return { title, specs: floats(x, [...window, perGroup, filters]), y: ([a, k]) => convolution(a, k, attrs) }
    },
    () => {
      const rank = 1 + below(3)
      const window = list(rank, 1, rank === 3 ? 3 : 7)
      const channels = 2 + below(10)
      const attrs = {
        strides: list(rank, 1, 5),
        dilation: list(rank, 1, 3),
        padding: borders(rank, 4),
        groups: channels,
      }
      const x = [1 + below(3), ...list(rank, 1, 19), channels]
      const filters = channels * (1 + below(3))
      const title = `convolution [${x}] by [${window}] to ${filters} ${JSON.stringify(attrs)}`
      return { title, specs: floats(x, [...window, 1, filters]), y: ([a, k]) => convolution(a, k, attrs) }
    },
    () => {
      const rank = 1 + below(3)
      const window = list(rank, 1, 4)
      const attrs = { window, strides: list(rank, 1, 4), padding: borders(rank, Math.min(...window) - 1) }
      const x = [1 + below(3), ...list(rank, 1, 8), 1 + below(9)]
      const [name, op] = below(2) === 0 ? (['maxPool', maxPool] as const) : (['averagePool', averagePool] as const)
      return { title: `${name} [${x}] ${JSON.stringify(attrs)}`, specs: floats(x), y: ([a]) => op(a, attrs) }
    },
    () => {
      const [m, k, n] = list(3, 1, 37)
      const [transposeA, transposeB] = [below(2) === 0, below(2) === 0]
      return {
        title: `matmul ${m} ${k} ${n} ${transposeA ? 'transposed' : ''} by ${transposeB ? 'transposed' : ''}`,
        specs: floats(transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]),
        y: ([a, b]) => matmul(a, b, { transposeA, transposeB }),
      }
    },
    () => {
      const x = list(1 + below(4), 1, 9)
      const axes = x.map((_, axis) => axis).filter(() => below(2) === 0)
      const [name, op] = below(2) === 0 ? (['sum', sum] as const) : (['max', max] as const)
      return { title: `${name} [${x}] over [${axes}]`, specs: floats(x), y: ([a]) => op(a, { axes }) }
    },
    () => {
      const x = list(1 + below(4), 1, 6)
      const order = x.map((_, axis) => axis).sort(() => below(3) - 1)
      const padding = x.map(() => [below(3), below(3)] as const)
      const title = `transpose [${x}] by [${order}], padded ${JSON.stringify(padding)}`
      return { title, specs: floats(x), y: ([a]) => transpose(pad(a, { padding, value: 0.5 }), { permutation: order }) }
    },
    () => {
      const x = list(1 + below(4), 1, 6)
      const begin = x.map((n) => below(n))
      const size = x.map((n, axis) => 1 + below(n - begin[axis]))
      const axis = below(x.length)
      return {
        title: `slice [${size}] of [${x}] at [${begin}], twice along ${axis}`,
        specs: floats(x),
        y: ([a]) => concat([slice(a, { begin, size }), neg(slice(a, { begin, size }))], { axis }),
      }
    },
  ]
  const borderAlone: Drawn = {
    title: 'convolution whose windows see the border alone',
    specs: floats([1, 1, 1, 300], [1, 1, 300, 3]),
    y: ([x, k]) => convolution(x, k, { ...image, strides: [10, 10], padding: [[3, 3], [3, 3]] }), // biome-ignore format: pairs
  }
  const chance = Array.from({ length: 280 }, (_, i) => makers[i % makers.length]())
  return [borderAlone, ...chance]
})()

/** An Adam-like rule: three variables out of one loop. */
function adam(count: number): { goals: Partial<Goals>; gradient: Node } {
  const [w, m, v] = ['w', 'm', 'v'].map((name) => vector(name, count))
  const gradient = input('g', [count])
  const rate = input('rate', [])
  const nextM = add(mul(m, 0.9), mul(gradient, 0.1))
  const nextV = add(mul(v, 0.999), mul(mul(gradient, gradient), 0.001))
  const next = sub(w, div(mul(rate, nextM), add(sqrt(nextV), 1e-7)))
  return {
    goals: {
      updates: [
        [w, next],
        [m, nextM],
        [v, nextV],
      ],
      outputs: { before: sum(w) },
    },
    gradient,
  }
}

export function engineSuite(name: string, { open, tolerances, holes = {}, skip = false }: EngineCase): void {
  suite(`engine ${name}`, { skip }, () => {
    const engine = open()
    const truth = referenceEngine()
    after(() => engine.close())
    const toleranceOf = (opName: string) => tolerances[opName] ?? tolerances.other

    const agrees = async (outputs: Readonly<Record<string, Node>>, values: Case['values'], opName: string) => {
      const wanted = await evaluate(truth, { outputs }, values, { optimize: 'off' })
      const got = await evaluate(engine, { outputs }, values)
      for (const key of Object.keys(outputs)) assertClose(got[key], wanted[key], toleranceOf(opName), key)
    }

    for (const row of [...sampleCases, ...elementwiseCases]) {
      test(row.title, { skip: holes[row.opName] ?? false }, () =>
        agrees({ y: row.y, ...backward(row) }, row.values, row.opName),
      )
    }

    suite('broadcasting', () => {
      for (const specs of broadcasts) {
        for (const op of ['add', 'mul', 'less', 'maximum'] as const) {
          const row = elementwiseCase(op, specs)
          test(row.title, () => agrees({ y: row.y, ...backward(row) }, row.values, row.opName))
        }
      }
    })

    suite('large', () => {
      for (const { name, specs, y } of large) {
        test(name, async () => {
          const inputs = specs.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
          const values = specs.map((spec, i) => [`x${i}`, valuesFor(spec, seedOf(name) + i, 50)])
          const result = y(inputs)
          await agrees({ y: result, ...backward({ y: result, inputs }) }, Object.fromEntries(values), name)
        })
      }
    })

    wideSuite(agrees)

    suite('by chance', () => {
      for (const { title, specs, y } of drawn) {
        const inputs = specs.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
        const result = unlessEmpty(() => y(inputs))
        if (!result) continue
        const values = Object.fromEntries(specs.map((spec, i) => [`x${i}`, valuesFor(spec, seedOf(title) + i)]))
        test(title, () => agrees({ y: result, ...backward({ y: result, inputs }) }, values, title.split(' ')[0]))
      }
    })

    if (engine.precisions.includes('mixed_bfloat16')) {
      const cases = drawn.slice(0, 120).flatMap(({ title, specs, y }) => {
        const inputs = specs.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
        const values = specs.map((spec, i) => [`x${i}`, valuesFor(spec, seedOf(title) + i)])
        const result = unlessEmpty(() => y(inputs))
        return result ? [{ title, inputs, y: result, values: Object.fromEntries(values) }] : []
      })
      mixedSuite({ engine, truth, toleranceOf, drawn: cases })
    } else {
      test('bfloat16: mixed precision is float32 here, and values in bfloat16 are refused', async () => {
        const [x, w] = [input('x', [2, 3]), input('w', [3, 4])]
        const goals = { outputs: { y: matmul(x, w) } }
        const values = { x: ladder(6, 1), w: ladder(12, 2) }
        const mixed = await evaluate(engine, goals, values, { precision: 'mixed_bfloat16' })
        assert.deepEqual(mixed, await evaluate(engine, goals, values))
        const low = { outputs: { y: matmul(cast(x, 'bfloat16'), cast(w, 'bfloat16')) } }
        await assert.rejects(evaluate(engine, low, values), failure('E_ENGINE', engine.name, 'bfloat16'))
      })
    }

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
      for (const { name, steps, specs, y } of fused) {
        test(name, async () => {
          const inputs = specs.map(({ shape, dtype }, i) => input(`x${i}`, shape, dtype))
          const values = Object.fromEntries(specs.map((spec, i) => [`x${i}`, valuesFor(spec, seedOf(name) + i)]))
          const result = y(inputs)
          const program = compile(new State(engine), { outputs: { y: result } })
          assert.ok(program.steps.length <= steps, program.print())
          program.close()
          await agrees({ y: result, ...backward({ y: result, inputs }) }, values, name)
        })
      }
    })

    test('fused: the gradient of relu rides on that of max pooling, tiled or overlapping', async () => {
      for (const attrs of [pool, { window: [3, 3], strides: [2, 2], padding: 'same' } as const]) {
        const x = input('x', [2, 6, 8, 7])
        const y = maxPool(relu(sub(x, 0.3)), attrs)
        const [dx] = gradients(weighted(y), [x])
        await agrees({ y, dx }, { x: ladder(672, 5) }, 'maxPool')
      }
    })

    test('ties: the first maximum of a window takes the gradient, of a row the first place', async () => {
      const x = input('x', [2, 6, 6, 5])
      const values = { x: ladder(360, 3).map(Math.floor) }
      for (const attrs of [pool, { window: [3, 3], strides: [1, 1], padding: 'same' } as const]) {
        const y = maxPool(x, attrs)
        await agrees({ y, dx: gradients(weighted(y), [x])[0] }, values, 'maxPool')
      }
      await agrees({ place: argmax(x), most: max(x, { axes: [3] }) }, values, 'argmax')
    })

    test('the largest along each axis, with ties and NaN', async () => {
      const shape = [3, 4, 70, 2]
      const x = input('x', shape)
      const values = ladder(sizeOf(shape), 3).map((v) => Math.floor(v * 3))
      for (const axis of [0, 1, 2, 3])
        await agrees({ place: argmax(x, axis), most: max(x, { axes: [axis] }) }, { x: values }, 'argmax')
      await agrees({ most: max(x, { axes: [1, 2] }) }, { x: values }, 'max')
      const columns = input('x', [3, 140])
      const some = ladder(420, 1)
      for (const [i, column] of [1, 65, 139].entries()) some[140 * i + column] = NaN // in the first row, the middle one, the last
      const { most } = await evaluate(engine, { outputs: { most: max(columns, { axes: [0] }) } }, { x: some })
      const nans = [...most].flatMap((v, i) => (Number.isNaN(v) ? [i] : []))
      assert.deepEqual(nans, [1, 65, 139])
    })

    test('adam: three variables from one loop, at any size', async () => {
      for (const count of [1, 4, 7, 33, 5000]) {
        const { goals } = adam(count)
        const values = { g: ladder(count, 2), rate: Float32Array.of(0.01) }
        const variables = { w: ladder(count, 3), m: ladder(count, 4), v: ladder(count, 5, [0, 1]) }
        const wanted = await evaluate(truth, goals, values, { variables, optimize: 'off' })
        const got = await evaluate(engine, goals, values, { variables })
        for (const key of Object.keys(wanted)) assertClose(got[key], wanted[key], tolerances.other, `${key} ${count}`)
      }
    })

    test('integers keep their values through views, moves, outputs and variables', async () => {
      const bytes = input('bytes', [3, 5], 'uint8')
      const big = input('big', [3, 5], 'int32')
      const kept = variable('kept', [3, 5], 'int32')
      const state = new State(engine)
      await state.add('kept', kept, () => Int32Array.from({ length: 15 }, (_, i) => 2 ** 30 + i))
      const moves = (x: Node) => ({
        itself: x,
        flat: reshape(x, { shape: [15] }),
        turned: transpose(x, { permutation: [1, 0] }),
        part: slice(x, { begin: [1, 1], size: [2, 3] }),
        padded: pad(x, { padding: [[1, 0], [0, 2]], value: 7 }), // biome-ignore format: a matrix
        twice: concat([x, x]),
        repeated: broadcastTo(x, { shape: [2, 3, 5] }),
      })
      const outputs = Object.fromEntries(
        Object.entries({ bytes, big, kept }).flatMap(([name, x]) =>
          Object.entries(moves(x)).map(([move, y]) => [`${name} ${move}`, y]),
        ),
      )
      outputs['bytes halved'] = mul(bytes, 0.5)
      const program = compile(state, { outputs, updates: [[kept, big]] })
      const values = {
        bytes: Uint8Array.from({ length: 15 }, (_, i) => 255 - i),
        big: Int32Array.from({ length: 15 }, (_, i) => -(2 ** 31) + 3 + i),
      }
      const got = await program.run(values)
      const first = { ...values, kept: Int32Array.from({ length: 15 }, (_, i) => 2 ** 30 + i) }
      for (const [name, x] of Object.entries(first)) {
        assert.deepEqual(got[`${name} itself`], x)
        assert.deepEqual(got[`${name} flat`], x)
        assert.deepEqual([...got[`${name} turned`]].slice(0, 4), [x[0], x[5], x[10], x[1]])
        assert.deepEqual([...got[`${name} part`]], [x[6], x[7], x[8], x[11], x[12], x[13]])
        assert.deepEqual([...got[`${name} padded`]].slice(0, 14), [7, 7, 7, 7, 7, 7, 7, ...x.slice(0, 5), 7, 7])
        assert.deepEqual([...got[`${name} twice`]].slice(0, 10), [...x.slice(0, 5), ...x.slice(0, 5)])
        assert.deepEqual([...got[`${name} repeated`]], [...x, ...x])
      }
      assert.deepEqual(
        [...got['bytes halved']],
        Array.from(values.bytes, (byte) => byte / 2),
      )
      assert.deepEqual(await state.read('kept'), values.big)
      program.close()
      state.close()
    })

    test('NaN passes through relu, max, maxPool, sums and convolutions; the ends of the line stay what they are', async () => {
      const x = input('x', [1, 2, 4, 1])
      const k = constant(Float32Array.of(1, 1), [1, 2, 1, 1])
      const outputs = {
        relu: relu(x),
        max: max(x, { axes: [2] }),
        pool: maxPool(x, pool),
        convolution: convolution(x, k, valid),
        sum: sum(x, { axes: [2] }),
        finite: finite(x),
        clip: clip(x, -1, 2),
      }
      const values = { x: Float32Array.of(NaN, 1, -2, 3, Infinity, -Infinity, -0, 2) }
      const got = await evaluate(engine, { outputs }, values)
      const plain = Object.fromEntries(Object.entries(got).map(([key, list]) => [key, [...list]]))
      assert.deepEqual(plain.relu, [NaN, 1, 0, 3, Infinity, 0, 0, 2])
      assert.deepEqual(plain.max, [NaN, Infinity])
      assert.deepEqual(plain.pool, [NaN, 3])
      assert.deepEqual(plain.convolution, [NaN, -1, 1, NaN, -Infinity, 2])
      assert.deepEqual(plain.sum, [NaN, NaN])
      assert.deepEqual(plain.finite, [0, 1, 1, 1, 0, 0, 1, 1])
      assert.deepEqual(plain.clip, [NaN, 1, -1, 2, 2, -1, -0, 2])
    })

    test('constants that JSON cannot say stay apart', async () => {
      // two lengths: two loops that differ in the constant alone
      const [x, z] = [input('x', [5]), input('z', [6])]
      const rows: readonly [op: (x: Node, c: number) => Node, first: number, second: number, wanted: number[]][] = [
        [maximum, Infinity, -Infinity, [Infinity, 2]],
        [maximum, NaN, -Infinity, [NaN, 2]],
        [(a, c) => div(1, mul(a, c)), 0, -0, [Infinity, -Infinity]],
        [(a, value) => pad(a, { padding: [[1, 0]], value }), Infinity, -Infinity, [Infinity, -Infinity]],
      ]
      for (const [op, first, second, wanted] of rows) {
        // and one length: one loop that has both
        for (const other of [z, x]) {
          const outputs = { first: op(x, first), second: op(other, second) }
          const values = { x: new Float32Array(5).fill(2), z: new Float32Array(6).fill(2) }
          const got = await evaluate(engine, { outputs }, values)
          assert.deepEqual([got.first[0], got.second[0]], wanted)
        }
      }
    })

    suite('state', () => {
      /** What is computed from a = [1, 2, 3], b = [10, 20, 30]: results by name. */
      const updates: readonly {
        title: string
        goals: (a: Node, b: Node) => Partial<Goals>
        wanted: Readonly<Record<string, readonly number[]>>
      }[] = [
        {
          title: 'two variables are swapped',
          goals: (a, b) => ({ updates: [[a, b], [b, a]] }), // biome-ignore format: a pair a line is too long
          wanted: { a: [10, 20, 30], b: [1, 2, 3] },
        },
        {
          title: 'an output sees the old value',
          goals: (a) => ({ updates: [[a, mul(a, 2)]], outputs: { old: a, next: add(a, 1) } }),
          wanted: { a: [2, 4, 6], old: [1, 2, 3], next: [2, 3, 4] },
        },
        {
          title: 'an output is the new value',
          goals: (a, b) => {
            const next = add(a, b)
            return { updates: [[a, next]], outputs: { next, old: a } }
          },
          wanted: { a: [11, 22, 33], next: [11, 22, 33], old: [1, 2, 3] },
        },
        {
          title: 'one update reads what another replaces',
          goals: (a, b) => ({ updates: [[a, add(a, b)], [b, sub(a, b)]] }), // biome-ignore format: as above
          wanted: { a: [11, 22, 33], b: [-9, -18, -27] },
        },
        {
          title: 'two variables get the same value',
          goals: (a, b) => {
            const next = mul(a, b)
            return { updates: [[a, next], [b, next]] } // biome-ignore format: as above
          },
          wanted: { a: [10, 40, 90], b: [10, 40, 90] },
        },
        {
          title: 'a kernel reads the variable that it replaces',
          goals: (a) => ({ updates: [[a, transpose(reshape(a, { shape: [3] }), { permutation: [0] })]] }),
          wanted: { a: [1, 2, 3] },
        },
        {
          title: 'a product replaces its own factor',
          goals: (a) => {
            const turn = constant(Float32Array.of(0, 1, 0, 0, 0, 1, 1, 0, 0), [3, 3])
            const row = reshape(a, { shape: [1, 3] })
            return { updates: [[a, reshape(add(matmul(row, turn, {}), row), { shape: [3] })]] }
          },
          wanted: { a: [4, 3, 5] },
        },
        {
          title: 'a sum of the variable moves all its elements',
          goals: (a) => ({ updates: [[a, add(a, sum(a))]] }),
          wanted: { a: [7, 8, 9] },
        },
        {
          title: 'a broadcast of its own part moves the variable',
          goals: (a) => ({ updates: [[a, mul(a, slice(a, { begin: [1], size: [1] }))]] }),
          wanted: { a: [2, 4, 6] },
        },
        {
          title: 'a variable is set from an input and from a constant',
          goals: (a, b) => ({
            updates: [[a, input('x', [3])], [b, constant(Float32Array.of(7, 8, 9))]], // biome-ignore format: as above
            outputs: { x: input('x', [3]) },
          }),
          wanted: { a: [4, 5, 6], b: [7, 8, 9] },
        },
        { title: 'a variable is set to itself', goals: (a) => ({ updates: [[a, a]] }), wanted: { a: [1, 2, 3] } },
      ]
      for (const { title, goals, wanted } of updates) {
        for (const optimize of ['on', 'off'] as const) {
          test(`${title}, optimize ${optimize}`, async () => {
            const state = await stateWith(engine, { a: [1, 2, 3], b: [10, 20, 30] })
            const program = compile(state, goals(vector('a', 3), vector('b', 3)), { optimize })
            const got = await program.run({ x: Float32Array.of(4, 5, 6) })
            for (const name of ['a', 'b']) got[name] = await state.read(name)
            for (const [key, values] of Object.entries(wanted)) assert.deepEqual([...got[key]], values, key)
            program.close()
            state.close()
          })
        }
      }

      test('two programs share one state and one arena', async () => {
        const state = await stateWith(engine, { w: [1, 2, 3, 4] })
        const w = vector('w', 4)
        const grown = (rows: number) => {
          const x = input('x', [rows, 4])
          const hidden = tanh(mul(softmax(mul(x, w)), 3))
          return compile(state, { outputs: { y: sum(hidden) }, updates: [[w, add(w, mean(hidden))]] })
        }
        const [small, big] = [grown(2), grown(700)]
        const values = (rows: number) => ({ x: ladder(rows * 4, rows) })
        const trace = async (order: readonly ('small' | 'big')[]) => {
          await state.write('w', Float32Array.of(1, 2, 3, 4))
          const runs = order.map((which) => (which === 'small' ? small.run(values(2)) : big.run(values(700))))
          return [...(await Promise.all(runs)).map(({ y }) => y[0]), ...(await state.read('w'))]
        }
        const first = await trace(['small', 'big', 'small', 'big', 'small'])
        assert.deepEqual(await trace(['small', 'big', 'small', 'big', 'small']), first)
        big.close()
        assert.equal((await trace(['small']))[0], first[0])
        const again = grown(700)
        assert.ok(Number.isFinite((await again.run(values(700))).y[0]))
        for (const program of [small, again]) program.close()
        state.close()
      })

      test('a program goes on when the arena has moved', async () => {
        const state = await stateWith(engine, { w: [1] })
        const doubled = (size: number) => compile(state, { outputs: { y: mul(input('x', [size]), 2) } })
        const small = doubled(8)
        const x = ladder(8, 1)
        const wanted = [...(await small.run({ x })).y]
        await state.add('behind', { shape: [1000], dtype: 'float32' }, () => new Float32Array(1000))
        const big = doubled(50_000)
        await big.run({ x: ladder(50_000, 2) })
        assert.deepEqual([...(await small.run({ x })).y], wanted)
        for (const program of [small, big]) program.close()
        state.close()
      })

      test('runs, reads and writes happen in the order of the calls, though a program is still compiling', async () => {
        const state = await stateWith(engine, { count: [0] })
        const count = vector('count', 1)
        const once = compile(state, { updates: [[count, add(count, 1)]], outputs: { before: count } })
        const reads: Promise<Numbers>[] = []
        const runs = [once.run({})]
        reads.push(state.read('count'))
        const other = compile(state, { updates: [[count, mul(count, 10)]], outputs: { before: count } })
        runs.push(other.run({}), once.run({}))
        reads.push(state.read('count'))
        const written = state.write('count', Float32Array.of(5))
        runs.push(other.run({}))
        reads.push(state.read('count'))
        await written
        const numbers = (await Promise.all(reads)).map(([x]) => x)
        const before = (await Promise.all(runs)).map(({ before: [x] }) => x)
        assert.deepEqual({ numbers, before }, { numbers: [1, 11, 50], before: [0, 1, 10, 5] })
        for (const program of [once, other]) program.close()
        state.close()
      })

      test('an input may be filled again as soon as run was called', async () => {
        const state = await stateWith(engine, {})
        const program = compile(state, { outputs: { y: mul(input('x', [9]), 2) } })
        const x = new Float32Array(9)
        const runs = Array.from({ length: 20 }, (_, i) => program.run({ x: x.fill(i) }))
        const got = (await Promise.all(runs)).map(({ y }) => y[8])
        assert.deepEqual(
          got,
          runs.map((_, i) => 2 * i),
        )
        program.close()
      })

      test('a step that is not finite leaves the state untouched, bit for bit', async () => {
        const start = { w: [1e-45, -0, 3.25, 1e38], m: [1, 2, 3, 4] }
        const state = await stateWith(engine, start)
        const [w, m] = [vector('w', 4), vector('m', 4)]
        const gradient = input('g', [4])
        const ok = finite(sum(mul(gradient, 0.5)))
        const program = compile(state, {
          outputs: { ok },
          updates: [
            [w, select(ok, sub(w, mul(gradient, 0.1)), w)],
            [m, select(ok, add(mul(m, 0.9), gradient), m)],
          ],
        })
        const before = bytesOf({ w: await state.read('w'), m: await state.read('m') })
        for (const bad of [NaN, Infinity, -Infinity]) {
          assert.equal((await program.run({ g: Float32Array.of(1, bad, 2, 3) })).ok[0], 0)
          assert.deepEqual(bytesOf({ w: await state.read('w'), m: await state.read('m') }), before, String(bad))
        }
        assert.equal((await program.run({ g: Float32Array.of(1, 1, 2, 3) })).ok[0], 1)
        assert.notDeepEqual(bytesOf({ w: await state.read('w'), m: await state.read('m') }), before)
        program.close()
        state.close()
      })

      test('what cannot be is refused when the program is made, or when it is used', async () => {
        const state = await stateWith(engine, { a: [1, 2, 3] })
        const a = vector('a', 3)
        const make = (goals: Partial<Goals>) => () => compile(state, goals)
        assert.throws(make({ updates: [[a, sum(a)]] }), failure('E_SHAPE', 'a', 'float32 [3]', 'float32 []'))
        assert.throws(make({ updates: [[a, argmax(input('x', [3, 2]))]] }), failure('E_SHAPE', 'a', 'int32'))
        assert.throws(make({ updates: [[add(a, 1), a]] }), failure('E_GRAPH', 'only a variable'))
        assert.throws(make({ updates: [[a, add(a, 1)], [a, add(a, 2)]] }), failure('E_GRAPH', 'twice', 'a')) // biome-ignore format: a row
        assert.throws(make({ outputs: { y: vector('b', 3) } }), failure('E_GRAPH', 'b', 'not in the state'))
        assert.throws(make({ outputs: { y: vector('a', 4) } }), failure('E_SHAPE', 'a', '[4]', '[3]'))
        await assert.rejects(state.write('a', Float32Array.of(1)), failure('E_SHAPE', 'a', '1 values'))
        await assert.rejects(
          state.add('c', { shape: [2], dtype: 'float32' }, () => Float32Array.of(1)),
          failure('E_SHAPE', 'c'),
        )
        assert.ok(!state.has('c'))
        await assert.rejects(
          state.add('a', { shape: [2], dtype: 'float32' }, () => new Float32Array(2)),
          failure('E_SHAPE', 'a'),
        )
        const program = compile(state, { outputs: { y: mul(a, input('x', [3])) } })
        await assert.rejects(program.run({}), failure('E_SHAPE', "'x'", 'float32 [3]', 'nothing'))
        await assert.rejects(program.run({ x: new Float32Array(2) }), failure('E_SHAPE', "'x'", '2 values'))
        await assert.rejects(program.run({ x: new Int32Array(3) }), failure('E_SHAPE', "'x'", 'int32'))
        const resident = state.resident('a')
        state.close()
        await assert.rejects(resident.read(), failure('E_CLOSED'))
        await assert.rejects(program.run({ x: new Float32Array(3) }), failure('E_CLOSED', 'a'))
        program.close()
        program.close()
        await assert.rejects(program.run({ x: new Float32Array(3) }), failure('E_CLOSED', 'program'))
      })
    })

    test('a program beyond the memory of the engine is refused before it runs', () => {
      const tight: Engine = { ...engine, memoryLimit: 10_000 }
      const x = input('x', [100, 100])
      const refuses = failure('E_LIMIT', 'at most 10000 bytes', 'smaller batch')
      assert.throws(() => compile(new State(tight), { outputs: { y: sum(mul(x, x)) } }), refuses)
      const table = constant(ladder(10_000, 1), [100, 100])
      const product = matmul(input('row', [1, 100]), table)
      assert.throws(() => compile(new State(tight), { outputs: { y: product } }), refuses)
      const { memory } = compile(new State(engine), { outputs: { y: product } })
      assert.ok(memory.peakBytes < 10_000, `${memory.peakBytes} in the arena`) // the constant is not there
    })

    test('close: what is waiting, and what comes later, ends with E_CLOSED', async () => {
      const own = open()
      const state = new State(own)
      await state.add('w', { shape: [4], dtype: 'float32' }, () => new Float32Array(4))
      const x = input('x', [64, 64])
      const program = compile(state, { outputs: { y: matmul(matmul(x, x, {}), x, {}) } })
      await program.ready
      const pending = Array.from({ length: 5 }, () =>
        program.run({ x: new Float32Array(4096) }).then(
          () => 'done',
          (error) => error.code,
        ),
      )
      await own.close()
      const ends = await Promise.all(pending)
      assert.ok(
        ends.every((end) => end === 'done' || end === 'E_CLOSED'),
        ends.join(),
      )
      await assert.rejects(program.run({ x: new Float32Array(4096) }), failure('E_CLOSED'))
      await assert.rejects(state.read('w'), failure('E_CLOSED'))
      await assert.rejects(state.write('w', new Float32Array(4)), failure('E_CLOSED'))
      await own.close()
    })

    test('every elementwise op compares, folds and prints: labels are unique', () => {
      assert.equal(new Set(Object.keys(elementwiseOps)).size, Object.keys(elementwiseOps).length)
      assert.equal(toFloat(less(1, 2)).dtype, 'float32')
    })
  })
}
