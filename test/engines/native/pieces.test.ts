/** Gradients of kernels over very many places, which oneDNN computes piece by piece: against the reference engine, and that it is they. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { compile } from '../../../src/compile/program.ts'
import { State } from '../../../src/compile/state.ts'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { referenceEngine } from '../../../src/engines/reference/engine.ts'
import { input } from '../../../src/graph/node.ts'
import type { Padding, Shape } from '../../../src/graph/shape.ts'
import { sizeOf } from '../../../src/graph/shape.ts'
import { convolution, convolutionKernelGradient } from '../../../src/ops/convolution.ts'
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
  readonly groups?: number
  readonly whole?: boolean
}
const rows: Readonly<Record<string, Row>> = {
  'a picture a piece': { x: [90, 29, 27, 2], kernel: [3, 3, 2, 5], padding: 'same' },
  'several pictures a piece': { x: [1999, 6, 6, 2], kernel: [3, 3, 2, 5], padding: 'same' },
  'several pieces a picture': { x: [9, 90, 91, 4], kernel: [1, 1, 4, 6], padding: 'valid' },
  'strides, and a border at some sides': { x: [40, 90, 130, 2], kernel: [3, 4, 2, 3], padding: [[0, 2], [1, 0]], strides: [2, 3] }, // biome-ignore format: a row
  'windows with holes': { x: [7, 101, 103, 2], kernel: [3, 3, 2, 4], padding: 'same', dilation: [2, 3] },
  'rows that no window sees': { x: [40, 136, 45, 2], kernel: [1, 2, 2, 4], padding: 'valid', strides: [3, 1] },
  groups: { x: [9, 90, 91, 4], kernel: [3, 3, 2, 6], padding: 'same', groups: 2 },
  'a group a channel': { x: [9, 90, 91, 4], kernel: [3, 3, 1, 4], padding: 'same', groups: 4 },
  'one axis': { x: [3, 30001, 2], kernel: [5, 2, 3], padding: 'same' },
  'three axes': { x: [5, 20, 30, 31, 2], kernel: [3, 3, 3, 2, 3], padding: 'same' },
  'a border of many rows': { x: [30, 10, 100, 2], kernel: [1, 3, 2, 3], padding: [[30, 0], [0, 0]] }, // biome-ignore format: a row
  'rows so long that there are few': { x: [1, 6, 20000, 2], kernel: [3, 3, 2, 3], padding: 'same', whole: true },
  'volumes, a piece of as many rows as the border takes': {
    x: [2, 12, 60, 61, 2],
    kernel: [3, 3, 3, 2, 3],
    padding: 'same',
  },
  'few places': { x: [9, 29, 27, 2], kernel: [3, 3, 2, 5], padding: 'same', whole: true },
}

suite('native: gradients of kernels in pieces', { skip }, () => {
  const engine = nativeEngine({ threads: 2, isPoisoned: true })
  const truth = referenceEngine()
  after(async () => {
    await engine.close()
    await truth.close()
  })

  for (const [title, { x: shape, kernel, padding, groups = 1, whole = false, ...own }] of Object.entries(rows))
    for (const precision of ['float32', 'mixed_bfloat16'] as const) {
      const lacks = precision === 'mixed_bfloat16' && !theAddon().info().bfloat16
      test(`${title}, ${precision}`, { skip: lacks && 'this processor has none' }, async () => {
        const ones = shape.slice(1, -1).map(() => 1)
        const { strides = ones, dilation = ones } = own
        const attrs = { strides, dilation, padding, groups }
        const x = input('x', shape)
        const { shape: result } = convolution(x, input('kernel', kernel), attrs)
        const dy = input('dy', result)
        const bias = sum(dy, { axes: result.slice(0, -1).map((_, axis) => axis) })
        const goals = { outputs: { kernel: convolutionKernelGradient(x, dy, { ...attrs, kernelShape: kernel }), bias } }
        const values = { x: ladder(sizeOf(shape), 1, [-1, 1]), dy: ladder(sizeOf(result), 2, [-0.4, 0.6]) }
        const state = new State(engine)
        const program = compile(state, goals, { precision })
        await program.profile()
        const got = await program.run(values)
        const ran = (await program.profile())?.map(({ kernel = '' }) => kernel) ?? []
        // AMX has a way of its own
        const isOwn = ran.some((name) => name.startsWith('tiles'))
        if (!isOwn)
          assert.equal(
            ran.some((name) => name.endsWith(', in pieces')),
            !whole,
            ran.join(', '),
          )
        const again = await program.run(values)
        const wanted = await evaluate(truth, goals, values, { precision })
        for (const name of Object.keys(wanted)) {
          assertClose(got[name], wanted[name], 1e-5, name)
          assert.deepEqual(again[name], got[name], `${name}, once more`)
        }
        program.close()
        state.close()
      })
    }
})
