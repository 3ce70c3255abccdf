/**
 * What happens around an optimizer's rule, in Keras's order: gradients are accumulated and clipped, weights decay, the
 * rule is applied, constraints hold what it gives, averages follow. A graph; what depends only on the step enters as a number computed on the host, a
 * function of options and step, so that training resumes exactly.
 */
import type { Node } from '../graph/node.ts'
import { abs, add, div, less, maximum, minimum, mul, select, sqrt, sub } from '../ops/elementwise.ts'
import { max, sum } from '../ops/reduction.ts'
import type { Constraint } from './constraints.ts'
import { constrained } from './constraints.ts'
import type { SettledOptimizer } from './optimizers.ts'
import { groupRules, ruleOf } from './parameter-groups.ts'
import { rateAt } from './schedules.ts'

/** What a slot holds before the first step: a number throughout, or the values of its weight. */
export type FirstValue = number | 'weight'

/** The state's name of a slot of a weight. What is not a weight begins with /, which no name of a layer can. */
export const slotName = (type: string, slot: string, weight: string): string => `/optimizer/${type}/${slot}/${weight}`

/** The state's name of the moving average of a weight, kept with `useEma`. */
export const averageName = (type: string, weight: string): string => slotName(type, 'average', weight)

/** State kept per weight, of its shape: the rule's slots, and `average` and `gradientSum` where options ask for them. */
export function stepSlots({ row, options }: SettledOptimizer): Readonly<Record<string, FirstValue>> {
  const ruled = Object.entries(row.slots(options)).map(([slot, value]) => [slot, value ?? 0])
  return {
    ...Object.fromEntries(ruled),
    ...(options.gradientAccumulationSteps && { gradientSum: 0 }),
    ...(options.useEma && { average: 'weight' }),
  }
}

/** Updates made in the first `steps` steps: fewer where gradients are accumulated. */
export const updatesIn = ({ options }: SettledOptimizer, steps: number): number =>
  Math.floor(steps / (options.gradientAccumulationSteps ?? 1))

/** A step in its training. */
export interface StepPlace {
  /** 0 for the first step. */
  readonly step: number
  /** Steps of the training from its first to its last, with which schedules end. */
  readonly total: number
}

/** The learning rate by the optimizer's own options. */
export const learningRateAt = (optimizer: SettledOptimizer, { step, total }: StepPlace): number =>
  rateAt(optimizer.options.learningRate, updatesIn(optimizer, step), updatesIn(optimizer, total))

/** Numbers that `nextState` reads at a step; which ones depends only on the options. */
export function stepRates(
  optimizer: SettledOptimizer,
  { learningRate: given, ...place }: StepPlace & { readonly learningRate?: number | undefined },
): Record<string, number> {
  const { row, options } = optimizer
  const { gradientAccumulationSteps, useEma, emaMomentum, emaOverwriteFrequency } = options
  const t = updatesIn(optimizer, place.step) + 1
  const base = given ?? learningRateAt(optimizer, place)
  const ruled = groupRules(options).flatMap(({ prefix, factor, weightDecay }) => {
    const learningRate = base * factor
    const own = {
      ...row.rates(options, { t, learningRate }),
      ...(weightDecay > 0 && { kept: 1 - learningRate * weightDecay }),
    }
    return Object.entries(own).map(([name, rate]) => [prefix + name, rate])
  })
  return {
    ...Object.fromEntries(ruled),
    ...(gradientAccumulationSteps && { isUpdate: updatesIn(optimizer, place.step + 1) === t ? 1 : 0 }),
    ...(useEma && { emaMomentum: t === 1 ? 0 : emaMomentum }),
    ...(useEma && emaOverwriteFrequency && { overwrites: t % emaOverwriteFrequency === 0 ? 1 : 0 }),
  }
}

type NamedNodes = Readonly<Record<string, Node>>

/** A weight after a step. */
export interface Stepped {
  readonly weight: Node
  readonly slots: NamedNodes
}

/** A weight before it. */
export interface Trained extends Stepped {
  readonly name: string
  readonly gradient: Node
  readonly constraint?: Constraint | undefined
}

/** The next weights and slots, in the order of `weights`: all that are trained, since their gradients may be clipped together. */
export function nextState(
  { row, options }: SettledOptimizer,
  weights: readonly Trained[],
  rates: NamedNodes,
): Stepped[] {
  const { excludeFromWeightDecay, gradientAccumulationSteps: count } = options
  const sums = weights.map(({ gradient, slots }) => (count ? add(slots['gradientSum'], gradient) : gradient))
  const gradients = clipped(count ? sums.map((total) => div(total, count)) : sums, options)

  return weights.map(({ name, weight, slots, constraint }, i) => {
    const { prefix, weightDecay } = ruleOf(options, name)
    const own = ratesOf(rates, prefix)
    const decays = weightDecay > 0 && !excludeFromWeightDecay.some((part) => name.includes(part))
    const before = decays ? mul(weight, own['kept']) : weight
    const { weight: ruled, ...ruledSlots } = row.update(before, gradients[i], slots, own, options)
    const { weight: after, ...next } = averaged(
      { ...slots, ...ruledSlots, weight: constrained(ruled, constraint) },
      rates,
    )
    if (!count) return { weight: after, slots: next }
    // a step that makes no update only changes the sum of gradients
    const settled = Object.entries(next).map(([slot, value]) => [slot, select(rates['isUpdate'], value, slots[slot])])
    return {
      weight: select(rates['isUpdate'], after, weight),
      slots: { ...Object.fromEntries(settled), gradientSum: select(rates['isUpdate'], 0, sums[i]) },
    }
  })
}

/** The rates of a group by their own names. */
const ratesOf = (rates: NamedNodes, prefix: string): NamedNodes =>
  Object.fromEntries(
    Object.entries(rates).flatMap(([name, rate]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), rate]] : [],
    ),
  )

type Clips = Pick<SettledOptimizer['options'], 'clipnorm' | 'globalClipnorm' | 'clipvalue'>

function clipped(gradients: readonly Node[], { clipnorm, globalClipnorm, clipvalue }: Clips): readonly Node[] {
  if (clipvalue !== undefined) return gradients.map((g) => minimum(maximum(g, -clipvalue), clipvalue))
  if (clipnorm !== undefined) return gradients.flatMap((g) => shortened([g], clipnorm))
  if (globalClipnorm === undefined || gradients.length === 0) return gradients
  return shortened(gradients, globalClipnorm)
}

/**
 * Tensors that together are at most `longest` long: to the bit as they are where they are short enough. Squares are taken of
 * what was divided by the largest element, so that large ones do not overflow and small ones do not vanish.
 */
function shortened(tensors: readonly Node[], longest: number): readonly Node[] {
  const largest = tensors.map((x) => max(abs(x))).reduce((a, b) => maximum(a, b))
  const parts = tensors.map((x) => div(x, largest)) // NaN where all are 0, which are short
  const length = sqrt(parts.map((x) => sum(mul(x, x))).reduce((a, b) => add(a, b)))
  const share = div(longest, length)
  const isLong = less(share, largest) // not where one of them is not finite: then the step is refused
  return tensors.map((x, i) => select(isLong, mul(parts[i], share), x))
}

/** Takes the weight into its average where there is one, and sets it to that where this is due. */
function averaged(next: NamedNodes & { readonly weight: Node }, { emaMomentum, overwrites }: NamedNodes) {
  const { weight, average: old } = next
  if (!old) return next
  const average = add(mul(old, emaMomentum), mul(weight, sub(1, emaMomentum)))
  return { ...next, average, weight: overwrites ? select(overwrites, average, weight) : weight }
}
