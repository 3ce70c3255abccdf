/** What layers give in prediction, and gradients: PyTorch in float64 (test/golden/layers.py, windows.py), on every engine. */
import { after, suite, test } from 'node:test'
import { openEngine } from '../../src/engines/index.ts'
import type { Node } from '../../src/graph/node.ts'
import { input as leaf } from '../../src/graph/node.ts'
import { input, layers, model } from '../../src/index.ts'
import type { ForwardContext, Layer } from '../../src/nn/layer.ts'
import { forwarded } from '../../src/nn/layer.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { sum } from '../../src/ops/reduction.ts'
import { fastEngines } from '../support/engines.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

interface Row {
  readonly name: string
  readonly layer: keyof typeof layers
  readonly options: object
  readonly inputs: number
  readonly weights: readonly string[]
}
type Make = (options: object) => Layer

const files = ['layers', 'windows'].map((topic) => golden<Row>(topic))
const engines = ['reference', ...fastEngines] as const

for (const engine of engines) {
  suite(`golden, ${engine}: layers`, () => {
    const rows = files.flatMap((file) => file.cases.map((row) => ({ file, ...row })))
    for (const { file, name, layer, options, inputs, weights } of rows) {
      test(name, async () => {
        const given = Array.from({ length: inputs }, (_, i) => file.tensor(`${name}/x${i}`))
        const starts = given.map(({ shape }, i) => input(shape.slice(1), { name: `x${i}` }))
        const made = (layers[layer] as unknown as Make)({ ...options, name: 'judged' })
        const net = model(Object.fromEntries(starts.map((x, i) => [`x${i}`, x])), made(...starts), {
          engine,
          threads: 1,
        })
        await net.setWeights(Object.fromEntries(weights.map((w) => [`judged/${w}`, file.tensor(`${name}/${w}`).data])))
        const samples = Object.fromEntries(given.map(({ data }, i) => [`x${i}`, data as Float32Array]))
        const { data } = await net.predict(inputs === 1 ? samples['x0'] : samples)
        const { data: wanted } = file.tensor(`${name}/y`)
        assertClose(data, wanted, engine === 'reference' ? 1e-7 : 1e-6, name)
        await net.close()
      })
    }
  })
}

const windows = golden<Row>('windows')
const context: ForwardContext = {
  mode: 'infer',
  isTrainable: true,
  draw: () => {
    throw new Error('these layers draw nothing')
  },
}

for (const name of engines) {
  suite(`golden, ${name}: gradients of layers with windows`, async () => {
    const engine = await openEngine({ engine: name, threads: 2 })
    after(() => engine.close())
    for (const row of windows.cases) {
      test(row.name, async () => {
        const names = [...Array.from({ length: row.inputs }, (_, i) => `x${i}`), ...row.weights]
        const tensorOf = (part: string) => windows.tensor(`${row.name}/${part}`)
        const leaves = [...names, 'dy'].map((part): [string, Node] => [part, leaf(part, tensorOf(part).shape)])
        const nodes = Object.fromEntries(leaves)
        const made = (layers[row.layer] as unknown as Make)(row.options)
        const inputs = names.slice(0, row.inputs).map((part) => nodes[part]) as [Node, ...Node[]]
        const { output: y } = forwarded(made, inputs, nodes, context)
        const flows = gradients(
          sum(mul(y, nodes['dy'])),
          names.map((part) => nodes[part]),
        )
        const outputs = { y, ...Object.fromEntries(names.map((part, i) => [`d${part}`, flows[i]])) }
        const values = Object.fromEntries(leaves.map(([part]) => [part, tensorOf(part).data]))
        const got = await evaluate(engine, { outputs }, values)
        for (const [part, data] of Object.entries(got)) {
          // constants are float32: weights between neighbours that are no sums of powers of two are rounded
          const exact = 'interpolation' in row.options ? 1e-7 : 1e-12
          assertClose(data, tensorOf(part).data, name === 'reference' ? exact : 2e-6, `${row.name}: ${part}`)
        }
      })
    }
  })
}
