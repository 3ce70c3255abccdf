import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Option } from '../../src/base/options.ts'
import * as options from '../../src/base/options.ts'
import { custom, flagName, integer, number, settle, show } from '../../src/base/options.ts'
import { refused, tableOf } from '../hostile/options-refused.ts'
import { failure } from '../support/failure.ts'

const table = tableOf(options)

test('defaults are filled in; what is undefined counts as not said', () => {
  const defaults = { rate: 0.5, kernelSize: 3, padding: 'valid', useBias: true, name: undefined, offset: 0 }
  assert.deepEqual(settle(table, { filters: 4 }, 'conv2d'), { filters: 4, ...defaults })
  assert.deepEqual(settle(table, { filters: 4, rate: undefined, name: undefined }, 'conv2d'), {
    filters: 4,
    ...defaults,
  })
  const all = { filters: 1, rate: 0, kernelSize: [3, 5], padding: 'same', useBias: false, name: 'a', offset: -1 }
  assert.deepEqual(settle(table, all, 'conv2d'), all)
})

test('what is wrong is said: the option, what it accepts, what came, the way out', () => {
  for (const [given, ...words] of refused)
    assert.throws(() => settle(table, given, 'conv2d'), failure('E_OPTION', ...words))
  assert.throws(() => settle({}, { a: 1 }, 'relu'), failure('E_OPTION', 'the options are none'))
  const inherited = Object.create({ filters: 3 }) as object
  assert.throws(() => settle({}, JSON.parse('{"__proto__": 1}'), 'relu'), failure('E_OPTION', '__proto__'))
  assert.equal(settle(table, inherited, 'conv2d').filters, 3)
})

suite('on a command line', () => {
  const half = custom({
    says: 'half a number',
    accepts: 'an even integer',
    check: (v) => (Number(v) % 2 === 0 ? Number(v) / 2 : undefined),
    default: 1,
  })
  const rows: readonly [name: string, option: Option<unknown>, text: string, value: unknown][] = [
    ['integer', table.filters, '12', 12],
    ['an integer that is none', table.filters, '1.5', undefined],
    ['an integer of words', table.filters, 'many', undefined],
    ['an integer of nothing', table.filters, '', undefined],
    ['an integer of blanks', table.filters, ' ', undefined],
    ['number', table.rate, '1e-3', 0.001],
    ['one size', table.kernelSize, '5', 5],
    ['sizes', table.kernelSize, '3,5', [3, 5]],
    ['choice', table.padding, 'same', 'same'],
    ['no choice', table.padding, 'Same', undefined],
    ['flag', table.useBias, 'true', true],
    ['flag off', table.useBias, 'false', false],
    ['text', table.name, '12', '12'],
    ['custom, as JSON', half, '6', 3],
  ]
  for (const [name, option, given, value] of rows) {
    test(name, () => assert.deepEqual(option.check(option.parse(given)), value))
  }

  test('flags are in kebab case, switches take no value', () => {
    assert.deepEqual(['learningRate', 'seed', 'batchSize'].map(flagName), ['learning-rate', 'seed', 'batch-size'])
    assert.equal(table.useBias.isSwitch, true)
    assert.ok(Object.values(table).every(({ says }) => says.length > 0))
  })
})

test('ranges in words', () => {
  const words = (option: Option<unknown>) => option.accepts
  assert.deepEqual(
    [
      words(integer({ says: '' })),
      words(number({ says: '', min: 0 })),
      words(number({ says: '', max: 2 })),
      words(number({ says: '', min: 0, max: 1 })),
      words(number({ says: '', min: 0, max: 1, ends: 'open' })),
    ],
    ['an integer', 'a number >= 0', 'a number <= 2', 'a number >= 0 and <= 1', 'a number > 0 and < 1'],
  )
  const open = number({ says: '', min: 0, max: 1, ends: 'open' })
  assert.deepEqual([0, 1e-9, 0.5, 1].map(open.check), [undefined, 1e-9, 0.5, undefined])
})

test('any value in a few words', () => {
  const rows: readonly [value: unknown, text: string][] = [
    ['a', "'a'"],
    [3, '3'],
    [undefined, 'undefined'],
    [null, 'null'],
    [[1, 2], '[1,2]'],
    [{ a: 1 }, '{"a":1}'],
    [() => 1, 'a function'],
    [new Float32Array(3), 'a Float32Array'],
    [new Map(), 'a Map'],
    [Array(100).fill(1), `[${'1,'.repeat(28)}...`],
  ]
  for (const [value, wanted] of rows) assert.equal(show(value), wanted)
})
