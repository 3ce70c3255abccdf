/** The known networks: how many parameters they have, and how the one that does not classify is trained. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { datasets, layers, sequential, zoo } from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const { dense, flatten } = layers

test('counts of the known networks', () => {
  assert.equal(zoo.lenet().parameterCount, 1_256_080)
  assert.equal(zoo.mnistCnn().parameterCount, 3_274_634)
  const first = zoo.firstConvnet()
  assert.equal(first.parameterCount, 55_744)
  for (const count of ['320', '18,496', '36,928', '55,744']) assert.ok(first.summary().includes(count))
})

test('firstConvnet is trained with layers that classify behind it', async () => {
  const { train } = await datasets.digits({ samples: 8, testSamples: 1 })
  const parts = [...Object.values(zoo.firstConvnet().layers), flatten(), dense({ units: 10 })]
  await using classifier = sequential({ inputShape: [28, 28, 1] }, parts)
  assert.equal((await classifier.fit(train, { steps: 1 })).steps, 1)
  await using bare = zoo.firstConvnet()
  await assert.rejects(bare.fit(train), failure('E_MISMATCH', '[22, 22, 64] outputs', 'end the model in flatten()'))
})
