/** The passes over all steps of a program, in their order. */
import { biasSums } from './bias-sums.ts'
import { commits } from './commit.ts'
import { masks } from './masks.ts'
import { noted } from './noted.ts'
import type { Pass, Plan } from './plan.ts'
import { settled } from './settled.ts'
import { joinedSums } from './sums.ts'
import { unpooled } from './unpooled.ts'

export const passes: readonly Pass[] = [settled, masks, biasSums, noted, unpooled, commits, joinedSums]

export function planned({ steps, results }: Pick<Plan, 'steps' | 'results'>): Plan {
  const none = new Map<never, never>()
  const found = { loops: none, biasSums: none, noted: none, unpooled: none, commits: none }
  let plan: Plan = { steps, results, covered: new Set(), ...found }
  for (const { run } of passes) plan = { ...plan, ...run(plan) }
  return plan
}
