/** Regularizers: the penalties that Keras defines, their gradients, and what is accepted as an option. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { settle } from '../src/base/options.ts'
import { referenceEngine } from '../src/engines/reference/engine.ts'
import { input } from '../src/graph/node.ts'
import type { Regularizer } from '../src/nn/regularizers.ts'
import { penaltyOf, regularizerOption } from '../src/nn/regularizers.ts'
import { gradients } from '../src/ops/gradient.ts'
import { failure } from './failure.ts'
import { assertClose, evaluate } from './tensors.ts'

const engine = referenceEngine()
after(() => engine.close())

const w = [1, -2, 0, 3]
for (const [regularizer, penalty, slope] of [
  ['l1', 0.06, [0.01, -0.01, 0, 0.01]],
  ['l2', 0.14, [0.02, -0.04, 0, 0.06]],
  ['l1L2', 0.2, [0.03, -0.05, 0, 0.07]],
  [{ type: 'l1' }, 0.06, [0.01, -0.01, 0, 0.01]],
  [{ type: 'l2', l2: 0.5 }, 7, [1, -2, 0, 3]],
  [{ type: 'l1L2', l1: 0.5 }, 3, [0.5, -0.5, 0, 0.5]],
  [{ type: 'l1L2', l1: 1, l2: 0.5 }, 13, [2, -3, 0, 4]],
] as const satisfies readonly [Regularizer, number, number[]][]) {
  test(`${JSON.stringify(regularizer)} of [${w}]`, async () => {
    const weight = input('w', [2, 2])
    const node = penaltyOf(regularizer, weight)
    assert.deepEqual(node.shape, [])
    const outputs = { penalty: node, slope: gradients(node, [weight])[0] }
    const got = await evaluate(engine, { outputs }, { w: Float64Array.from(w) })
    assertClose(got['penalty'], Float64Array.of(penalty), 1e-15, 'penalty')
    assertClose(got['slope'], Float64Array.from(slope), 1e-15, 'slope')
  })
}

const table = { kernelRegularizer: regularizerOption('penalty on the kernel') }
test('as an option: absent, a name, or a name with options, and plain JSON in each case', () => {
  const kept = (given: object) => settle(table, given, 'dense').kernelRegularizer
  assert.equal(kept({}), undefined)
  for (const given of ['l2', { type: 'l1L2', l1: 0.1 }]) assert.deepEqual(kept({ kernelRegularizer: given }), given)
})

for (const [given, ...words] of [
  ['L2', "'kernelRegularizer' is wrong", "'l1', 'l2', 'l1L2'", "got 'L2'"],
  [{ type: 'l2', l1: 1 }, "unknown option 'l1'", 'l2'],
  [{ type: 'l2', l2: -1 }, "'l2' is wrong", '>= 0'],
  [0.01, "'kernelRegularizer' is wrong"],
] as const) {
  test(`refused: ${JSON.stringify(given)}`, () => {
    assert.throws(() => settle(table, { kernelRegularizer: given }, 'dense'), failure('E_OPTION', ...words))
  })
}
