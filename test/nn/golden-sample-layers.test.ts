/** Layers that look at a sample by itself, and their gradients: PyTorch in float64 (test/golden/sample_layers.py), on every engine. */
import { after, suite, test } from 'node:test'
import type { Engine } from '../../src/compile/engine.ts'
import { referenceEngine } from '../../src/engines/reference/engine.ts'
import type { Node } from '../../src/graph/node.ts'
import { input } from '../../src/graph/node.ts'
import { layers } from '../../src/index.ts'
import { drawer } from '../../src/nn/draws.ts'
import type { Layer } from '../../src/nn/layer.ts'
import { forwarded } from '../../src/nn/layer.ts'
import { mul } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { sum } from '../../src/ops/reduction.ts'
import { openFast } from '../support/engines.ts'
import { golden } from '../support/golden.ts'
import { assertClose, evaluate } from '../support/tensors.ts'

interface Row {
  readonly name: string
  readonly layer: keyof typeof layers
  readonly options: object
  readonly weights: readonly string[]
  /** How far x lies from 0: so many times fewer digits are known of its differences. */
  readonly offset: number
}
type Make = (options: object) => Layer

const file = golden<Row>('sample-layers')
const judges: readonly (readonly [Engine, number])[] = [
  [referenceEngine(), 1e-12],
  ...(await openFast()).map((engine) => [engine, 2e-6] as const),
]
after(() => Promise.all(judges.map(([engine]) => engine.close())))

for (const [engine, tolerance] of judges) {
  suite(`golden, ${engine.name}: layers of a sample`, () => {
    for (const { name, layer, options, weights, offset } of file.cases) {
      test(name, async () => {
        const of = (part: string) => file.tensor(`${name}/${part}`)
        const made = (layers[layer] as unknown as Make)(options)
        const given = Object.fromEntries(['x', 'dy', ...weights].map((part) => [part, input(part, of(part).shape)]))
        const draw = drawer(input('key', [4], 'int32'), () => 0)
        const own = Object.fromEntries(weights.map((part) => [part, given[part]]))
        const { output: y } = forwarded(made, [given['x']], own, { mode: 'train', isTrainable: true, draw })
        const wrt = ['x', ...weights]
        const slopes = gradients(
          sum(mul(y, given['dy'])),
          wrt.map((part) => given[part]),
        )
        const outputs: Record<string, Node> = { y }
        for (const [i, part] of wrt.entries()) outputs[`d ${part}`] = slopes[i]
        const values = Object.fromEntries(Object.keys(given).map((part) => [part, of(part).data]))
        const got = await evaluate(engine, { outputs }, values)
        const least = layer === 'resizing' ? 1e-7 : 0 // its weights are float32 on every engine
        for (const part of Object.keys(outputs))
          assertClose(got[part], of(part).data, Math.max(least, tolerance * Math.max(1, offset)), part)
      })
    }
  })
}
