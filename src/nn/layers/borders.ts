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

/** The option of a layer that adds or cuts off elements; `what` says which. */
export function bordersOption(rank: Rank, what: string, start = 1): Option<Borders, false> {
  const { kind: as, check } = either([count, perAxisOf(rank)], { says: 'borders' })
  const says = `${what} on every side of ${axesText(rank)}`
  return custom<Borders>({ says, accepts: `${forms[rank]}, integers >= 0`, check, as, default: start })
}

/** The border of a window that slides: a rule, or as many elements as given. */
export type WindowPadding<Rule extends string = 'valid' | 'same'> = Rule | Borders

/** Borders that follow from the sizes, by word, and what they are in words. */
type Rules<Rule extends string> = Readonly<Record<Rule, string>>

const windowRules: Rules<'valid' | 'same'> = { valid: 'none', same: 'so that output = ceil(input / stride)' }
const pastRules: Rules<'valid' | 'same' | 'causal'> = { ...windowRules, causal: 'before the first element only' }
const transposedRules: Rules<'valid' | 'same'> = { valid: 'none', same: 'so that output = input * stride' }

function optionOf<Rule extends string>(rank: Rank, rules: Rules<Rule>): Option<WindowPadding<Rule>, false> {
  const words = Object.keys(rules) as Rule[]
  const { kind: as, check } = either([choice(words, { says: 'a rule' }), count, perAxisOf(rank)], { says: 'borders' })
  const said = words.map((word) => `${rules[word]} ('${word}')`).join(', ')
  return custom<WindowPadding<Rule>>({
    says: `border: ${said}, or as many elements as given`,
    accepts: `${words.map((word) => `'${word}'`).join(', ')}, ${forms[rank]}, integers >= 0`,
    check,
    as,
    default: 'valid' as Rule,
  })
}

/** The option `padding` of a pooling. */
export const paddingOption = (rank: Rank): Option<WindowPadding, false> => optionOf(rank, windowRules)

/** The option `padding` of a convolution; over sequences it may see the past only. */
export const convolutionPadding = (rank: Rank): Option<WindowPadding<'valid' | 'same' | 'causal'>, false> =>
  optionOf(rank, rank === 1 ? pastRules : windowRules) as Option<WindowPadding<'valid' | 'same' | 'causal'>, false>

/** The option `padding` of a transposed convolution: what is cut off its result. */
export const transposedPadding = (rank: Rank): Option<WindowPadding, false> => optionOf(rank, transposedRules)

/** As the ops take it. */
export const paddingOf = (padding: WindowPadding, rank: Rank): Padding =>
  padding === 'valid' || padding === 'same' ? padding : bordersOf(padding, rank)
