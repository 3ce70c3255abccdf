/** What the native engine computes otherwise than step by step, beside cases where it must not: against the reference engine. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Precision } from '../../../src/compile/precision.ts'
import { compile } from '../../../src/compile/program.ts'
import { State } from '../../../src/compile/state.ts'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { referenceEngine } from '../../../src/engines/reference/engine.ts'
import type { Node } from '../../../src/graph/node.ts'
import { input } from '../../../src/graph/node.ts'
import { sizeOf } from '../../../src/graph/shape.ts'
import { convolution } from '../../../src/ops/convolution.ts'
import { add, greaterEqual, mul, relu, sub, toFloat } from '../../../src/ops/elementwise.ts'
import { gradients } from '../../../src/ops/gradient.ts'
import { maxPool } from '../../../src/ops/pooling.ts'
import { sum } from '../../../src/ops/reduction.ts'
import { randomUniform } from '../../../src/ops/sampling.ts'
import { available } from '../../support/require.ts'
import { assertClose, evaluate, ladder, weighted } from '../../support/tensors.ts'
import { theAddon } from './descriptions.ts'

const { skip } = available('native')

const shape = [40, 12, 12, 8]
const x = input('x', shape)
const key = input('key', [4], 'int32')
const kernel = input('kernel', [3, 3, 1, 8])
const picture = input('picture', [40, 12, 12, 1])
const columns = { axes: [0, 1, 2] }
const factor = input('factor', [8])
const wide = input('wide', [3, 3, 8, 8])
const uniform = randomUniform(key, { shape, stream: 5 })
const reaches = (bound: number): Node => toFloat(greaterEqual(uniform, bound))

const plain = { strides: [1, 1], dilation: [1, 1], groups: 1, padding: 'same' } as const
/** A layer with a pooling behind it: the pooled, and the gradients of the layer's result and of the kernel. */
function layer() {
  const made = convolution(picture, kernel, plain)
  const lit = relu(made)
  const pooled = maxPool(lit, { window: [2, 2], strides: [2, 2], padding: 'valid' })
  const [dmade, dlit, dkernel] = gradients(weighted(pooled), [made, lit, kernel])
  return { pooled, dmade, dlit, dkernel }
}
const { pooled, dmade, dlit, dkernel } = layer()
const first = sum(x, columns)
const second = sum(mul(x, sub(x, 0.25)), columns)

/** A layer between two convolutions, so that it is bfloat16: relu at the end of a loop, and a gate on the way back. */
function between(end: (lit: Node, before: Node) => Node) {
  const made = convolution(picture, kernel, plain)
  const before = add(mul(sub(made, 0.05), factor), 0.02)
  const y = convolution(end(relu(before), before), wide, {
    strides: [1, 1],
    dilation: [1, 1],
    groups: 1,
    padding: 'same',
  })
  const [dfactor, dkernel] = gradients(weighted(y), [factor, kernel])
  return { y, dfactor, dkernel }
}

interface Row {
  readonly outputs: Readonly<Record<string, Node>>
  readonly runs?: RegExp
  readonly not?: RegExp
  readonly precision?: Precision
}
/** Outputs, and what must, or must not, be among the names of what ran. */
const rows: Readonly<Record<string, Row>> = {
  'a mask alone': { outputs: { y: mul(x, reaches(0.25)) } },
  'a mask, and its numbers': { outputs: { y: mul(x, reaches(0.25)), uniform } },
  'two masks of the same numbers': { outputs: { y: mul(x, reaches(0.25)), z: add(x, reaches(0.5)) } },
  'a mask, and numbers in a sum': { outputs: { y: mul(x, reaches(0.25)), z: sum(mul(uniform, x), columns) } },
  'a kernel and its pooling': { outputs: { pooled, dkernel }, not: /maxPoolGradient/ },
  'a kernel, its pooling, and what flows between': { outputs: { pooled, dkernel, dmade }, runs: /maxPoolGradient/ },
  'a kernel, its pooling, and what flows before the relu': {
    outputs: { dkernel, dlit, dmade },
    runs: /maxPoolGradient/,
  },
  'a relu while it is rounded': { outputs: between((lit) => lit), precision: 'mixed_bfloat16' },
  'a relu, and what it is of': { outputs: between((lit, x) => add(lit, mul(x, 0.25))), precision: 'mixed_bfloat16' },
  'a relu squared': { outputs: between((lit) => mul(lit, lit)), precision: 'mixed_bfloat16' },
  'a relu with a way around the next layer': {
    outputs: between((lit) => add(lit, relu(convolution(lit, wide, plain)))),
    precision: 'mixed_bfloat16',
  },
  'two sums in one loop': { outputs: { first, second } },
  'two sums, the second of what the first gave': { outputs: { first, z: sum(mul(x, sub(x, first)), columns) } },
}

suite('native: shortcuts', { skip }, () => {
  const engine = nativeEngine({ threads: 2, isPoisoned: true })
  const truth = referenceEngine()
  after(async () => {
    await engine.close()
    await truth.close()
  })
  const values = {
    x: ladder(sizeOf(shape), 1, [-1, 1.2]),
    key: Int32Array.of(7, 0, 3, 0),
    kernel: ladder(72, 2, [-0.5, 0.6]),
    factor: ladder(8, 4, [0.6, 1.5]),
    wide: ladder(576, 5, [-0.3, 0.4]),
    picture: ladder(sizeOf(picture.shape), 3, [-1, 1]),
  }
  for (const [title, { outputs, runs = /./, not = /^$/, precision = 'float32' }] of Object.entries(rows)) {
    const lacks = precision !== 'float32' && !skip && !theAddon().info().bfloat16 && 'this processor has no bfloat16'
    test(title, { skip: lacks }, async () => {
      const state = new State(engine)
      const program = compile(state, { outputs }, { precision })
      const asked = Object.fromEntries(Object.keys(program.inputs).map((name) => [name, values[name as 'x']]))
      await program.profile()
      const got = await program.run(asked)
      const names = ((await program.profile()) ?? []).map(({ name }) => name).join('\n')
      assert.match(names, runs)
      assert.doesNotMatch(names, not)
      const wanted = await evaluate(truth, { outputs }, asked, { precision })
      for (const name of Object.keys(wanted))
        assertClose(got[name], wanted[name], precision === 'float32' ? 2e-6 : 2 ** -8, name)
      program.close()
      state.close()
    })
  }
})
