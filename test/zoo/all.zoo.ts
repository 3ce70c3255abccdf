/** All networks against PyTorch, and a training step of each: npm run test:zoo. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sizeOf } from '../../src/graph/shape.ts'
import { fromArrays } from '../../src/index.ts'
import { fastEngines } from '../support/engines.ts'
import { assertHeld, file, filled, nearTies } from './golden.ts'

for (const engine of fastEngines)
  for (const row of file.cases) {
    test(`${engine}: ${row.name} against PyTorch`, () => assertHeld(row, engine))
  }

for (const row of file.cases.filter(({ name }) => nearTies.includes(name)))
  test(`reference: ${row.name} against PyTorch`, () => assertHeld(row, 'reference'))

/** Those of several outputs need a target each; the network without a classifier has none. */
const trained = file.cases.filter(({ options, network }) => !('auxiliary' in options) && network !== 'firstConvnet')

for (const engine of fastEngines)
  for (const row of trained) {
    test(`${engine}: ${row.name} takes a step`, async () => {
      await using model = await filled(row, engine)
      const { batch, size } = row
      const x = Float32Array.from({ length: batch * sizeOf(size) }, (_, i) => ((i * 37) % 101) / 101)
      const y = Int32Array.from({ length: batch }, (_, i) => i % 2)
      const data = fromArrays({
        name: 'patterns',
        inputs: { image: { shape: size, data: x } },
        targets: { label: { shape: [], data: y } },
      })
      const optimizer = { type: 'sgd', learningRate: 1e-4 } as const
      const judged = row.network === 'catsVsDogs' ? ({ loss: 'binaryCrossentropy' } as const) : {}
      const before = await model.weights()
      const history = await model.fit(data, { steps: 1, batchSize: batch, optimizer, ...judged })
      assert.equal(history.steps, 1)
      const after = await model.weights()
      const [first] = Object.keys(before)
      assert.ok(
        before[first].some((x, i) => x !== after[first][i]),
        'the first kernel has learned',
      )
    })
  }
