/** The part of the engine suite that is about sizes that are cut over several threads. */
import { suite, test } from 'node:test'
import { broadcastTo } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { add, mul, sub, tanh } from '../../src/ops/elementwise.ts'
import { gather } from '../../src/ops/indexing.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { slice, transpose } from '../../src/ops/movement.ts'
import { logSoftmax, softmax } from '../../src/ops/normalization.ts'
import { averagePool, maxPool } from '../../src/ops/pooling.ts'
import { max, sum } from '../../src/ops/reduction.ts'
import type { Compared } from '../support/compared.ts'
import type { GraphRow } from '../support/tensors.ts'
import { caseOf, floats } from '../support/tensors.ts'
import { pool, same } from '../support/windows.ts'

/** Each with ends that fill no vector. */
export const large: readonly GraphRow[] = [
  { name: 'elementwise', specs: floats([300_007], [300_007]), y: ([a, b]) => add(mul(a, b), tanh(a)) },
  { name: 'elementwise rows', specs: floats([401, 301], [301], [401, 1]), y: ([a, b, c]) => mul(add(a, b), c) },
  { name: 'sum along', specs: floats([3, 100_003]), y: ([x]) => sum(x, { axes: [1] }) },
  { name: 'sum across', specs: floats([9001, 37]), y: ([x]) => sum(x, { axes: [0] }) },
  {
    name: 'sum of differences across',
    specs: floats([9001, 37], [37]),
    y: ([x, m]) => sum(mul(sub(x, m), x), { axes: [0] }),
  },
  { name: 'sums of a few short rows', specs: floats([3001, 3, 37]), y: ([x]) => sum(x, { axes: [1] }) },
  {
    name: 'sums of a few differences',
    specs: floats([701, 4, 6, 5], [5], [4, 1, 1]),
    y: ([x, m, s]) => sum(mul(sub(x, m), s), { axes: [1] }),
  },
  { name: 'sums of a few wide rows', specs: floats([3, 5, 5003]), y: ([x]) => sum(x, { axes: [1] }) },
  {
    name: 'sums of differences of wide rows',
    specs: floats([2, 40, 3003], [3003], [40, 1]),
    y: ([x, m, s]) => sum(mul(sub(x, m), s), { axes: [1] }),
  },
  {
    name: 'sums of wide planes',
    specs: floats([2, 20, 40, 70], [70]),
    y: ([x, m]) => sum(mul(sub(x, m), x), { axes: [1] }),
  },
  { name: 'sum of all', specs: floats([90, 41, 23]), y: ([x]) => sum(x) },
  { name: 'max', specs: floats([9001, 19]), y: ([x]) => max(x, { axes: [0] }) },
  { name: 'slice of one run', specs: floats([70_001]), y: ([x]) => slice(x, { begin: [3], size: [69_990] }) },
  { name: 'softmax', specs: floats([2001, 33]), y: ([x]) => softmax(x) },
  { name: 'logSoftmax', specs: floats([3, 7001]), y: ([x]) => logSoftmax(x) },
  { name: 'transpose', specs: floats([300, 401]), y: ([x]) => transpose(x, { permutation: [1, 0] }) },
  { name: 'broadcastTo', specs: floats([301, 1]), y: ([x]) => broadcastTo(x, { shape: [301, 303] }) },
  { name: 'matmul', specs: floats([131, 157], [157, 99]), y: ([a, b]) => matmul(a, b, {}) },
  { name: 'convolution', specs: floats([6, 20, 20, 5], [5, 5, 5, 13]), y: ([x, k]) => convolution(x, k, same) },
  {
    name: 'depthwise',
    specs: floats([6, 30, 31, 33], [3, 3, 1, 33]),
    y: ([x, k]) => convolution(x, k, { ...same, groups: 33 }),
  },
  {
    name: 'depthwise with stride and multiplier',
    specs: floats([5, 24, 25, 10], [5, 5, 1, 20]),
    y: ([x, k]) => convolution(x, k, { ...same, strides: [2, 2], groups: 10 }),
  },
  { name: 'maxPool', specs: floats([9, 32, 30, 21]), y: ([x]) => maxPool(x, pool) },
  { name: 'averagePool', specs: floats([9, 32, 30, 21]), y: ([x]) => averagePool(x, { ...pool, padding: 'same' }) },
  {
    name: 'gather',
    specs: [...floats([50, 301]), { shape: [700], dtype: 'int32' }],
    y: ([table, indices]) => gather(table, indices),
  },
]

export function largeSuite({ agreesBothWays }: Compared): void {
  suite('large', () => {
    for (const row of large) test(row.name, () => agreesBothWays(caseOf(row, 50)))
  })
}
