/** The part of the engine suite that is about bfloat16: for engines whose `precisions` have mixed_bfloat16. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Engine, Numbers } from '../../src/compile/engine.ts'
import type { Goals } from '../../src/compile/goals.ts'
import type { CompileOptions } from '../../src/compile/program.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import { isFloat, roundToBfloat16 } from '../../src/graph/dtype.ts'
import type { Node } from '../../src/graph/node.ts'
import { input, makeNode, variable } from '../../src/graph/node.ts'
import type { Shape } from '../../src/graph/shape.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { reshape } from '../../src/ops/broadcasting.ts'
import type { ConvolutionAttrs } from '../../src/ops/convolution.ts'
import { convolution, convolutionInputGradient, convolutionKernelGradient } from '../../src/ops/convolution.ts'
import { add, cast, div, exp, less, maximum, mul, relu, select, sub, tanh, toFloat } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import type { MatmulAttrs } from '../../src/ops/matmul.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { pad, slice } from '../../src/ops/movement.ts'
import { batchNorm, logSoftmax, moments } from '../../src/ops/normalization.ts'
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from '../../src/ops/pooling.ts'
import { mean, sum } from '../../src/ops/reduction.ts'
import { randomUniform } from '../../src/ops/sampling.ts'
import { golden } from '../support/golden.ts'
import { lenet } from '../support/network.ts'
import type { Case } from '../support/tensors.ts'
import { assertClose, bytesOf, evaluate, ladder, sampleCases, seedOf, valuesFor, weighted } from '../support/tensors.ts'

/** Half a unit in the last place of bfloat16, by size: what a sum that was added up in another order may differ by. */
const ULP = 2 ** -9
const same = { strides: [1, 1], dilation: [1, 1], padding: 'same', groups: 1 } as const
const overlapping = { window: [3, 3], strides: [2, 2], padding: 'same' } as const
const tiles = { window: [2, 2], strides: [2, 2], padding: 'valid' } as const
const mixed: CompileOptions = { precision: 'mixed_bfloat16' }

const low = (x: Node): Node => (x.dtype === 'float32' ? cast(x, 'bfloat16') : x)
/** Stored as bfloat16 where nothing can be fused: moved there and back. */
function stored(x: Node): Node {
  const padding = x.shape.map(() => [1, 0] as const)
  return slice(pad(low(x), { padding }), { begin: x.shape.map(() => 1), size: x.shape })
}
/** What was stored as bfloat16, as it was stored: a tail would not come past the view. */
const seen = (y: Node): Node => (isFloat(y.dtype) ? toFloat(reshape(y, { shape: [...y.shape, 1] })) : y)

interface MixedCase {
  readonly engine: Engine
  readonly truth: Engine
  /** Of float32 results: products of bfloat16 are exact, so that it is as in float32. */
  readonly toleranceOf: (opName: string) => number
  readonly drawn: readonly Pick<Case, 'title' | 'y' | 'inputs' | 'values'>[]
}

interface Row {
  readonly name: string
  readonly shapes: readonly Shape[]
  readonly y: (x: readonly Node[]) => Node
}

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
    y: ([x, dy, scale]) => mul(maxPoolGradient(stored(x), maxPool(stored(x), tiles), stored(dy), tiles), scale),
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

interface Net {
  /** How far from float32. Where rounding turns a relu or a maximum, a gradient is another one: a share s of those gives sqrt(2 s). */
  readonly off: number
  readonly goals: Partial<Goals>
  readonly values: Readonly<Record<string, Numbers>>
}

/** Loss and gradients; weights are inputs here. */
function netOf(
  off: number,
  shapes: Readonly<Record<string, Shape>>,
  loss: (x: Record<string, Node>) => Node | [Node, Node],
): Net {
  const nodes = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]))
  const made = loss({ ...nodes, key: input('key', [4], 'int32') })
  const [total, logits] = Array.isArray(made) ? made : [made]
  const names = Object.keys(shapes).filter((name) => name !== 'x' && name !== 'target')
  const flows = gradients(
    total,
    names.map((name) => nodes[name]),
  )
  const outputs = { loss: total, ...Object.fromEntries(names.map((name, i) => [`d${name}`, flows[i]])) }
  const values = Object.entries(shapes).map(([name, shape]) => {
    const size = name === 'x' ? 1 : 1.5 / Math.sqrt(sizeOf(shape.slice(0, -1)))
    return [name, name === 'target' ? targets(shape) : ladder(sizeOf(shape), seedOf(name), [-size, size])]
  })
  const key = Int32Array.of(5, 6, 7, 0)
  return {
    off,
    goals: { outputs, ...(logits && { float32: [logits] }) },
    values: { ...Object.fromEntries(values), key },
  }
}
const targets = ([rows, classes]: Shape): Float32Array =>
  Float32Array.from({ length: rows * classes }, (_, i) => (i % classes === Math.floor(i / classes) % classes ? 1 : 0))

