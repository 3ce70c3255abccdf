/** `fovea summary --time`: which steps are measured, by a clock that is made up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureEpoch } from '../../src/runs/step-time.ts'
import { tiny } from '../support/tiny-model.ts'

/** Planning takes 9 seconds and the second step 4; those after them 0.9, 0.1 and 0.2 again and again. */
function clock(): () => number {
  let [time, steps] = [0, 0]
  return () => {
    time += steps < 2 ? [9000, 4000][steps] : [900, 100, 200][(steps - 2) % 3]
    steps++
    return time
  }
}

const rows: readonly (readonly [says: string, seconds: number, steps: number])[] = [
  ['three steps at least', 0, 3],
  ['as many as fill the time, the first two apart', 2.4, 6],
  ['not one more', 2.45, 7],
]
for (const [says, seconds, steps] of rows)
  test(`an epoch is measured: ${says}`, async () => {
    await using model = tiny()
    const found = await measureEpoch(model, { samples: 100, batchSize: 8, seconds, now: clock() })
    assert.deepEqual([found.steps, found.batchSize], [steps, 8])
    assert.ok(Math.abs(found.secondsPerStep - 0.2) < 1e-9, `the median, not the mean: ${found.secondsPerStep}`)
    assert.ok(
      Math.abs(found.secondsPerEpoch - 13 * found.secondsPerStep) < 1e-9,
      'the last, smaller batch is a step too',
    )
  })
