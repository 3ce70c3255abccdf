/** Borders around samples of 1 to 3 spatial axes: n, one number per axis, or [before, after] per axis. */
import type { Option } from '../../base/options.ts'
import { custom } from '../../base/options.ts'
import type { Padding } from '../../graph/shape.ts'
import type { Rank } from './per-axis.ts'
import { axesText, perAxis } from './per-axis.ts'

type Border = number | readonly [before: number, after: number]
/** Elements on every side. */
export type Borders = number | readonly Border[]

const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0
const isBorder = (value: unknown): boolean =>
  isCount(value) || (Array.isArray(value) && value.length === 2 && value.every(isCount))
const checkBorders = (value: unknown, rank: Rank): Borders | undefined =>
  isCount(value) || (Array.isArray(value) && value.length === rank && value.every(isBorder))
    ? (value as Borders)
    : undefined

const forms: Readonly<Record<Rank, string>> = {
  1: 'n or [[before, after]]',
  2: 'n, [vertical, horizontal] or [[top, bottom], [left, right]]',
  3: 'n, [depth, vertical, horizontal] or [[front, back], [top, bottom], [left, right]]',
}

/** [before, after] per axis. */
export const bordersOf = (borders: Borders, rank: Rank): [before: number, after: number][] =>
  perAxis<Border>(borders, rank).map((border) =>
    typeof border === 'number' ? [border, border] : [border[0], border[1]],
  )

/** The option `padding` of a layer that adds zeros. */
export const bordersOption = (rank: Rank): Option<Borders, false> =>
  custom<Borders>({
    says: `zeros on every side of ${axesText(rank)}`,
    accepts: `${forms[rank]}, integers >= 0`,
    check: (value) => checkBorders(value, rank),
    default: 1,
  })

export type WindowPadding = 'valid' | 'same' | Borders

/** The option `padding` of a layer whose window slides. */
export const paddingOption = (rank: Rank): Option<WindowPadding, false> =>
  custom<WindowPadding>({
    says: "border: none ('valid'), so that output = ceil(input / stride) ('same'), or as many elements as said",
    accepts: `'valid', 'same', ${forms[rank]}, integers >= 0`,
    check: (value) => (value === 'valid' || value === 'same' ? value : checkBorders(value, rank)),
    default: 'valid',
    parse: (text) => (/^[\d[]/.test(text) ? JSON.parse(text) : text),
  })

/** As the ops take it. */
export const paddingOf = (padding: WindowPadding, rank: Rank): Padding =>
  padding === 'valid' || padding === 'same' ? padding : bordersOf(padding, rank)
