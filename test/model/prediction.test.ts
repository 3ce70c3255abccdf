/** Which numbers a prediction calls probabilities. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dataset, FitOptions } from '../../src/index.ts'
import { fromArrays, layers, modelFrom, sequential } from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const { dense, flatten } = layers
const asked = Float32Array.of(0.3, -2, 1.5, 0.1)

const dataOf = (shape: readonly number[], data: Float32Array | Int32Array): Dataset =>
  fromArrays({ name: 'pairs', inputs: { pair: { shape: [2], data: asked } }, targets: { y: { shape, data } } })
const indices = dataOf([], Int32Array.of(0, 1))
const yes = dataOf([1], Float32Array.of(0, 1))
const rows = dataOf([2], Float32Array.of(0, 1, 1, 0))
const squares: FitOptions = { loss: 'meanSquaredError' }

/** What a model ends in, what it is trained on, and what its answers are then. */
const cases: [
  end: 'linear' | 'relu' | 'softmax' | 'sigmoid',
  units: number,
  head: string,
  data?: Dataset,
  options?: FitOptions,
][] = [
  ['linear', 2, 'linear'],
  ['relu', 2, 'linear'],
  ['softmax', 2, 'softmax'],
  ['sigmoid', 1, 'sigmoid'],
  ['linear', 2, 'softmax', indices],
  ['softmax', 2, 'softmax', indices],
  ['sigmoid', 1, 'sigmoid', yes],
  ['linear', 2, 'linear', rows, squares],
  ['softmax', 2, 'softmax', rows, squares],
  ['sigmoid', 1, 'linear', yes, squares],
]

for (const [end, units, head, data, options] of cases) {
  const trained = data ? `trained on ${data.targets['y'].dtype} ${options?.loss ?? ''}` : 'untrained'
  test(`${end} ${units}, ${trained}: ${head}`, async () => {
    await using model = sequential({ inputShape: [2], seed: 1, engine: 'reference' }, [
      flatten(), // behind which an activation is seen as well
      dense({ units, activation: end }),
    ])
    if (data) await model.fit(data, { ...options, epochs: 1 })
    await using again = modelFrom(await model.toBytes(), 'again', { engine: 'reference' })
    for (const one of [model, again]) {
      const prediction = await one.predict(asked)
      assert.equal(prediction.head, head)
      if (head === 'linear') {
        assert.throws(() => prediction.top(1), failure('E_MODEL', 'not probabilities', "'data'"))
        continue
      }
      for (const sample of [0, 1]) {
        const ranked = prediction.top(2, sample)
        const total = ranked.reduce((sum, { probability }) => sum + probability, 0)
        assert.ok(Math.abs(total - 1) < 1e-6 && ranked.every(({ probability }) => probability >= 0))
        assert.equal(ranked[0].index, prediction.classes[sample])
      }
    }
  })
}
