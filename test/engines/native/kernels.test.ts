/** The native engine's own products, which small shapes never meet: against the reference engine, and that it is they. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Precision } from '../../../src/compile/precision.ts'
import { compile } from '../../../src/compile/program.ts'
import { State } from '../../../src/compile/state.ts'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { referenceEngine } from '../../../src/engines/reference/engine.ts'
import type { Node } from '../../../src/graph/node.ts'
import { input, variable } from '../../../src/graph/node.ts'
import type { Padding, Shape } from '../../../src/graph/shape.ts'
import { sizeOf } from '../../../src/graph/shape.ts'
import { convolution } from '../../../src/ops/convolution.ts'
import { add, relu } from '../../../src/ops/elementwise.ts'
import { gradients } from '../../../src/ops/gradient.ts'
import { matmul } from '../../../src/ops/matmul.ts'
import { maxPool } from '../../../src/ops/pooling.ts'
import { available } from '../../support/require.ts'
import { assertClose, evaluate, ladder, weighted } from '../../support/tensors.ts'
import { theAddon } from './descriptions.ts'

const { skip } = available('native')

/** Bounds of the padded kinds: [before, after] along height and width. */
const lopsided: Padding = [
  [0, 2],
  [1, 0],
]

interface Row {
  readonly x: Shape
  readonly kernel: Shape
  readonly padding: Padding
  readonly pool?: number
  readonly strides?: readonly number[]
  readonly bias?: boolean
}
const winograd: readonly Row[] = [
  { x: [8, 32, 32, 16], kernel: [3, 3, 16, 16], padding: 'same' },
  { x: [11, 30, 29, 20], kernel: [3, 3, 20, 18], padding: 'valid', pool: 3 },
  { x: [7, 31, 29, 17], kernel: [3, 3, 17, 50], padding: lopsided },
  { x: [24, 11, 10, 17], kernel: [5, 5, 17, 33], padding: 'same', pool: 2 },
  { x: [16, 14, 14, 20], kernel: [5, 5, 20, 50], padding: 'same', bias: false },
  { x: [3, 20, 180, 16], kernel: [3, 3, 16, 35], padding: 'same' },
  // pictures of 2 by 2
  { x: [33, 2, 2, 16], kernel: [3, 3, 16, 50], padding: 'same' },
]
/** Kernels that all threads read together: no whole vectors and panels, several blocks of tiles. Sums of so many round more. */
const large: readonly Row[] = [
  { x: [129, 4, 4, 160], kernel: [3, 3, 160, 144], padding: 'same' },
  { x: [37, 7, 6, 131], kernel: [3, 3, 131, 203], padding: lopsided },
  { x: [67, 4, 4, 121], kernel: [5, 5, 121, 230], padding: 'same', bias: false },
  { x: [110, 8, 8, 100], kernel: [3, 3, 100, 210], padding: 'same', pool: 2 },
  { x: [131, 2, 2, 290], kernel: [3, 3, 290, 300], padding: 'same' },
]
/** Nearly pictures of 2 by 2 with a border of one. */
const beside: readonly Row[] = [
  { x: [20, 2, 2, 16], kernel: [3, 3, 16, 18], padding: [[0, 2], [2, 0]] }, // biome-ignore format: a row
  { x: [20, 2, 3, 16], kernel: [3, 3, 16, 18], padding: 'same' },
  { x: [20, 2, 2, 16], kernel: [5, 5, 16, 18], padding: 'same' },
]
const tiles: readonly Row[] = [
  { x: [4, 16, 16, 64], kernel: [3, 3, 64, 32], padding: 'same', pool: 2 },
  { x: [9, 14, 14, 20], kernel: [5, 5, 20, 50], padding: 'same', pool: 2 },
  { x: [20, 8, 8, 17], kernel: [3, 3, 17, 16], padding: 'same' },
  { x: [2, 30, 33, 7], kernel: [3, 2, 7, 40], padding: 'valid', pool: 3 },
  { x: [3, 23, 20, 33], kernel: [1, 4, 33, 21], padding: [[0, 0], [2, 0]] }, // biome-ignore format: a row
  { x: [1, 90, 100, 24], kernel: [3, 3, 24, 24], padding: 'same', bias: false }, // more than a band of a picture
]
/** With strides the gradient of the input is computed by tiles. */
const strided: readonly Row[] = [
  { x: [9, 32, 32, 16], kernel: [3, 3, 16, 32], padding: 'same', strides: [2, 2] },
  { x: [2, 90, 67, 20], kernel: [3, 4, 20, 18], padding: lopsided, strides: [2, 3] },
]
/** A first layer's: its kernel's gradient unpools for itself. */
const first: readonly Row[] = [
  { x: [11, 28, 28, 1], kernel: [5, 5, 1, 20], padding: 'same', pool: 2 },
  { x: [9, 17, 19, 3], kernel: [3, 3, 3, 16], padding: 'valid', pool: 2 },
  { x: [9, 17, 19, 3], kernel: [3, 3, 3, 6], padding: 'same', pool: 3 },
  { x: [2, 97, 80, 3], kernel: [3, 5, 3, 40], padding: lopsided, strides: [2, 1] }, // more than a band of a picture
  { x: [3, 9, 7, 1], kernel: [7, 7, 1, 33], padding: 'valid', bias: false }, // fewer columns than at once
]

