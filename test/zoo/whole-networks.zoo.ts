/** All networks against PyTorch, and a training step of each: npm run test:zoo. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dataset, EvaluateOptions, Model } from '../../src/index.ts'
import { fromArrays } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import type { NetworkCase } from './golden.ts'
import { assertHeld, file, filled, nearTies, picturesOf } from './golden.ts'

for (const engine of fastEngines)
  for (const row of file.cases) {
    test(`${engine}: ${row.name} against PyTorch`, () => assertHeld(row, engine))
  }

for (const row of file.cases.filter(({ name }) => nearTies.includes(name)))
  test(`reference: ${row.name} against PyTorch`, () => assertHeld(row, 'reference'))

const HEAD = 0.3

/** The pictures of a case, and class i % classes for every output. */
function dataOf(row: NetworkCase, { network }: Model): Dataset {
  const { batch, size } = row
  const labels = (output: string): Int32Array => {
    const [classes] = network.calls[network.outputs[output]].shape
    return Int32Array.from({ length: batch }, (_, i) => i % Math.max(2, classes))
  }
  return fromArrays({
    name: 'patterns',
    inputs: { image: { shape: size, data: picturesOf(row) } },
    targets: Object.fromEntries(Object.keys(network.outputs).map((name) => [name, { shape: [], data: labels(name) }])),
  })
}

/** What is said of a network's loss: heads at the side count less. */
const judgement = ({ network, options }: NetworkCase): Pick<EvaluateOptions, 'loss' | 'lossWeights'> => ({
  ...(network === 'catsVsDogs' && { loss: 'binaryCrossentropy' }),
  ...('auxiliary' in options && {
    lossWeights: network === 'googlenet' ? { aux1: HEAD, aux2: HEAD } : { aux: HEAD },
  }),
})

for (const engine of fastEngines)
  for (const row of file.cases.filter(({ options }) => 'auxiliary' in options))
    test(`${engine}: ${row.name}: the loss of all heads by lossWeights`, async () => {
      await using model = await filled(row, engine)
      const { loss } = await model.evaluate(dataOf(row, model), { ...judgement(row), metrics: [] })
      const truth = file.tensor(`${row.name}/infer`).data[0]
      assert.ok(Math.abs(loss / truth - 1) < 1e-3, `${loss}, not ${truth}`)
    })

/** The network without a classifier has no loss. */
for (const engine of fastEngines)
  for (const row of file.cases.filter(({ network }) => network !== 'firstConvnet')) {
    test(`${engine}: ${row.name} takes a step`, async () => {
      await using model = await filled(row, engine)
      const { batch } = row
      const optimizer = { type: 'sgd', learningRate: 1e-4 } as const
      const before = await model.weights()
      const history = await model.fit(dataOf(row, model), { steps: 1, batchSize: batch, optimizer, ...judgement(row) })
      assert.equal(history.steps, 1)
      const after = await model.weights()
      const [first] = Object.keys(before)
      assert.ok(
        before[first].some((x, i) => x !== after[first][i]),
        'the first kernel has learned',
      )
    })
  }
