/** The part of the engine suite that is about what a hand-made list forgets: sizes, strides, borders and groups by chance. */
import { suite, test } from 'node:test'
import { FoveaError } from '../../src/base/errors.ts'
import type { Padding } from '../../src/graph/shape.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { neg } from '../../src/ops/elementwise.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { concat, pad, slice, transpose } from '../../src/ops/movement.ts'
import { averagePool, maxPool } from '../../src/ops/pooling.ts'
import { max, sum } from '../../src/ops/reduction.ts'
import type { Compared } from '../support/compared.ts'
import type { Case, GraphRow } from '../support/tensors.ts'
import { caseOf, floats, uniform } from '../support/tensors.ts'
import { plain } from '../support/windows.ts'

/** The same ones at every run. */
const drawn: readonly GraphRow[] = (() => {
  const draw = uniform(20240229)
  const below = (n: number): number => Math.floor(draw() * n)
  const list = (count: number, low: number, high: number) =>
    Array.from({ length: count }, () => low + below(high - low + 1))
  const borders = (rank: number, most: number): Padding =>
    below(3) === 0
      ? 'same'
      : below(2) === 0
        ? 'valid'
        : list(rank, 0, most).map((before) => [before, below(most + 1)] as const)
  const makers: readonly (() => GraphRow)[] = [
    () => {
      const rank = 1 + below(3)
      const groups = 1 + below(3)
      const window = list(rank, 1, 4)
      const [perGroup, filters] = [1 + below(5), groups * (1 + below(9))]
      const attrs = { strides: list(rank, 1, 4), dilation: list(rank, 1, 3), padding: borders(rank, 4), groups }
      const x = [1 + below(3), ...list(rank, 1, 7), perGroup * groups]
      const name = `convolution [${x}] by [${window}] to ${filters} ${JSON.stringify(attrs)}`
      return { name, specs: floats(x, [...window, perGroup, filters]), y: ([a, k]) => convolution(a, k, attrs) }
    },
    () => {
      const rank = 1 + below(3)
      const window = list(rank, 1, rank === 3 ? 3 : 7)
      const channels = 2 + below(10)
      const attrs = {
        strides: list(rank, 1, 5),
        dilation: list(rank, 1, 3),
        padding: borders(rank, 4),
        groups: channels,
      }
      const x = [1 + below(3), ...list(rank, 1, 19), channels]
      const filters = channels * (1 + below(3))
      const name = `convolution [${x}] by [${window}] to ${filters} ${JSON.stringify(attrs)}`
      return { name, specs: floats(x, [...window, 1, filters]), y: ([a, k]) => convolution(a, k, attrs) }
    },
    () => {
      const rank = 1 + below(3)
      const window = list(rank, 1, 4)
      const attrs = { window, strides: list(rank, 1, 4), padding: borders(rank, Math.min(...window) - 1) }
      const x = [1 + below(3), ...list(rank, 1, 8), 1 + below(9)]
      const [name, op] = below(2) === 0 ? (['maxPool', maxPool] as const) : (['averagePool', averagePool] as const)
      return { name: `${name} [${x}] ${JSON.stringify(attrs)}`, specs: floats(x), y: ([a]) => op(a, attrs) }
    },
    () => {
      const [m, k, n] = list(3, 1, 37)
      const [transposeA, transposeB] = [below(2) === 0, below(2) === 0]
      return {
        name: `matmul ${m} ${k} ${n} ${transposeA ? 'transposed' : ''} by ${transposeB ? 'transposed' : ''}`,
        specs: floats(transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]),
        y: ([a, b]) => matmul(a, b, { transposeA, transposeB }),
      }
    },
    () => {
      const x = list(1 + below(4), 1, 9)
      const axes = x.map((_, axis) => axis).filter(() => below(2) === 0)
      const [name, op] = below(2) === 0 ? (['sum', sum] as const) : (['max', max] as const)
      return { name: `${name} [${x}] over [${axes}]`, specs: floats(x), y: ([a]) => op(a, { axes }) }
    },
    () => {
      const x = list(1 + below(4), 1, 6)
      const order = x.map((_, axis) => axis).sort(() => below(3) - 1)
      const padding = x.map(() => [below(3), below(3)] as const)
      const name = `transpose [${x}] by [${order}], padded ${JSON.stringify(padding)}`
      return { name, specs: floats(x), y: ([a]) => transpose(pad(a, { padding, value: 0.5 }), { permutation: order }) }
    },
    () => {
      const x = list(1 + below(4), 1, 6)
      const begin = x.map((n) => below(n))
      const size = x.map((n, axis) => 1 + below(n - begin[axis]))
      const axis = below(x.length)
      return {
        name: `slice [${size}] of [${x}] at [${begin}], twice along ${axis}`,
        specs: floats(x),
        y: ([a]) => concat([slice(a, { begin, size }), neg(slice(a, { begin, size }))], { axis }),
      }
    },
  ]
  const borderAlone: GraphRow = {
    name: 'convolution whose windows see the border alone',
    specs: floats([1, 1, 1, 300], [1, 1, 300, 3]),
    y: ([x, k]) => convolution(x, k, { ...plain, strides: [10, 10], padding: [[3, 3], [3, 3]] }), // biome-ignore format: pairs
  }
  const chance = Array.from({ length: 280 }, (_, i) => makers[i % makers.length]())
  return [borderAlone, ...chance]
})()

/** The first `count` of them. A window that does not fit is no case; test/graph/shape.test.ts has the error. */
export function drawnCases(count = drawn.length): Case[] {
  return drawn.slice(0, count).flatMap((row) => {
    try {
      return [{ ...caseOf(row), opName: row.name.split(' ')[0] }]
    } catch (error) {
      if (error instanceof FoveaError && error.code === 'E_SHAPE') return []
      throw error
    }
  })
}

export function chanceSuite({ agreesBothWays }: Compared): void {
  suite('by chance', () => {
    for (const row of drawnCases()) test(row.title, () => agreesBothWays(row))
  })
}