const crossEntropy = (logits: Node, target: Node): Node =>
  mean(mul(sum(mul(target, logSoftmax(logits)), { axes: [-1] }), -1))

const [SMOOTH, KINKED] = [4 * ULP, 0.15]

export const nets: Readonly<Record<string, () => Net>> = {
  lenet: () => {
    const { weights, loss } = lenet(5)
    const outputs = Object.fromEntries(
      gradients(loss, weights).map((node, i) => [`d${weights[i].attrs['name']}`, node]),
    )
    const renamed = new Map(weights.map((w) => [w, input(String(w.attrs['name']), w.shape)]))
    const again = (node: Node): Node => {
      const known =
        renamed.get(node) ?? (node.inputs.length > 0 ? makeNode(node.op, node.inputs.map(again), node.attrs) : node)
      renamed.set(node, known)
      return known
    }
    const values = weights.map((w) => {
      const size = 1.5 / Math.sqrt(sizeOf(w.shape.slice(0, -1)))
      return [w.attrs['name'], ladder(sizeOf(w.shape), seedOf(String(w.attrs['name'])), [-size, size])]
    })
    const image = valuesFor({ shape: [5, 12, 12, 1], dtype: 'uint8' }, 3)
    return {
      off: KINKED,
      goals: { outputs: Object.fromEntries(Object.entries({ loss, ...outputs }).map(([name, y]) => [name, again(y)])) },
      values: { ...Object.fromEntries(values), image, label: Int32Array.of(0, 3, 9, 1, 5) },
    }
  },
  'dropout and overlapping pools': () =>
    netOf(
      KINKED,
      { x: [4, 9, 8, 3], k1: [3, 3, 3, 8], b1: [8], k2: [3, 3, 8, 12], w: [72, 6], target: [4, 6] },
      ({ x, k1, b1, k2, w, target, key }) => {
        const first = maxPool(relu(add(convolution(x, k1, same), b1)), {
          window: [3, 3],
          strides: [2, 2],
          padding: 'same',
        })
        const drawn = randomUniform(key, { shape: first.shape, stream: 3 })
        const dropped = mul(first, select(less(drawn, 0.25), 0, 1 / 0.75))
        const second = averagePool(relu(convolution(dropped, k2, same)), {
          window: [2, 2],
          strides: [2, 2],
          padding: 'same',
        })
        return crossEntropy(matmul(reshape(second, { shape: [4, 72] }), w), target)
      },
    ),
  'residual with batch normalisation': () =>
    netOf(
      KINKED,
      {
        x: [4, 6, 6, 3],
        k1: [3, 3, 3, 8],
        g1: [8],
        b1: [8],
        k2: [3, 3, 8, 8],
        g2: [8],
        b2: [8],
        w: [8, 5],
        target: [4, 5],
      },
      ({ x, k1, g1, b1, k2, g2, b2, w, target }) => {
        const normalized = (y: Node, gamma: Node, beta: Node) =>
          batchNorm(y, { ...moments(y, { axes: [0, 1, 2] }), gamma: add(gamma, 1), beta, epsilon: 1e-3 })
        const first = relu(normalized(convolution(x, k1, same), g1, b1))
        const second = relu(add(first, normalized(convolution(first, k2, same), g2, b2)))
        return crossEntropy(matmul(mean(second, { axes: [1, 2] }), w), target)
      },
    ),
  'depthwise, and logits that the loss alone reads': () =>
    netOf(
      KINKED,
      { x: [6, 7, 7, 4], k1: [3, 3, 1, 8], k2: [1, 1, 8, 5], w: [245, 3], target: [6, 3] },
      ({ x, k1, k2, w, target }) => {
        const hidden = relu(convolution(relu(convolution(x, k1, { ...same, groups: 4 })), k2, same))
        const logits = matmul(reshape(hidden, { shape: [6, 245] }), w)
        const error = sub(logits, target)
        return [mean(mul(error, error)), logits]
      },
    ),
  smooth: () =>
    netOf(
      SMOOTH,
      {
        x: [4, 6, 6, 3],
        k1: [3, 3, 3, 8],
        g1: [8],
        b1: [8],
        k2: [3, 3, 8, 6],
        w1: [54, 12],
        w2: [12, 5],
        target: [4, 5],
      },
      ({ x, k1, g1, b1, k2, w1, w2, target }) => {
        const first = convolution(x, k1, same)
        const by = { ...moments(first, { axes: [0, 1, 2] }), gamma: add(g1, 1), beta: b1, epsilon: 1e-3 }
        const second = tanh(convolution(tanh(batchNorm(first, by)), k2, same))
        const pooled = averagePool(second, { window: [2, 2], strides: [2, 2], padding: 'same' })
        const third = tanh(matmul(reshape(pooled, { shape: [4, 54] }), w1))
        return crossEntropy(matmul(third, w2), target)
      },
    ),
}

