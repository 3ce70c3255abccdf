/** Parts of what stays as it is, such as the middle of a kernel of which no more is read: they stay too, and are copied once. */
import type { Buffer, Step, Value } from '../../compile/step.ts'
import { readsOf } from '../../compile/step.ts'
import { kept } from './kernels/context.ts'
import type { Pass } from './plan.ts'
import { hasRole } from './plan.ts'

export const settled: Pass = {
  name: 'settled',
  does: 'parts of weights that no step writes are kept from run to run',
  run: ({ steps, results }) => ({ steps: withKept(steps, results) }),
}

/** Does a value stay as it is while the program runs: a constant, what a program keeps, or a tensor of the state that nothing writes? */
export const isSettledIn =
  (written: { has(buffer: Buffer): boolean }) =>
  ({ buffer }: Value): boolean =>
    buffer.home.in === 'constant' ||
    buffer.home.in === 'program' ||
    (buffer.home.in === 'state' && !written.has(buffer))

function withKept(steps: readonly Step[], results: ReadonlySet<Buffer>): readonly Step[] {
  const isSettled = isSettledIn(new Set(steps.flatMap(({ outputs }) => outputs.map(({ buffer }) => buffer))))
  const parts = new Map<Buffer, Buffer>()
  for (const step of steps) {
    const [{ buffer }] = step.outputs
    if (hasRole(step, 'part') && isSettled(step.inputs[0]) && !results.has(buffer))
      parts.set(buffer, kept(buffer.bytes).buffer)
  }
  if (parts.size === 0) return steps
  const own = <V extends Value>(value: V): V => ({ ...value, buffer: parts.get(value.buffer) ?? value.buffer })
  return steps.map((step): Step => {
    const isTouched = [...readsOf(step), ...step.outputs].some(({ buffer }) => parts.has(buffer))
    if (!isTouched) return step
    const inputs = step.inputs.map(own)
    if (step.kind === 'elementwise') return { ...step, inputs, outputs: step.outputs.map(own) }
    const tail = step.tail && { ...step.tail, extras: step.tail.extras.map(own) }
    return { ...step, inputs, outputs: [own(step.outputs[0])], ...(tail && { tail }) }
  })
}