const image = (x: Node, kernel: Node): Node =>
  convolution(x, kernel, { strides: [1, 1], dilation: [1, 1], groups: 1, padding: 'same' })

/** A convolution with all that is usual around it, and the gradients of everything. */
function goalsOf({ x: shape, kernel: kernelShape, padding, strides = [1, 1], pool, bias: hasBias = true }: Row) {
  const [x, kernel] = [input('x', shape), input('kernel', kernelShape)]
  const bias = input('bias', kernelShape.slice(-1))
  const y = convolution(x, kernel, { strides, dilation: [1, 1], groups: 1, padding })
  const lit = relu(hasBias ? add(y, bias) : y)
  const seen = pool ? maxPool(lit, { window: [pool, pool], strides: [2, 2], padding: 'valid' }) : lit
  const wanted = hasBias ? [x, kernel, bias] : [x, kernel]
  const [dx, dkernel, dbias] = gradients(weighted(seen), wanted)
  return { outputs: { y: seen, dx, dkernel, ...(hasBias ? { dbias } : {}) } }
}
const valuesOf = ({ x, kernel, bias }: Row) => ({
  x: ladder(sizeOf(x), 1, [-1, 1.2]),
  kernel: ladder(sizeOf(kernel), 2, [-0.5, 0.6]),
  ...(bias === false ? {} : { bias: ladder(kernel[kernel.length - 1], 3, [-0.3, 0.3]) }),
})

interface Settled {
  readonly x: Shape
  readonly weights: Shape
  readonly within?: number
  readonly kernel: string
  readonly y: (x: Node, weights: Node) => Node
}
/** Weights that stay, as for predictions: what is made of them once, and what must then be made anew. */
const settled: Readonly<Record<string, Settled>> = {
  'one row': { x: [1, 67], weights: [67, 500], kernel: 'one row', y: matmul },
  'one row, fewer columns than at once': { x: [1, 300], weights: [300, 10], kernel: 'one row', y: matmul },
  'one picture, 3 x 3': { x: [1, 16, 15, 17], weights: [3, 3, 17, 33], kernel: 'winograd', y: image },
  'large weights': { x: [64, 4, 4, 66], weights: [3, 3, 66, 330], within: 5e-6, kernel: 'winograd', y: image },
  'pictures of 2 x 2': { x: [20, 2, 2, 40], weights: [3, 3, 40, 70], kernel: 'winograd', y: image },
  'the middle of a kernel': { x: [1, 1, 1, 32], weights: [3, 3, 32, 48], kernel: 'copy [3, 3, 32, 48]', y: image },
  'one picture, 5 x 5': { x: [1, 10, 10, 20], weights: [5, 5, 20, 50], kernel: 'winograd', y: image },
}