interface ProductCase {
  readonly name: string
  readonly kind: 'rounding' | 'convolution' | 'matmul' | 'net'
  readonly attrs: ConvolutionAttrs & MatmulAttrs
}
const file = golden<ProductCase>('bfloat16')

/** A product of rounded numbers and its gradients, kept as float32 and stored as bfloat16. */
function products({ name, kind, attrs }: ProductCase) {
  const [a, b, dy] = ['a', 'b', 'dy'].map((x) => low(input(x, file.tensor(`${name}/${x}`).shape)))
  const both = (make: (dtype: 'float32' | 'bfloat16') => Node) => [make('float32'), seen(make('bfloat16'))]
  const of = {
    convolution: () => ({
      y: both((dtype) => convolution(a, b, { ...attrs, dtype })),
      da: both((dtype) => convolutionInputGradient(dy, b, { ...attrs, inputShape: a.shape, dtype })),
      db: convolutionKernelGradient(a, dy, { ...attrs, kernelShape: b.shape }),
    }),
    matmul: () => ({
      y: both((dtype) => matmul(a, b, { dtype })),
      da: both((dtype) => matmul(dy, b, { transposeB: true, dtype })),
      db: matmul(a, dy, { transposeA: true }),
    }),
  }
  const { y, da, db } = of[kind as keyof typeof of]()
  return { y: y[0], 'low y': y[1], da: da[0], 'low da': da[1], db }
}

