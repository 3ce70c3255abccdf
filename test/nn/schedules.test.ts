/** Learning rate schedules against PyTorch's and Keras's formulas (test/golden/schedules.py), and as options. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '../../src/base/options.ts'
import type { Schedule } from '../../src/nn/schedules.ts'
import { rateAt, scheduleNames } from '../../src/nn/schedules.ts'
import { fitOptions } from '../../src/training/fit-options.ts'
import { failure } from '../support/failure.ts'
import { golden } from '../support/golden.ts'

const { cases, tensor } = golden<{ name: string; total: number; schedule: Schedule }>('schedules')

for (const { name, total, schedule } of cases) {
  test(`golden: ${JSON.stringify(schedule)}`, () => {
    tensor(name).data.forEach((wanted: number, t: number) => {
      const got = rateAt(schedule, t, total)
      assert.ok(Math.abs(got - wanted) <= 1e-13 * wanted + 1e-16, `update ${t}: ${got} instead of ${wanted}`)
    })
  })
}

test('every schedule is held against something, and is a finite rate at any update of any training', () => {
  assert.deepEqual([...new Set(cases.map(({ schedule }) => schedule.type))].sort(), [...scheduleNames].sort())
  for (const { schedule } of cases) {
    for (const total of [0, 1, 2, 3, 10, 1e6]) {
      for (const t of [0, 1, 2, 3, 9, 10, 11, 999_999, 1e9]) {
        const rate = rateAt(schedule, t, total)
        assert.ok(Number.isFinite(rate) && rate >= 0, `${JSON.stringify(schedule)}, ${t} of ${total}: ${rate}`)
      }
    }
  }
})

for (const [pctStart, total] of [
  [0, 10],
  [0.1, 10],
  [1, 10],
  [0.3, 1],
]) {
  test(`oneCycle that goes up for ${pctStart} of ${total} updates begins and ends somewhere`, () => {
    const rates = Array.from({ length: total }, (_, t) =>
      rateAt({ type: 'oneCycle', maxLearningRate: 1, pctStart }, t, total),
    )
    assert.ok(
      rates.every((rate) => rate > 0 && rate <= 1),
      rates.join(),
    )
    assert.equal(rates.at(-1), pctStart === 1 ? 1 : 4e-6)
  })
}

const { learningRate } = fitOptions
for (const [text, wanted] of [
  ['3e-4', 3e-4],
  ['0', 0],
  ['{ "type": "cosineDecay", "initialLearningRate": 0.001 }', { type: 'cosineDecay', initialLearningRate: 0.001 }],
] as const) {
  test(`--learning-rate ${text}`, () => {
    assert.deepEqual(learningRate.check(learningRate.parse(text)), wanted)
  })
}

for (const [what, value, words] of [
  ['a word', 'fast', ["'learningRate' is wrong", 'a number >= 0', "'oneCycle'", "got 'fast'"]],
  ['a negative rate', -1, ['a number >= 0', 'got -1']],
  ['an unknown schedule', { type: 'linear' }, ["'polynomialDecay'", "'linear'"]],
  ['a missing option', { type: 'cosineDecay' }, ["cosineDecay: 'initialLearningRate' is missing"]],
  ['an option misspelt', { type: 'constant', learningrate: 1 }, ["did you mean 'learningRate'"]],
  [
    'more boundaries than values',
    { type: 'piecewiseConstantDecay', boundaries: [1, 2], values: [1, 2] },
    ['2 boundaries need 3 values, not 2'],
  ],
  [
    'boundaries that fall',
    { type: 'piecewiseConstantDecay', boundaries: [2, 1], values: [1, 2, 3] },
    ['ascending', '[2,1]'],
  ],
] as const) {
  test(`refused: ${what}`, () => {
    assert.throws(() => settle({ learningRate }, { learningRate: value }, 'fit'), failure('E_OPTION', ...words))
  })
}
