/** Products, movement, reductions, indexing and elementwise rows of two: PyTorch in float64 (test/golden/ops.py), on every engine. */
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import type { Numbers } from '../../src/compile/engine.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { input } from '../../src/graph/node.ts'
import { activate, activationNames } from '../../src/nn/activations.ts'
import { broadcastTo, reshape } from '../../src/ops/broadcasting.ts'
import { elementwiseOps, mul, select } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { gather, oneHot } from '../../src/ops/indexing.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { concat, pad, slice, transpose } from '../../src/ops/movement.ts'
import { argmax, max, mean, sum } from '../../src/ops/reduction.ts'
import { openFast } from '../support/engines.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

type Call = (x: Node[], attrs: never) => Node
const taking =
  <A>(op: (x: Node, attrs: A) => Node) =>
  ([x]: Node[], attrs: A) =>
    op(x, attrs)

/** Ops by the names of the golden file; elementwise ones have their own. */
const calls: Readonly<Record<string, Call>> = {
  matmul: ([a, b], attrs) => matmul(a, b, attrs),
  transpose: taking(transpose),
  reshape: taking(reshape),
  broadcastTo: taking(broadcastTo),
  pad: taking(pad),
  slice: taking(slice),
  concat,
  sum: taking(sum),
  mean: taking(mean),
  max: taking(max),
  argmax: taking((x, { axis }: { axis: number | undefined }) => argmax(x, axis)),
  gather: ([table, indices]) => gather(table, indices),
  oneHot: taking(oneHot),
  select: ([condition, a, b]) => select(condition, a, b),
}
const elementwise: Readonly<Record<string, (...x: Node[]) => Node>> = elementwiseOps

const file = golden<{ name: string; op: string; attrs: object }>('ops')
const judges = [
  { engine: referenceEngine(), tolerance: 1e-13 },
  ...(await openFast()).map((engine) => ({ engine, tolerance: 1e-6 })),
]
after(() => Promise.all(judges.map(({ engine }) => engine.close())))

for (const { engine, tolerance } of judges) {
  suite(`golden, ${engine.name}: ops`, () => {
    for (const { name, op, attrs } of file.cases) {
      test(name, async () => {
        const values: Record<string, Numbers> = {}
        const inputs: Node[] = []
        for (let i = 0; file.has(`${name}/x${i}`); i++) {
          const { shape, data } = file.tensor(`${name}/x${i}`)
          values[`x${i}`] = data
          inputs.push(input(`x${i}`, shape, data instanceof Int32Array ? 'int32' : 'float32'))
        }
        const y = calls[op] ? calls[op](inputs, attrs as never) : elementwise[op](...inputs)
        const truth = file.tensor(`${name}/y`)
        assert.deepEqual(y.shape, truth.shape)
        const outputs: Record<string, Node> = { y }
        const wanted: Record<string, Numbers> = { y: truth.data }
        if (file.has(`${name}/dy`)) {
          values['dy'] = file.tensor(`${name}/dy`).data
          const flows = gradients(sum(mul(y, input('dy', y.shape))), inputs)
          for (const [i, flow] of flows.entries()) {
            if (!file.has(`${name}/d${i}`)) continue
            outputs[`d${i}`] = flow
            wanted[`d${i}`] = file.tensor(`${name}/d${i}`).data
          }
        }
        const got = await evaluate(engine, { outputs }, values)
        for (const [key, numbers] of Object.entries(wanted)) assertClose(got[key], numbers, tolerance, key)
      })
    }
  })
}

/** Words that are no elementwise op's. */
const renamed: Readonly<Record<string, string>> = { exponential: 'exp', linear: 'toFloat' }

test('an activation is the function of its name', () => {
  const x = input('x', [2, 3])
  for (const name of activationNames) {
    const { op, attrs } = activate(x, name)
    assert.equal(name === 'linear' ? 'toFloat' : (attrs.label ?? op.opName), renamed[name] ?? name)
  }
})
