/** Options that are refused, and words of the complaint; the table is made by whichever options.ts is under test. */
import type * as options from '../../src/base/options.ts'

export const tableOf = ({ choice, flag, integer, number, sizes, text }: typeof options) => ({
  filters: integer({ says: 'how many', min: 1 }),
  rate: number({ says: 'how fast', min: 0, max: 1, ends: 'right-open', default: 0.5 }),
  kernelSize: sizes({ says: 'the window', min: 1, default: 3 }),
  padding: choice(['valid', 'same'], { says: 'the border', default: 'valid' }),
  useBias: flag({ says: 'a bias', default: true }),
  name: text({ says: 'the name', optional: true }),
  offset: number({ says: 'added', default: 0 }),
})

export const refused: readonly (readonly [given: unknown, ...words: string[]])[] = [
  [{}, "conv2d: 'filters' is missing", 'an integer >= 1'],
  [{ filters: 0 }, "'filters' is wrong", 'an integer >= 1', 'got 0'],
  [{ filters: 2.5 }, 'got 2.5'],
  [{ filters: '3' }, "got '3'"],
  [{ filters: null }, 'got null'],
  [{ filters: Number.NaN }, "'filters' is wrong"],
  [{ filters: 2 ** 53 }, "'filters' is wrong"],
  [{ filters: 1, rate: 1 }, "'rate'", 'a number >= 0 and < 1', 'got 1'],
  [{ filters: 1, rate: -0.1 }, "'rate'", 'got -0.1'],
  [{ filters: 1, rate: Infinity }, "'rate'"],
  [{ filters: 1, kernelSize: [] }, "'kernelSize'", 'one per spatial axis', 'got []'],
  [{ filters: 1, kernelSize: [3, 0] }, "'kernelSize'", 'got [3,0]'],
  [{ filters: 1, padding: 'full' }, "'padding'", "'valid', 'same'", "got 'full'"],
  [{ filters: 1, useBias: 1 }, "'useBias'", 'true or false', 'got 1'],
  [{ filters: 1, name: 3 }, "'name'", 'a text', 'got 3'],
  [{ filter: 1 }, "unknown option 'filter'", "did you mean 'filters'?"],
  [{ filters: 1, banana: 1 }, "unknown option 'banana'", 'the options are filters, rate'],
  [[], 'one object', 'got []'],
  [null, 'one object'],
  [new Map([['filters', 1]]), 'one object', 'got a Map'],
  [Float32Array.of(1), 'one object', 'got a Float32Array'],
  [7, 'one object', 'got 7'],
  [{ filters: 1, offset: Infinity }, "'offset'", 'a number'],
  [{ filters: 1, offset: '1' }, "'offset'", "got '1'"],
]

/** An option of every kind, and of kinds within each other. */
export function kindsOf({
  choice,
  custom,
  described,
  either,
  group,
  integer,
  list,
  named,
  number,
  record,
  text,
  withCommon,
}: typeof options) {
  /** A table of rows, as losses and optimizers are. */
  const rows = withCommon(
    {
      plain: { says: 'nothing to say', options: {} },
      soft: { says: 'with a rate', options: { rate: number({ says: 'how soft', min: 0 }) }, named: { rate: 1 } },
    },
    () => ({ scale: number({ says: 'a factor', default: 1 }), limit: number({ says: 'a limit', optional: true }) }),
    ({ scale, limit }) =>
      limit !== undefined && scale > limit
        ? { what: 'the scale is above the limit', hint: 'leave limit out' }
        : undefined,
  )
  const size = integer({ says: 'a size', min: 1 })
  const rate = number({ says: 'a rate', min: 0 })
  const kind = named(rows, { says: 'a kind', what: 'kind' })
  return {
    kind,
    one: either([kind, record(kind, { says: 'kinds', keys: 'output' })], { says: 'one or by name' }),
    rate: either([rate, described(rows, { says: 'a schedule', what: 'schedule' })], { says: 'a rate' }),
    weights: either([choice(['balanced'], { says: 'counted' }), record(rate, { says: 'w', keys: 'class' })], {
      says: 'w',
    }),
    pair: list(size, { says: 'height and width', length: 2 }),
    shape: list(size, { says: 'sizes', length: { min: 1 } }),
    bounds: list(rate, { says: 'bounds', order: 'ascending' }),
    many: list(kind, { says: 'kinds' }),
    channels: choice([1, 3], { says: 'channels' }),
    layer: text({ says: 'a name', filled: true, without: '/' }),
    saving: group(
      { folder: text({ says: 'where' }), keep: integer({ says: 'files', min: 1, default: 2 }) },
      { says: 's', what: 'saving' },
    ),
    even: list(
      custom({ says: 'even', accepts: 'an even number', check: (v) => (Number(v) % 2 === 0 ? v : undefined) }),
      {
        says: 'even numbers',
      },
    ),
  } as const
}

