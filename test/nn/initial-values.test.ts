/** First values of weights: ranges and moments by the papers' formulas, within five standard errors. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stream } from '../../src/base/random.ts'
import type { Initializer } from '../../src/nn/initializers.ts'
import { initialize } from '../../src/nn/initializers.ts'

const draw = { seed: 20240229, stream: stream('initialize', 3) }
/** A 3 x 5 window, 16 channels in, 48 filters: fan in 240, fan out 720. */
const kernel = [3, 5, 16, 48]
const count = 3 * 5 * 16 * 48

/** A normal of deviation 1 cut at 2 has this variance: 1 - 4 phi(2) / (2 Phi(2) - 1). */
const CUT_VARIANCE = 0.7737412972494424

/** Uniform on [-limit, limit), or a normal that ends at `limit` (Infinity: nowhere). */
const rows: readonly [
  initializer: Initializer,
  kind: 'uniform' | 'normal',
  variance: number,
  limit: number,
  mean?: number,
][] = [
  ['glorotUniform', 'uniform', 2 / 960, Math.sqrt(6 / 960)],
  ['heUniform', 'uniform', 2 / 240, Math.sqrt(6 / 240)],
  ['lecunUniform', 'uniform', 1 / 240, Math.sqrt(3 / 240)],
  ['glorotNormal', 'normal', 2 / 960, 2 * Math.sqrt(2 / 960 / CUT_VARIANCE)],
  ['heNormal', 'normal', 2 / 240, 2 * Math.sqrt(2 / 240 / CUT_VARIANCE)],
  ['lecunNormal', 'normal', 1 / 240, 2 * Math.sqrt(1 / 240 / CUT_VARIANCE)],
  ['randomNormal', 'normal', 0.05 ** 2, Infinity],
  [{ type: 'randomNormal', mean: 3, stddev: 0.5 }, 'normal', 0.25, Infinity, 3],
  // the deviation asked for is that before the cut
  ['truncatedNormal', 'normal', 0.05 ** 2 * CUT_VARIANCE, 2 * 0.05],
  [{ type: 'truncatedNormal', mean: -1, stddev: 2 }, 'normal', 4 * CUT_VARIANCE, 4, -1],
  ['randomUniform', 'uniform', 0.1 ** 2 / 12, 0.05],
  [{ type: 'randomUniform', minval: 1, maxval: 5 }, 'uniform', 16 / 12, 2, 3],
]
for (const [initializer, kind, variance, limit, mean = 0] of rows) {
  test(`initializers: ${JSON.stringify(initializer)}`, () => {
    const x = initialize(initializer, kernel, draw)
    assert.equal(x.length, count)
    const got = { mean: x.reduce((a, b) => a + b, 0) / count, furthest: 0, variance: 0 }
    for (const value of x) {
      got.variance += (value - mean) ** 2 / count
      got.furthest = Math.max(got.furthest, Math.abs(value - mean))
    }
    assert.ok(Math.abs(got.mean - mean) < 5 * Math.sqrt(variance / count), `mean ${got.mean}`)
    // the fourth moment is 9/5 of the squared variance for a uniform, at most 3 of it for a normal, cut or not
    const error = Math.sqrt(((kind === 'uniform' ? 9 / 5 : 3) - 1) / count)
    assert.ok(Math.abs(got.variance / variance - 1) < 5 * error, `variance ${got.variance}, not ${variance}`)
    assert.ok(got.furthest <= limit * (1 + 1e-6), `${got.furthest} beyond ${limit}`)
    if (limit < Infinity) assert.ok(got.furthest > limit * 0.99, `${got.furthest} does not reach ${limit}`)
    assert.deepEqual(initialize(initializer, kernel, draw), x)
    assert.notDeepEqual(initialize(initializer, kernel, { ...draw, stream: stream('initialize', 4) }), x)
  })
}

test('initializers: zeros, ones, constants', () => {
  const of = (initializer: Initializer) => [...initialize(initializer, [2, 2], draw)]
  assert.deepEqual(of('zeros'), [0, 0, 0, 0])
  assert.deepEqual(of('ones'), [1, 1, 1, 1])
  assert.deepEqual(of({ type: 'constant', value: 0.5 }), [0.5, 0.5, 0.5, 0.5])
})