export function mixedSuite({ engine, truth, toleranceOf, drawn }: MixedCase): void {
  const agrees = async (
    goals: Partial<Goals>,
    values: Readonly<Record<string, Numbers>>,
    {
      tolerance,
      options = {},
    }: { tolerance: number; options?: CompileOptions & { variables?: Readonly<Record<string, Numbers>> } },
  ) => {
    const wanted = await evaluate(truth, goals, values, options)
    const got = await evaluate(engine, goals, values, options)
    for (const key of Object.keys(wanted)) assertClose(got[key], wanted[key], tolerance, key)
  }
  const rowValues = ({ name, shapes }: Row) =>
    Object.fromEntries(shapes.map((shape, i) => [`x${i}`, ladder(sizeOf(shape), seedOf(name) + i)]))
  const inputsOf = ({ shapes }: Row): Node[] => shapes.map((shape, i) => input(`x${i}`, shape))

  suite('bfloat16', () => {
    test('numbers are rounded to the nearest, ties to even; what is no number stays none', async () => {
      const { data: x } = file.tensor('numbers/x')
      const { data: wanted } = file.tensor('numbers/y')
      for (const make of [(y: Node) => seen(stored(y)), (y: Node) => seen(low(mul(y, 1)))]) {
        const { y } = await evaluate(engine, { outputs: { y: make(input('x', [x.length])) } }, { x })
        for (const [i, value] of wanted.entries()) {
          const isFlushed = Math.abs(x[i]) < 2 ** -126 && y[i] === 0 // as AVX-512 does
          assert.ok(Object.is(y[i], value) || isFlushed, `${x[i]} became ${y[i]}, not ${value}`)
        }
      }
    })

    for (const row of file.cases.filter(({ kind }) => kind === 'convolution' || kind === 'matmul')) {
      test(`golden: ${row.name}`, async () => {
        const values = Object.fromEntries(['a', 'b', 'dy'].map((x) => [x, file.tensor(`${row.name}/${x}`).data]))
        const got = await evaluate(engine, { outputs: products(row) }, values)
        for (const [key, y] of Object.entries(got)) {
          assert.deepEqual(Float64Array.from(y), Float64Array.from(file.tensor(`${row.name}/${key}`).data), key)
        }
      })
    }

    test('golden: a net, planned in mixed precision, rounds where it should', async () => {
      const names = ['x', 'first', 'bias', 'second', 'dy']
      const [x, first, bias, second, dy] = names.map((name) => input(name, file.tensor(`net/${name}`).shape))
      const y = convolution(relu(add(convolution(x, first, same), bias)), second, same)
      const [dfirst, dbias, dsecond] = gradients(sum(mul(y, dy)), [first, bias, second])
      const values = Object.fromEntries(names.map((name) => [name, file.tensor(`net/${name}`).data]))
      const got = await evaluate(engine, { outputs: { y, dfirst, dbias, dsecond } }, values, mixed)
      for (const [key, value] of Object.entries(got)) {
        assertClose(value, file.tensor(`net/${key}`).data, Math.max(toleranceOf('convolution'), 1e-12), key)
      }
    })

    for (const row of sampleCases) {
      const { op, attrs } = row.y
      if (!op.row.precision || !row.inputs.every((x) => x.dtype === 'float32')) continue
      const inputs = row.inputs.map(stored)
      test(`${row.title}, stored`, () => {
        const y = makeNode(op, inputs, { ...attrs, dtype: 'bfloat16' })
        return agrees({ outputs: { y: seen(y) } }, row.values, { tolerance: Math.max(ULP, toleranceOf(row.opName)) })
      })
      if (op.row.precision.reads !== 'bfloat16') continue
      test(`${row.title}, to float32`, () =>
        agrees({ outputs: { y: makeNode(op, inputs, attrs) } }, row.values, { tolerance: toleranceOf(row.opName) }))
    }

    suite('by chance', () => {
      for (const { title, y, inputs, values } of drawn) {
        if (y.op.row.precision?.reads !== 'bfloat16') continue
        const flows = gradients(weighted(y), inputs)
        const outputs = { y, ...Object.fromEntries(flows.map((node, i) => [`d${i}`, node])) }
        const tolerance = toleranceOf(y.op.opName)
        test(title, () => agrees({ outputs }, values, { tolerance, options: mixed }))
      }
    })

    for (const row of [...loops, ...tails]) {
      test(`${row.name}, stored and not`, async () => {
        const y = row.y(inputsOf(row))
        await agrees({ outputs: { y } }, rowValues(row), { tolerance: toleranceOf('matmul') })
        await agrees({ outputs: { y: seen(low(y)) } }, rowValues(row), { tolerance: ULP })
      })
    }
    for (const row of heads) {
      test(row.name, () =>
        agrees({ outputs: { y: row.y(inputsOf(row)) } }, rowValues(row), { tolerance: toleranceOf('sum') }),
      )
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
      await agrees({ outputs }, { x: ladder(30, 1), w: ladder(20, 2) }, { tolerance: toleranceOf('exp') })
    })

    test('a result does not lie over an operand of as many bytes and half the elements', async () => {
      const [x, y, w] = [input('x', [3, 64]), input('y', [2, 64]), input('w', [64, 5])]
      const row = sum(x, { axes: [0] })
      const outputs = { z: matmul(low(mul(y, row)), low(w)) }
      const values = { x: ladder(192, 1), y: ladder(128, 2), w: ladder(320, 3) }
      await agrees({ outputs }, values, { tolerance: ULP })
    })

    suite('nets', () => {
      for (const [name, make] of Object.entries(nets)) {
        test(`${name}: as the reference rounds`, () => {
          const { goals, values } = make()
          return agrees(goals, values, { tolerance: 8 * ULP, options: mixed })
        })
        test(`${name}: within bfloat16 of float32, and the same bytes again`, async () => {
          const { goals, values, off } = make()
          const wanted = await evaluate(truth, goals, values)
          const got = await evaluate(engine, goals, values, mixed)
          for (const key of Object.keys(wanted)) assertClose(got[key], wanted[key], off, key)
          assert.notDeepEqual(got, wanted)
          assert.deepEqual(bytesOf(await evaluate(engine, goals, values, mixed)), bytesOf(got))
        })
      }
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
      await agrees(goals, { x: ladder(1024, 3) }, { tolerance: ULP, options: { ...mixed, variables } })
    })

    test('a value that is asked for and one between products', async () => {
      const [x, k1, k2] = [input('x', [2, 5, 5, 3]), input('k1', [3, 3, 3, 4]), input('k2', [3, 3, 4, 2])]
      const hidden = relu(convolution(x, k1, same))
      const outputs = { hidden, y: convolution(hidden, k2, same), mean: div(sum(hidden), 200) }
      const values = { x: ladder(150, 1), k1: ladder(108, 2), k2: ladder(72, 3) }
      await agrees({ outputs }, values, { tolerance: ULP, options: mixed })
    })

    test('an output is never bfloat16', () => {
      const program = compile(
        new State(engine),
        { outputs: { y: matmul(input('x', [2, 3]), input('w', [3, 4])) } },
        mixed,
      )
      assert.equal(program.outputs['y'].dtype, 'float32')
      program.close()
    })
  })
}
