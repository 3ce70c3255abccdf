/** Groups of weights, by patterns of their names, with a learning rate and a decay of their own. */
import { didYouMean, FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { group, list, number, text } from '../base/options.ts'
import { matches } from '../base/pattern.ts'

const groupTable = {
  names: list(text({ says: 'a pattern', filled: true }), {
    says: "layers or weights, such as 'conv2d', 'block1_*' or '*/bias'; * matches any text",
    length: { min: 1 },
  }),
  learningRateFactor: number({ says: 'what the learning rate is multiplied by for these weights', min: 0, default: 1 }),
  weightDecay: number({
    says: 'weight decay of these weights; that of the optimizer when absent',
    min: 0,
    optional: true,
  }),
}
type ParameterGroup = Options<typeof groupTable>

/** An option of every optimizer. */
export const groupsOption = list(group(groupTable, { says: 'a group of weights', what: 'group' }), {
  says: 'weights with a learning rate and decay of their own; the first group that has a weight holds',
  default: [],
})

/** What holds for a weight, or for those in no group. */
export interface GroupRule {
  /** What the names of its rates begin with. */
  readonly prefix: string
  readonly factor: number
  readonly weightDecay: number
}

interface Grouped {
  readonly groups: readonly ParameterGroup[]
  readonly weightDecay: number
}

const isIn = ({ names }: ParameterGroup, weight: string): boolean =>
  names.some((pattern) => matches(weight, pattern) || matches(weight.slice(0, weight.lastIndexOf('/')), pattern))

/** Rules of all groups; the last is that of the weights in none. */
export const groupRules = ({ groups, weightDecay }: Grouped): readonly GroupRule[] => [
  ...groups.map((one, i) => ({
    prefix: `group${i}/`,
    factor: one.learningRateFactor ?? 1,
    weightDecay: one.weightDecay ?? weightDecay,
  })),
  { prefix: '', factor: 1, weightDecay },
]

/** The rule of a weight. */
export function ruleOf(options: Grouped, weight: string): GroupRule {
  const place = options.groups.findIndex((one) => isIn(one, weight))
  return groupRules(options).at(place) as GroupRule
}

/** Throws E_OPTION for a pattern that none of these weights matches. */
export function checkGroups({ groups }: Pick<Grouped, 'groups'>, weights: readonly string[]): void {
  const layers = [...new Set(weights.map((weight) => weight.slice(0, weight.lastIndexOf('/'))))]
  for (const one of groups) {
    const stray = one.names.find((pattern) => !weights.some((weight) => isIn({ names: [pattern] }, weight)))
    if (stray === undefined) continue
    const hint = didYouMean(stray, [...layers, ...weights])
    const facts = { expected: [...layers, ...weights].join(', '), got: stray, ...(hint && { hint }) }
    throw new FoveaError('E_OPTION', { what: "'groups' names no weight", where: 'optimizer', ...facts })
  }
}