type KindRow = readonly [
  name: keyof ReturnType<typeof kindsOf>,
  right: readonly unknown[],
  wrong: readonly (readonly [unknown, ...string[]])[],
]

/** For every kind: values that are right, and values that are wrong with words of the complaint. */
export const ofKinds: readonly KindRow[] = [
  [
    'kind',
    ['plain', 'soft', { type: 'plain' }, { type: 'soft', rate: 2, scale: 3 }],
    [
      ['plan', "'kind' is wrong: unknown kind", "'plain', 'soft', or { type, ...options }", "did you mean 'plain'?"],
      [{ type: 'sofd' }, "'kind' is wrong: unknown kind", "did you mean 'soft'?"],
      [{ type: 'soft' }, "soft: 'rate' is missing", 'a number >= 0'],
      [{ type: 'soft', rat: 1 }, 'at: soft', "did you mean 'rate'?"],
      [{ type: 'plain', scale: 2, limit: 1 }, 'at: plain: the scale is above the limit', 'leave limit out'],
      [{}, "'kind' is wrong", 'got {}'],
      [{ type: ['plain'] }, "'kind' is wrong"],
      [null, 'got null'],
      [7, 'got 7'],
    ],
  ],
  [
    'one',
    ['plain', { a: 'plain', b: { type: 'soft', rate: 0 } }, { type: 'plain', b: 'soft' }, { type: 'soft', rate: 1 }],
    [
      [{ type: 'soft', rate: -1 }, "soft: 'rate' is wrong"],
      [{ a: 'plan' }, "did you mean 'plain'?"],
      [{ a: 1 }, "'one' is wrong"],
    ],
  ],
  [
    'rate',
    [0, 0.5, { type: 'plain' }],
    [
      [-1, "'rate' is wrong", 'a number >= 0, or { type, ...options } with the type', 'got -1'],
      [NaN, 'got NaN'],
      ['plain', "got 'plain'"],
      [{ type: 'x' }, 'unknown schedule', "expected 'plain', 'soft', got 'x'"],
    ],
  ],
  [
    'weights',
    ['balanced', { 0: 1, 5: 0 }],
    [
      ['balance', "did you mean 'balanced'?"],
      [{ 0: -1 }, '{ [class]: a number >= 0 }'],
      [[1], 'got [1]'],
    ],
  ],
  [
    'pair',
    [[1, 2]],
    [
      [[1], 'a list of 2, each an integer >= 1'],
      [[1, 2, 3], 'got [1,2,3]'],
      [[1, 0], 'got [1,0]'],
    ],
  ],
  [
    'shape',
    [[4], [1, 2, 3]],
    [
      [[], 'a list of 1 or more'],
      [4, 'got 4'],
      [[1.5], 'got [1.5]'],
    ],
  ],
  [
    'bounds',
    [[], [0, 1, 2]],
    [
      [[1, 1], 'a list, ascending, each a number >= 0'],
      [[-1], 'got [-1]'],
    ],
  ],
  [
    'many',
    [[], ['plain', { type: 'soft', rate: 1 }]],
    [
      [['plan'], "did you mean 'plain'?"],
      ['plain', 'a list, each'],
    ],
  ],
  [
    'channels',
    [1, 3],
    [
      [2, '1, 3', 'got 2'],
      ['1', "got '1'"],
    ],
  ],
  [
    'layer',
    ['a'],
    [
      ['', 'a text without / that is not empty'],
      ['a/b', "got 'a/b'"],
    ],
  ],
  [
    'saving',
    [{ folder: 'x', keep: 2 }],
    [
      [{}, "at: saving: 'folder' is missing"],
      [3, '{ folder, keep? }', 'got 3'],
    ],
  ],
  ['even', [[2, 4]], [[[1], 'a list, each an even number']]],
]
