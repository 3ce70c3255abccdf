/** The initializer `torchDefault` against PyTorch's own layers (test/golden/initializers.py): bounds and variance of weight and bias. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Layer } from '../../src/index.ts'
import { layers, sequential } from '../../src/index.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'

interface Row {
  readonly name: string
  readonly layer: 'dense' | 'conv1d' | 'depthwiseConv1d'
  readonly options: object
  readonly inputShape: readonly number[]
}
const file = golden<Row>('initializers')
const DRAWS = 300

/** `torchDefault` for both weights of a layer. */
const both = (layer: string) => ({
  [layer.startsWith('depthwise') ? 'depthwiseInitializer' : 'kernelInitializer']: 'torchDefault',
  biasInitializer: 'torchDefault',
})

suite('torchDefault is what layers of PyTorch begin with', () => {
  for (const { name, layer, options, inputShape } of file.cases)
    test(name, async () => {
      const make = layers[layer] as unknown as (options: object) => Layer
      const drawn: Record<'weight' | 'bias', number[]> = { weight: [], bias: [] }
      for (let seed = 0; seed < DRAWS; seed++) {
        const made = make({ ...options, ...both(layer), name: 'judged' })
        const net = sequential({ inputShape, seed }, [made])
        const { 'judged/kernel': kernel, 'judged/bias': bias } = await net.weights()
        drawn.weight.push(...kernel)
        drawn.bias.push(...bias)
      }
      for (const [part, values] of Object.entries(drawn)) {
        const [most, variance] = file.tensor(`${name}/${part}`).data
        const got = values.reduce((a, x) => a + x * x, 0) / values.length
        const furthest = values.reduce((a, x) => Math.max(a, Math.abs(x)), 0)
        // five standard errors of two estimates: the fourth moment of a uniform is 9/5 of the squared variance
        assert.ok(Math.abs(got / variance - 1) < 5 * Math.sqrt(1.6 / values.length), `${part}: ${got}, not ${variance}`)
        assert.ok(Math.abs(furthest / most - 1) < 20 / values.length, `${part}: up to ${furthest}, not ${most}`)
      }
    })
})

test('torchDefault of a weight whose fan in nobody says is refused', async () => {
  const net = sequential({ inputShape: [4] }, [layers.batchNormalization({ betaInitializer: 'torchDefault' })])
  await assert.rejects(async () => net.weights(), failure('E_SHAPE', 'torchDefault', 'fan in', '[4]'))
})
