/** Gradients of maxPool that the gradient of a first layer's kernel makes for itself, a picture at a time. */
import type { Buffer } from '../../compile/step.ts'
import { readsOf } from '../../compile/step.ts'
import { sameShape } from '../../graph/shape.ts'
import type { PoolAttrs } from '../../ops/pooling.ts'
import type { Unpooled } from './kernels/context.ts'
import { takesUnpooled } from './kernels/few-channels.ts'
import type { Pass, Plan } from './plan.ts'
import { hasRole, reads } from './plan.ts'

export const unpooled: Pass = {
  name: 'unpooled',
  does: 'a gradient of maxPool that only the gradient of a kernel reads is made there',
  run: (plan) => {
    const found = unpooledOf(plan)
    const covered = plan.steps.filter((step) => found.has(step.outputs[0].buffer))
    return { unpooled: found, covered: new Set([...plan.covered, ...covered]) }
  },
}

/**
 * Gradients of maxPool that only a gradient of a kernel reads, which makes them for itself, and sums that come along with
 * that: by their results.
 */
function unpooledOf({ steps, noted: notes, covered, results }: Plan): ReadonlyMap<Buffer, Unpooled> {
  const result = new Map<Buffer, Unpooled>()
  for (const step of steps) {
    if (!hasRole(step, 'windowMaxGradient')) continue
    const [, , dy] = step.inputs
    const [dx] = step.outputs
    const noted = notes.get(dx.buffer)
    if (!noted || (step.tail && !noted.isGated) || dx.dtype !== dy.dtype) continue
    if (dx.buffer.home.in !== 'arena' || results.has(dx.buffer) || dy.buffer.home.in === 'state') continue
    const readers = steps.filter((other) => reads(other, dx.buffer) && !covered.has(other))
    const [reader] = readers
    if (readers.length !== 1 || reader.kind !== 'kernel' || !takesUnpooled(reader)) continue
    const [x, flow] = reader.inputs
    if (x.buffer === dx.buffer || !sameShape(flow.shape, dx.shape) || readsOf(reader).length !== 2) continue
    result.set(dx.buffer, { dy, noted, attrs: step.attrs as unknown as PoolAttrs })
  }
  return result
}
