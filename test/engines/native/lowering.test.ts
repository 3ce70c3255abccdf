/** What the native engine computes elsewhere than where it stands, or not at all: where a value is read once more, it must be there. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Goals } from '../../../src/compile/goals.ts'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { referenceEngine } from '../../../src/engines/reference/engine.ts'
import { input, variable } from '../../../src/graph/node.ts'
import type { Shape } from '../../../src/graph/shape.ts'
import { sizeOf } from '../../../src/graph/shape.ts'
import { reshape } from '../../../src/ops/broadcasting.ts'
import { convolution } from '../../../src/ops/convolution.ts'
import { add, equal, exp, mul, relu, select, sub, tanh } from '../../../src/ops/elementwise.ts'
import { gradients } from '../../../src/ops/gradient.ts'
import { maxPool } from '../../../src/ops/pooling.ts'
import { sum } from '../../../src/ops/reduction.ts'
import { available } from '../../support/require.ts'
import { assertClose, evaluate, ladder, weighted } from '../../support/tensors.ts'

const { skip } = available('native')

const plain = { strides: [1, 1], dilation: [1, 1], groups: 1, padding: 'same' } as const
const halves = { window: [2, 2], strides: [2, 2], padding: 'valid' } as const
const places = [0, 1, 2]

/** Leaves by their names, filled with numbers of their own each. */
const shapes = {
  x: [9, 16, 16, 1],
  kernel: [5, 5, 1, 20],
  bias: [20],
  wide: [4, 32, 32, 16],
  kernels: [3, 3, 16, 32],
  biases: [32],
  rest: [4, 32, 32, 32],
  few: [5],
  step: [256, 256],
  flow: [9, 8, 8, 20],
} as const satisfies Readonly<Record<string, Shape>>
const leaves = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]))
const { x, kernel, bias, wide, kernels, biases, rest, few, step } = leaves
const numbers = Object.entries(shapes).map(([name, shape], i) => [name, ladder(sizeOf(shape), i, [-0.6, 0.7])])
const values: Readonly<Record<string, Float32Array>> = Object.fromEntries(numbers)
const first = () => add(convolution(x, kernel, plain), bias)
const second = () => add(convolution(wide, kernels, plain), biases)

const rows: Readonly<Record<string, () => Partial<Goals>>> = {
  'a gradient of maxPool that the gradient of a kernel makes for itself is a result': () => {
    const y = first()
    const [dy, dkernel] = gradients(weighted(maxPool(relu(y), halves)), [y, kernel])
    return { outputs: { dy, dkernel } }
  },
  'of two gradients of one maxPool, one passes where x is above 0': () => {
    const lit = relu(first())
    const pooled = maxPool(lit, halves)
    const [dkernel] = gradients(weighted(pooled), [kernel])
    const [dlit] = gradients(weighted(pooled, 9), [lit])
    return { outputs: { dkernel, dlit } }
  },
  'what reaches a maxPool is a variable that changes before the gradient of the kernel': () => {
    const flow = variable('flow', shapes.flow)
    const [dkernel, dbias] = gradients(sum(mul(maxPool(first(), halves), flow)), [kernel, bias])
    const next = add(flow, 1)
    return { outputs: { dbias, total: sum(next), dkernel }, updates: [[flow, next]] }
  },
  'maxPool sees another shape than the convolution makes': () => {
    const y = relu(reshape(first(), { shape: [9, 8, 32, 20] }))
    const [dkernel, dbias] = gradients(weighted(maxPool(y, halves)), [kernel, bias])
    return { outputs: { dkernel, dbias } }
  },
  'a bias is added to another shape than the convolution makes': () => {
    const y = reshape(convolution(x, kernel, plain), { shape: [9, 16, 64, 5] })
    const [dkernel, dfew] = gradients(weighted(exp(add(y, few))), [kernel, few])
    return { outputs: { dkernel, dfew } }
  },
  'a sum that would join an earlier one reads the gradient of a bias': () => {
    const y = second()
    const [dy, dkernel] = gradients(weighted(tanh(y)), [y, kernels])
    const dbias = sum(dy, { axes: places })
    const early = sum(mul(dy, rest), { axes: places })
    const late = sum(mul(dy, add(rest, dbias)), { axes: places })
    return { outputs: { dbias, early, dkernel, late } }
  },
  'next weights that a sum judges are a result': () => {
    const weights = variable('weights', shapes.step)
    const next = sub(weights, mul(exp(step), 0.1))
    const isGood = equal(sum(mul(next, 0)), 0)
    return { outputs: { next }, updates: [[weights, select(isGood, next, weights)]] }
  },
}

suite('native: what is computed elsewhere', { skip }, () => {
  const engine = nativeEngine({ threads: 2, isPoisoned: true })
  const truth = referenceEngine()
  after(async () => {
    await engine.close()
    await truth.close()
  })
  for (const [title, goals] of Object.entries(rows)) {
    test(title, async () => {
      const variables = { weights: values['step'], flow: values['flow'] }
      const [got, wanted] = await Promise.all(
        [engine, truth].map((one) => evaluate(one, goals(), values, { variables })),
      )
      assert.ok(Object.keys(wanted).length > 0)
      for (const name of Object.keys(wanted)) assertClose(got[name], wanted[name], 3e-6, name)
    })
  }
})
