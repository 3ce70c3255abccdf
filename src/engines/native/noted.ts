/** What a maxPool notes for its gradients: which place of each window had the largest. */
import type { Buffer, KernelStep, Step } from '../../compile/step.ts'
import { arenaValue } from '../../compile/step.ts'
import { sameShape } from '../../graph/shape.ts'
import type { PoolAttrs } from '../../ops/pooling.ts'
import { gateOf } from './expression.ts'
import type { Noted } from './kernels/context.ts'
import type { Pass } from './plan.ts'
import { hasRole } from './plan.ts'

const MOST_PLACES = 127

export const noted: Pass = {
  name: 'noted places',
  does: 'a maxPool with gradients notes a byte a window, and these need not read what was pooled',
  run: ({ steps }) => ({ noted: notedOf(steps) }),
}

/**
 * For each maxPool with gradients, by its result and by theirs: then these need not read what was pooled, a byte a window is
 * enough.
 */
function notedOf(steps: readonly Step[]): ReadonlyMap<Buffer, Noted> {
  const result = new Map<Buffer, Noted>()
  for (const forward of steps) {
    if (!hasRole(forward, 'windowMax')) continue
    const { window } = forward.attrs as unknown as PoolAttrs
    const gradients = steps.filter((step): step is KernelStep => isGradientOf(step, forward))
    if (gradients.length === 0 || window.reduce((a, b) => a * b, 1) > MOST_PLACES) continue
    const places = arenaValue({ shape: forward.outputs[0].shape, dtype: 'uint8' })
    const noted = { places, isGated: gradients.every(isGated) }
    for (const { outputs } of [forward, ...gradients]) result.set(outputs[0].buffer, noted)
  }
  return result
}

/** Is a step the gradient of this pooling of the same x? */
function isGradientOf(step: Step, { inputs, attrs, outputs }: KernelStep): boolean {
  if (!hasRole(step, 'windowMaxGradient')) return false
  const [x, y] = step.inputs
  const isSame = x.buffer === inputs[0].buffer && sameShape(x.shape, inputs[0].shape) && y.buffer === outputs[0].buffer
  return isSame && JSON.stringify(step.attrs) === JSON.stringify(attrs)
}

/** Is a gradient multiplied by 0 < x and nothing else, as a relu before the pooling makes it? */
function isGated({ tail, inputs: [x, , dy], outputs: [dx] }: KernelStep): boolean {
  if (tail?.extras.length !== 1 || tail.extras[0].buffer !== x.buffer || dx.dtype !== dy.dtype) return false
  const gate = tail.f.kind === 'apply' ? gateOf(tail.f) : undefined
  const [by] = tail.f.kind === 'apply' ? tail.f.inputs : []
  return gate?.kind === 'argument' && gate.index === 1 && by?.kind === 'argument' && by.index === 0
}
