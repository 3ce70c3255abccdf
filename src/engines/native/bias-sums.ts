/** Sums of dy, as the gradient of a bias is one, that come along with a kernel's gradient: dy is read once. */
import type { Buffer, KernelStep, Step } from '../../compile/step.ts'
import type { Pass } from './plan.ts'
import { hasRole, reads } from './plan.ts'

export const biasSums: Pass = {
  name: 'bias sums',
  does: 'the sum of dy comes along with the gradient of the kernel, right behind it',
  run: ({ steps, covered }) => {
    const sums = biasSumsOf(steps)
    return { biasSums: sums, steps: withBiasSums(steps, sums), covered: new Set([...covered, ...sums.values()]) }
  },
}

/**
 * Sums of a gradient dy over all but its channels that come along with a kernel's gradient from the same dy, by the latter's
 * result. A step that reads such a sum must come after that gradient.
 */
function biasSumsOf(steps: readonly Step[]): ReadonlyMap<Buffer, KernelStep> {
  const gradients = new Map(
    steps.flatMap((step, at) => (hasRole(step, 'kernelGradient') ? [[step.inputs[1].buffer, at] as const] : [])),
  )
  const result = new Map<Buffer, KernelStep>()
  for (const step of steps) {
    if (!hasRole(step, 'sum') || step.head || step.tail) continue
    const [{ buffer, shape }] = step.inputs
    const [output] = step.outputs
    const { from, to } = step.attrs as { from: number; to: number }
    const at = gradients.get(buffer)
    if (at === undefined || from !== 0 || to !== shape.length - 1) continue
    if (buffer.home.in === 'state' || output.buffer.home.in !== 'arena') continue // a variable changes in between
    const { inputs, outputs } = steps[at] as KernelStep
    const isSeenAlike = inputs[1].shape.at(-1) === shape.at(-1)
    const isLate = steps.slice(0, at + 1).every((other) => !reads(other, output.buffer))
    if (isSeenAlike && isLate && !result.has(outputs[0].buffer)) result.set(outputs[0].buffer, step)
  }
  return result
}

/** The same steps in the order in which they are computed: these sums right behind the gradients that they come with. */
function withBiasSums(steps: readonly Step[], sums: ReadonlyMap<Buffer, KernelStep>): readonly Step[] {
  const merged = new Set<Step>(sums.values())
  return steps
    .filter((step) => !merged.has(step))
    .flatMap((step) => [step, ...step.outputs.flatMap(({ buffer }) => sums.get(buffer) ?? [])])
}
