/** What layers give in prediction, and their gradients: PyTorch in float64 (test/golden), on every engine. */
import { after, suite, test } from 'node:test'
import type { Numbers } from '../../src/compile/engine.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { input as inputNode } from '../../src/graph/node.ts'
import { input, layers, model } from '../../src/index.ts'
import { drawer } from '../../src/nn/draws.ts'
import type { Layer } from '../../src/nn/layer.ts'
import { forwarded } from '../../src/nn/layer.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { sum } from '../../src/ops/reduction.ts'
import { openFast } from '../support/engines.ts'
import type { Golden } from '../support/golden.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

interface Row {
  readonly name: string
  readonly layer: keyof typeof layers
  readonly options: Readonly<Record<string, unknown>>
  readonly inputs: number
  readonly weights: readonly string[]
}
type Make = (options: object) => Layer

/** The layer of a row; a layer in its options is said as in a model file. */
function made(type: keyof typeof layers, options: Row['options']): Layer {
  const make = layers[type] as unknown as Make & { row: Layer['row'] }
  const given = Object.entries(options).map(([name, value]) => {
    const inner = value as Pick<Row, 'options'> & { type: keyof typeof layers }
    return [name, name === make.row.nests ? made(inner.type, inner.options) : value]
  })
  return make(Object.fromEntries(given) as object)
}

const topics = ['layers', 'activations', 'sequences', 'windows']
const judges = [referenceEngine(), ...(await openFast())]
after(() => Promise.all(judges.map((engine) => engine.close())))

async function predicted(
  file: Golden<Row>,
  { name, layer, options, inputs, weights }: Row,
  engine: 'reference' | 'wasm' | 'native',
) {
  const given = Array.from({ length: inputs }, (_, i) => file.tensor(`${name}/x${i}`))
  const starts = given.map(({ shape }, i) => input(shape.slice(1), { name: `x${i}` }))
  const ends = made(layer, { ...options, name: 'judged' })(...starts)
  const net = model(Object.fromEntries(starts.map((x, i) => [`x${i}`, x])), ends, { engine, threads: 1 })
  await net.setWeights(Object.fromEntries(weights.map((w) => [`judged/${w}`, file.tensor(`${name}/${w}`).data])))
  const samples = Object.fromEntries(given.map(({ data }, i) => [`x${i}`, data as Float32Array]))
  const { data } = await net.predict(inputs === 1 ? samples['x0'] : samples)
  await net.close()
  return data
}

/** A layer as a graph, with the gradients that a file has. */
function graphOf(file: Golden<Row>, { name, layer, options, inputs, weights }: Row) {
  const starts = Array.from({ length: inputs }, (_, i) => `x${i}`)
  const named = [...starts, ...weights, 'dy'].map((part) => [part, file.tensor(`${name}/${part}`)] as const)
  const { dy, ...nodes } = Object.fromEntries(named.map(([part, { shape }]) => [part, inputNode(part, shape)]))
  const values: Record<string, Numbers> = Object.fromEntries(named.map(([part, { data }]) => [part, data]))
  const draw = drawer(inputNode('key', [4], 'int32'), () => 0)
  const given = starts.map((part) => nodes[part]) as [Node, ...Node[]]
  const { output } = forwarded(made(layer, options), given, nodes, { mode: 'infer', isTrainable: true, draw })
  const wrt = Object.entries(nodes).filter(([part]) => file.has(`${name}/d${part}`))
  const flows = gradients(
    sum(mul(output, dy)),
    wrt.map(([, node]) => node),
  )
  const outputs: Record<string, Node> = { y: output }
  for (const [i, [part]] of wrt.entries()) outputs[`d${part}`] = flows[i]
  return { outputs, values }
}

for (const engine of judges) {
  suite(`golden, ${engine.name}: layers`, () => {
    const isReference = engine.name === 'reference'
    for (const file of topics.map((topic) => golden<Row>(topic)))
      for (const row of file.cases) {
        test(row.name, async () => {
          const data = await predicted(file, row, engine.name as 'reference')
          assertClose(data, file.tensor(`${row.name}/y`).data, isReference ? 1e-7 : 1e-6, row.name)
        })
        if (!file.has(`${row.name}/dy`)) continue
        test(`gradients of ${row.name}`, async () => {
          const { outputs, values } = graphOf(file, row)
          const got = await evaluate(engine, { outputs }, values)
          for (const part of Object.keys(outputs)) {
            // constants are float32: weights between neighbours that are no sums of powers of two are rounded
            const exact = 'interpolation' in row.options ? 1e-7 : 1e-12
            const tolerance = isReference ? exact : 2e-6
            assertClose(got[part], file.tensor(`${row.name}/${part}`).data, tolerance, part)
          }
        })
      }
  })
}