suite('native: weights that stay', { skip }, () => {
  const engine = nativeEngine({ threads: 2, isPoisoned: true })
  const truth = referenceEngine()
  after(async () => {
    await engine.close()
    await truth.close()
  })
  for (const [title, { x: shape, weights: weightShape, kernel, y, within = 2e-6 }] of Object.entries(settled)) {
    test(title, async () => {
      const [filters] = weightShape.slice(-1)
      const [x, bias] = [input('x', shape), input('bias', [filters])]
      const result = (weights: Node) => ({ outputs: { y: relu(add(y(x, weights), bias)) } })
      const state = new State(engine)
      const first = ladder(sizeOf(weightShape), 1, [-0.5, 0.6])
      await state.add('weights', { shape: weightShape, dtype: 'float32' }, () => first)
      const program = compile(state, result(variable('weights', weightShape)))
      const given = { x: ladder(sizeOf(shape), 2, [-1, 1.2]), bias: ladder(filters, 3, [-0.3, 0.3]) }
      await program.profile()
      for (const weights of [first, ladder(sizeOf(weightShape), 4, [-0.6, 0.5])]) {
        await state.write('weights', weights)
        const wanted = await evaluate(truth, result(input('weights', weightShape)), { ...given, weights })
        const got = await program.run(given)
        assertClose(got['y'], wanted['y'], within, 'y')
        for (let run = 0; run < 3; run++) assert.deepEqual((await program.run(given))['y'], got['y']) // whichever way round
      }
      assert.ok((await program.profile())?.some((stage) => stage.kernel === kernel || stage.name === kernel))
      program.close()
      state.close()
    })
  }
})

suite("native: products of the addon's own", { skip }, () => {
  const engine = nativeEngine({ threads: 2, isPoisoned: true })
  const truth = referenceEngine()
  after(async () => {
    await engine.close()
    await truth.close()
  })

  const kinds: readonly (readonly [string, readonly Row[], Precision, number, readonly string[]])[] = [
    ['winograd', winograd, 'float32', 2e-6, ['winograd']],
    ['winograd', large, 'float32', 5e-6, ['winograd']],
    ['winograd', large, 'mixed_bfloat16', 2 ** -8, ['winograd']],
    ['beside winograd', beside, 'float32', 2e-6, []],
    ['tiles', tiles, 'mixed_bfloat16', 2 ** -8, ['tiles: amx_bf16']],
    ['tiles', strided, 'mixed_bfloat16', 2 ** -8, ['tiles: amx_bf16']],
    ['few channels', first, 'float32', 1e-6, ['few channels']],
    ['few channels', first, 'mixed_bfloat16', 2 ** -8, ['few channels']],
  ]
  for (const [kind, rows, precision, tolerance, kernels] of kinds) {
    const { tiles: hasTiles, bfloat16 } = theAddon().info()
    const isIts = kind === 'tiles' ? hasTiles : bfloat16 && !(kind === 'winograd' && hasTiles)
    const lacks = precision !== 'float32' && !isIts
    for (const row of rows) {
      const title = `${kind}, ${precision}: ${JSON.stringify(row)}`
      test(title, { skip: lacks && 'another kind on this processor' }, async () => {
        const [goals, values] = [goalsOf(row), valuesOf(row)]
        const state = new State(engine)
        const program = compile(state, goals, { precision })
        await program.profile()
        const got = await program.run(values)
        const ran = new Set((await program.profile())?.flatMap((stage) => stage.kernel ?? []))
        for (const kernel of kernels) assert.ok(ran.has(kernel), `${kernel} is not among ${[...ran].join(', ')}`)
        const again = await program.run(values)
        const wanted = await evaluate(truth, goals, values, { precision })
        for (const name of Object.keys(wanted)) {
          assertClose(got[name], wanted[name], tolerance, name)
          assert.deepEqual(again[name], got[name], `${name}, once more`)
        }
        program.close()
        state.close()
      })
    }
  }
})
