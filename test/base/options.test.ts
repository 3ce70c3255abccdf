import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Option } from '../../src/base/options.ts'
import * as options from '../../src/base/options.ts'
import { custom, flagName, integer, number, optional, settle, show } from '../../src/base/options.ts'
import { kindsOf, ofKinds, refused, tableOf } from '../hostile/options-refused.ts'
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

const kinds = kindsOf(options)

suite('kinds', () => {
  for (const [name, right, wrong] of ofKinds) {
    for (const value of right)
      test(`${name}: ${show(value)}`, () =>
        assert.deepEqual(settle({ [name]: kinds[name] }, { [name]: value }, 'at'), { [name]: value }))
    for (const [value, ...words] of wrong)
      test(`${name}: not ${show(value)}`, () =>
        assert.throws(() => settle({ [name]: kinds[name] }, { [name]: value }, 'at'), failure('E_OPTION', ...words)))
  }

  test('every kind is in the table above', () => {
    assert.deepEqual(
      Object.keys(kinds),
      ofKinds.map(([name]) => name),
    )
  })

  test('a group fills its defaults; a name alone may stand for options', () => {
    assert.deepEqual(settle({ saving: kinds.saving }, { saving: { folder: 'x' } }, 'at').saving, {
      folder: 'x',
      keep: 2,
    })
    assert.deepEqual(kinds.kind.check('soft'), 'soft')
  })

  const flags: readonly [name: keyof typeof kinds, text: string, value: unknown][] = [
    ['kind', 'soft', 'soft'],
    ['kind', ' { "type": "soft", "rate": 2 }', { type: 'soft', rate: 2 }],
    ['one', 'plain', 'plain'],
    ['one', '{ "a": "plain" }', { a: 'plain' }],
    ['rate', '1e-3', 0.001],
    ['rate', '{ "type": "plain" }', { type: 'plain' }],
    ['rate', 'fast', undefined],
    ['rate', '', undefined],
    ['weights', 'balanced', 'balanced'],
    ['weights', '{ "0": 2 }', { 0: 2 }],
    ['pair', '28,28', [28, 28]],
    ['pair', '[28, 28]', [28, 28]],
    ['many', 'plain,soft', ['plain', 'soft']],
    ['many', '["plain", { "type": "soft", "rate": 1 }]', ['plain', { type: 'soft', rate: 1 }]],
    ['channels', '3', 3],
    ['channels', '2', undefined],
    ['saving', '{ "folder": "x" }', { folder: 'x', keep: 2 }],
  ]
  for (const [name, given, value] of flags)
    test(`a flag: ${name} ${given}`, () => {
      const option: Option<unknown> = kinds[name]
      assert.deepEqual(option.check(option.parse(given)), value)
    })

  test('a table as JSON is all that a form needs', () => {
    const plain = JSON.parse(JSON.stringify(kinds))
    assert.deepEqual(plain.pair.kind, { kind: 'list', of: { kind: 'integer', min: 1 }, length: 2 })
    assert.deepEqual(plain.channels.kind, { kind: 'choice', choices: [1, 3] })
    const { says, options } = plain.kind.kind.rows.soft
    assert.equal(says, 'with a rate')
    assert.deepEqual(options.rate, {
      says: 'how soft',
      kind: { kind: 'number', min: 0 },
      accepts: 'a number >= 0',
      required: true,
    })
    assert.deepEqual(Object.keys(options), ['scale', 'limit', 'rate'])
  })

  test('the same option said otherwise', () => {
    const { says, required, accepts } = optional(kinds.rate, 'another rate')
    assert.deepEqual(
      { says, required, accepts },
      { says: 'another rate', required: false, accepts: kinds.rate.accepts },
    )
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
    [Number.NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [Symbol('s'), 'Symbol(s)'],
    [3n, 'something that is no JSON'],
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
