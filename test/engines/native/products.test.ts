/** Convolutions over narrow inputs, in memory full of NaN: some of those that sweep.ts goes through. */
import { after, suite, test } from 'node:test'
import type { Precision } from '../../../src/compile/precision.ts'
import { nativeEngine } from '../../../src/engines/native/engine.ts'
import { referenceEngine } from '../../../src/engines/reference/engine.ts'
import { available } from '../../support/require.ts'
import type { Narrow } from './narrow.ts'
import { checkNarrow, narrow } from './narrow.ts'

const plain = { dilation: [1, 1], groups: 1 } as const
/** Where 2.6.3 read what nobody had written. */
const found: readonly Narrow[] = [
  { x: [33, 1, 1, 16], kernel: [3, 3, 16, 16], attrs: { ...plain, strides: [2, 2], padding: 'same' } },
  { x: [1, 5, 1, 1], kernel: [3, 1, 1, 16], attrs: { ...plain, strides: [2, 4], padding: 'valid' } },
  // two windows wider than the row
  { x: [2, 3, 1, 64], kernel: [2, 3, 64, 17], attrs: { ...plain, strides: [3, 2], padding: [[1, 1], [2, 2]] } }, // biome-ignore format: a row
  // over volumes, in bfloat16 and in float32
  {
    x: [33, 3, 1, 3, 3],
    kernel: [3, 3, 2, 3, 17],
    attrs: { strides: [2, 1, 2], dilation: [1, 1, 1], groups: 1, padding: [[1, 1], [1, 1], [0, 0]] }, // biome-ignore format: a row
  },
  {
    x: [1, 2, 1, 5, 3],
    kernel: [5, 1, 3, 3, 17],
    attrs: { strides: [2, 1, 3], dilation: [1, 2, 1], groups: 1, padding: [[4, 4], [0, 0], [2, 0]] }, // biome-ignore format: a row
  },
]

suite('native: narrow inputs', { skip: available('native').skip }, () => {
  const engine = nativeEngine({ threads: 2, isPoisoned: true })
  const truth = referenceEngine()
  after(async () => {
    await engine.close()
    await truth.close()
  })
  for (const precision of ['float32', 'mixed_bfloat16'] satisfies Precision[]) {
    const lacks = !engine.precisions.includes(precision) && 'this processor has none'
    for (const row of [...found, ...narrow(60, 3)])
      test(`${precision}: ${JSON.stringify(row)}`, { skip: lacks }, () =>
        checkNarrow(row, { engine, truth, precision }),
      )
  }
})
