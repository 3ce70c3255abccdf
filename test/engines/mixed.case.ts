/** The part of the engine suite that is about bfloat16, for engines whose `precisions` have mixed_bfloat16. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Engine } from '../../src/compile/engine.ts'
import { compile } from '../../src/compile/program.ts'
import { State } from '../../src/compile/state.ts'
import { input, makeNode } from '../../src/graph/node.ts'
import { cast } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { mixed, seen, stored, ULP } from '../support/bfloat16.ts'
import type { Compared } from '../support/compared.ts'
import { failure } from '../support/failure.ts'
import { evaluate, ladder, sampleCases, weighted } from '../support/tensors.ts'
import { drawnCases } from './chance.case.ts'
import { mixedGoldenSuite } from './mixed-golden.case.ts'
import { mixedNetsSuite } from './mixed-nets.case.ts'
import { mixedStepsSuite } from './mixed-steps.case.ts'

/** Tolerances are those of float32 results: products of bfloat16 are exact, so that they are as in float32. */
export function mixedSuite(compared: Compared): void {
  const { engine, toleranceOf, agreesWithin } = compared
  if (!engine.precisions.includes('mixed_bfloat16')) {
    withoutSuite(engine)
    return
  }
  suite('bfloat16', () => {
    mixedGoldenSuite(compared)

    for (const row of sampleCases) {
      const { op, attrs } = row.y
      if (!op.row.precision || !row.inputs.every((x) => x.dtype === 'float32')) continue
      const inputs = row.inputs.map(stored)
      test(`${row.title}, stored`, () => {
        const y = makeNode(op, inputs, { ...attrs, dtype: 'bfloat16' })
        return agreesWithin({ outputs: { y: seen(y) } }, row.values, {
          tolerance: Math.max(ULP, toleranceOf(row.opName)),
        })
      })
      if (op.row.precision.reads !== 'bfloat16') continue
      test(`${row.title}, to float32`, () =>
        agreesWithin({ outputs: { y: makeNode(op, inputs, attrs) } }, row.values, {
          tolerance: toleranceOf(row.opName),
        }))
    }

    suite('by chance', () => {
      for (const { title, y, inputs, values } of drawnCases(120)) {
        if (y.op.row.precision?.reads !== 'bfloat16') continue
        const flows = gradients(weighted(y), inputs)
        const outputs = { y, ...Object.fromEntries(flows.map((node, i) => [`d${i}`, node])) }
        const tolerance = toleranceOf(y.op.opName)
        test(title, () => agreesWithin({ outputs }, values, { tolerance, options: mixed }))
      }
    })
    mixedStepsSuite(compared)
    mixedNetsSuite(compared)

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

function withoutSuite(engine: Engine): void {
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
