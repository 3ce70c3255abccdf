/** Gradients of depthwise kernels by our own loops, and convolutions that are one product: against the reference engine, and that it is they. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { compile } from '../../../src/compile/program.ts'
import { State } from '../../../src/compile/state.ts'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { referenceEngine } from '../../../src/engines/reference/engine.ts'
import { input } from '../../../src/graph/node.ts'
import type { Padding, Shape } from '../../../src/graph/shape.ts'
import { sizeOf } from '../../../src/graph/shape.ts'
import { convolution, convolutionInputGradient, convolutionKernelGradient } from '../../../src/ops/convolution.ts'
import { sum } from '../../../src/ops/reduction.ts'
import { available } from '../../support/require.ts'
import { assertClose, evaluate, ladder } from '../../support/tensors.ts'
import { theAddon } from './descriptions.ts'

const { skip } = available('native')

interface Row {
  readonly x: Shape
  readonly kernel: Shape
  readonly padding: Padding
  readonly strides?: readonly number[]
  readonly dilation?: readonly number[]
}
/** A window of 5 x 5, dilation or an image smaller than the window: oneDNN has no loop for them. */
const depthwise: readonly Row[] = [
  { x: [9, 11, 10, 5], kernel: [5, 5, 1, 5], padding: 'same' },
  { x: [37, 2, 2, 17], kernel: [5, 5, 1, 17], padding: 'same' },
  { x: [33, 3, 3, 100], kernel: [5, 5, 1, 100], padding: 'same', strides: [2, 2] },
  { x: [3, 40, 41, 36], kernel: [5, 5, 1, 36], padding: [[0, 3], [4, 1]], strides: [2, 3] }, // biome-ignore format: a row
  { x: [5, 13, 12, 20], kernel: [3, 7, 1, 20], padding: 'same', dilation: [2, 3] },
  { x: [5, 13, 12, 9], kernel: [5, 5, 1, 27], padding: 'same', dilation: [2, 1] },
  { x: [70, 6, 5, 130], kernel: [5, 5, 1, 130], padding: 'valid' },
  { x: [2, 5, 6, 7, 19], kernel: [2, 3, 3, 1, 19], padding: 'same', strides: [1, 2, 1] },
  { x: [3, 700, 19], kernel: [7, 1, 19], padding: 'same', dilation: [3] },
]
const products: readonly Row[] = [
  { x: [33, 1, 1, 17], kernel: [1, 1, 17, 21], padding: 'valid' },
  { x: [9, 2, 2, 20], kernel: [1, 1, 20, 35], padding: 'valid' },
  { x: [9, 3, 4, 5], kernel: [3, 4, 5, 18], padding: 'valid' },
]

suite('native: depthwise kernels and whole windows', { skip }, () => {
  const engine = nativeEngine({ threads: 2, isPoisoned: true })
  const alone = nativeEngine({ threads: 1, isPoisoned: true })
  const truth = referenceEngine()
  after(async () => {
    for (const one of [engine, alone, truth]) await one.close()
  })

  const check = (runs: RegExp, groupsOf: (x: Shape) => number, isDepthwise: boolean) => (row: Row) => {
    for (const precision of ['float32', 'mixed_bfloat16'] as const) {
      const lacks = precision === 'mixed_bfloat16' && !theAddon().info().bfloat16
      const title = `[${row.x}] by [${row.kernel}] ${JSON.stringify(row.padding)}, ${precision}`
      test(title, { skip: lacks && 'this processor has none' }, async () => {
        const { x: shape, kernel: kernelShape, padding, ...own } = row
        const ones = shape.slice(1, -1).map(() => 1)
        const { strides = ones, dilation = ones } = own
        const attrs = { strides, dilation, padding, groups: groupsOf(shape) }
        const [x, kernel] = [input('x', shape), input('kernel', kernelShape)]
        const y = convolution(x, kernel, attrs)
        const dy = input('dy', y.shape)
        const goals = {
          outputs: {
            y,
            dx: convolutionInputGradient(dy, kernel, { ...attrs, inputShape: shape }),
            dkernel: convolutionKernelGradient(x, dy, { ...attrs, kernelShape }),
            dbias: sum(dy, { axes: y.shape.slice(0, -1).map((_, axis) => axis) }),
          },
        }
        const values = {
          x: ladder(sizeOf(shape), 1, [-1, 1]),
          kernel: ladder(sizeOf(kernelShape), 2, [-0.5, 0.5]),
          dy: ladder(sizeOf(y.shape), 3, [-0.4, 0.6]),
        }
        const wanted = await evaluate(truth, goals, values, { precision })
        const isStored = (name: string) => precision !== 'float32' && (name === 'y' || name === 'dx')
        const got = []
        for (const one of [engine, alone]) {
          const state = new State(one)
          const program = compile(state, goals, { precision })
          await program.profile()
          const first = await program.run(values)
          const ran = (await program.profile()) ?? []
          assert.ok(
            ran.some(({ name, kernel = '' }) => name.startsWith('convolutionKernelGradient') && runs.test(kernel)),
            ran.map(({ name, kernel }) => `${name} ${kernel}`).join('; '),
          )
          for (const name of Object.keys(wanted))
            assertClose(first[name], wanted[name], isStored(name) ? 1e-2 : 1e-5, name)
          assert.deepEqual(await program.run(values), first, 'once more')
          got.push(first)
          program.close()
          state.close()
        }
        if (isDepthwise)
          for (const name of ['dkernel', 'dbias']) assert.deepEqual(got[0][name], got[1][name], `${name} on one thread`)
      })
    }
  }
  depthwise.forEach(check(/^depthwise$/, (x) => x[x.length - 1], true))
  products.forEach(check(/^(?!.*(conv|1x1)).+/, () => 1, false))
})
