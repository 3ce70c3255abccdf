/** Constraints: what they make of weights as PyTorch and Keras's formulas have it (test/golden/updates.py), and in a fit. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Engine } from '../../src/compile/engine.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import { input } from '../../src/graph/node.ts'
import { fromArrays, layers, modelFrom, sequential } from '../../src/index.ts'
import type { Constraint } from '../../src/nn/constraints.ts'
import { constrained } from '../../src/nn/constraints.ts'
import { openFast } from '../support/engines.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

const judges: readonly { engine: Engine; tolerance: number }[] = [
  { engine: referenceEngine(), tolerance: 1e-12 },
  ...(await openFast(1)).map((engine) => ({ engine, tolerance: 1e-6 })),
]
after(() => Promise.all(judges.map(({ engine }) => engine.close())))

const file = golden<{ name: string; constraint: Constraint }>('constraints')
for (const { name, constraint } of file.cases) {
  for (const { engine, tolerance } of judges) {
    test(`${name} on ${engine.name}`, async () => {
      const { shape, data } = file.tensor(`${name}/w`)
      const { y } = await evaluate(engine, { outputs: { y: constrained(input('w', shape), constraint) } }, { w: data })
      assertClose(y, file.tensor(`${name}/y`).data, tolerance, name)
    })
  }
}

test('nonNeg does not hide what is no number', async () => {
  for (const { engine } of judges) {
    const goals = { outputs: { y: constrained(input('w', [3]), 'nonNeg') } }
    const { y } = await evaluate(engine, goals, { w: Float32Array.of(Number.NaN, -1, 2) })
    assert.deepEqual(Array.from(y), [Number.NaN, 0, 2], engine.name)
  }
})

const data = fromArrays({
  name: 'line',
  inputs: { x: { shape: [2], data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)) } },
  targets: { y: { shape: [1], data: Float32Array.from({ length: 20 }, (_, i) => -9 * Math.cos(i)) } },
})

test('fit: kernels and biases are held after every step, in two halves of a step too, and so are averages', async () => {
  for (const callbacks of [[], [{ onGradients: () => {} }]]) {
    for (const useEma of [false, true]) {
      const options = {
        units: 1,
        kernelConstraint: { type: 'maxNorm', maxValue: 0.5 },
        biasConstraint: 'nonNeg',
      } as const
      const net = sequential({ inputShape: [2], seed: 1, engine: 'reference' }, [layers.dense(options)])
      const optimizer = { type: 'sgd', useEma, emaMomentum: 0.5 } as const
      await net.fit(data, { epochs: 20, learningRate: 0.1, optimizer, callbacks })
      const weights = await net.weights()
      const length = Math.hypot(...weights['dense/kernel'])
      assert.ok(length <= 0.5 + 1e-6 && length > 0.4, `${length}`)
      assert.ok(weights['dense/bias'][0] >= 0)
      const same = modelFrom(await net.toBytes())
      assert.deepEqual(same.layers['dense'].options['kernelConstraint'], options.kernelConstraint)
    }
  }
})

test('constraints of what normalizes and of depthwise kernels', async () => {
  const net = sequential({ inputShape: [4, 4, 2], seed: 1, engine: 'reference' }, [
    layers.depthwiseConv2d({ kernelSize: 3, depthwiseConstraint: { type: 'unitNorm', axis: [0, 1] } }),
    layers.batchNormalization({ gammaConstraint: { type: 'minMaxNorm', maxValue: 0.25 }, betaConstraint: 'nonNeg' }),
    layers.flatten(),
    layers.dense({ units: 1 }),
  ])
  const pictures = fromArrays({
    name: 'pictures',
    inputs: { x: { shape: [4, 4, 2], data: Float32Array.from({ length: 8 * 32 }, (_, i) => Math.sin(i)) } },
    targets: { y: { shape: [1], data: Float32Array.from({ length: 8 }, (_, i) => i) } },
  })
  await net.fit(pictures, { epochs: 5 })
  const { 'depthwise_conv2d/kernel': kernel, ...others } = await net.weights()
  for (const channel of [0, 1]) {
    const own = kernel.filter((_, i) => i % 2 === channel)
    assert.ok(Math.abs(Math.hypot(...own) - 1) < 1e-6)
  }
  assert.ok(Math.abs(Math.hypot(...others['batch_normalization/gamma']) - 0.25) < 1e-6)
  assert.ok(others['batch_normalization/beta'].every((x) => x >= 0))
})

for (const [what, constraint, says] of [
  ['an unknown one', 'maxnorm', ['kernelConstraint', "'maxNorm'"]],
  ['a wrong option', { type: 'maxNorm', maxValue: -1 }, ['maxValue', '>= 0']],
  ['bounds that cross', { type: 'minMaxNorm', minValue: 2 }, ["'minValue' is above 'maxValue'"]],
  ['no axes', { type: 'unitNorm', axis: [] }, ['axis']],
] as const) {
  test(`refused: ${what}`, () => {
    assert.throws(() => layers.dense({ units: 1, kernelConstraint: constraint as never }), failure('E_OPTION', ...says))
  })
}
