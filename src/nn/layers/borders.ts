/** Borders around samples of 1 to 3 spatial axes: n, one number per axis, or [before, after] per axis. */
import type { Option } from '../../base/options.ts'
import { choice, custom, either, integer, list } from '../../base/options.ts'
import type { Padding } from '../../graph/shape.ts'
import type { Rank } from './per-axis.ts'
import { axesText, perAxis } from './per-axis.ts'

type Border = number | readonly [before: number, after: number]
/** Elements on every side. */
export type Borders = number | readonly Border[]

const count = integer({ says: 'elements', min: 0 })
const border = either([count, list(count, { says: 'before and after', length: 2 })], { says: 'one axis' })
const perAxisOf = (rank: Rank) => list(border, { says: 'one per axis', length: rank as number })

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
export function bordersOption(rank: Rank): Option<Borders, false> {
  const { kind: as, check } = either([count, perAxisOf(rank)], { says: 'borders' })
  const says = `zeros on every side of ${axesText(rank)}`
  return custom<Borders>({ says, accepts: `${forms[rank]}, integers >= 0`, check, as, default: 1 })
}

export type WindowPadding = 'valid' | 'same' | Borders

/** The option `padding` of a layer whose window slides. */
export function paddingOption(rank: Rank): Option<WindowPadding, false> {
  const rule = choice(['valid', 'same'], { says: 'a rule' })
  const { kind: as, check } = either([rule, count, perAxisOf(rank)], { says: 'borders' })
  return custom<WindowPadding>({
    says: "border: none ('valid'), so that output = ceil(input / stride) ('same'), or as many elements as given",
    accepts: `'valid', 'same', ${forms[rank]}, integers >= 0`,
    check,
    as,
    default: 'valid',
  })
}

/** As the ops take it. */
export const paddingOf = (padding: WindowPadding, rank: Rank): Padding =>
  padding === 'valid' || padding === 'same' ? padding : bordersOf(padding, rank)
