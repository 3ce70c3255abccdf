/** What layers give in prediction: PyTorch in float64 (test/golden/layers.py), on every engine. */
import { suite, test } from 'node:test'
import { input, layers, model } from '../../src/index.ts'
import type { Layer } from '../../src/nn/layer.ts'
import { fastEngines } from '../support/engines.ts'
import { golden } from '../support/golden.ts'
import { assertClose } from '../support/tensors.ts'

interface Row {
  readonly name: string
  readonly layer: keyof typeof layers
  readonly options: object
  readonly inputs: number
  readonly weights: readonly string[]
}
type Make = (options: object) => Layer

const file = golden<Row>('layers')

for (const engine of ['reference', ...fastEngines] as const) {
  suite(`golden, ${engine}: layers`, () => {
    for (const { name, layer, options, inputs, weights } of file.cases) {
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
