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
  [7, 'one object', 'got 7'],
  [{ filters: 1, offset: Infinity }, "'offset'", 'a number'],
  [{ filters: 1, offset: '1' }, "'offset'", "got '1'"],
]
