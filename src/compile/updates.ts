/** Where the next values of variables are written: over the old ones where that is safe, else by a copy at the end. */
import type { DType } from '../graph/dtype.ts'
import type { AnyOp } from '../graph/node.ts'
import { sameShape } from '../graph/shape.ts'
import { broadcastTo } from '../ops/broadcasting.ts'
import { argument } from '../ops/scalar.ts'
import type { MemoryRules } from './memory.ts'
import type { Buffer, Step, Value } from './step.ts'
import { arenaValue, readsOf } from './step.ts'

/** Adds a step that copies `from` to `to`; returns `to`. */
export function copy<V extends Value>(from: Value, to: V, steps: Step[]): V {
  const { shape } = from
  if (from.dtype === 'float32')
    steps.push({ kind: 'elementwise', shape, inputs: [from], expressions: [argument(0)], outputs: [to] })
  else
    steps.push({ kind: 'kernel', op: broadcastTo as unknown as AnyOp, attrs: { shape }, inputs: [from], outputs: [to] })
  return to
}

/**
 * Lets new values of variables overwrite the old ones. A step writes straight into the variable when no step reads the
 * old value later, and it reads it itself, if at all, element by element, on an engine that may work in place; otherwise
 * a copy at the end does it.
 */
export function settleUpdates(
  steps: readonly Step[],
  {
    targets,
    outputs,
  }: { targets: readonly { to: Value; from: Value }[]; outputs: Readonly<Record<string, Value<DType>>> },
  rules: Pick<MemoryRules, 'inPlace'>,
): { steps: Step[]; outputs: Record<string, Value<DType>> } {
  const moved = new Map<Buffer, Buffer>()
  const early: Step[] = []
  const late: Step[] = []
  const makers = new Map<Buffer, number>()
  const readers = new Map<Buffer, number[]>()
  steps.forEach((step, i) => {
    for (const { buffer } of step.outputs) if (!makers.has(buffer)) makers.set(buffer, i)
    for (const { buffer } of readsOf(step)) readers.set(buffer, [...(readers.get(buffer) ?? []), i])
  })
  for (const { to, from } of targets) {
    if (from.buffer === to.buffer) continue
    const maker = makers.get(from.buffer) ?? -1
    const isFree = maker >= 0 && !moved.has(from.buffer)
    const read = readers.get(to.buffer) ?? []
    const direct = isFree && overwritable(steps[maker], maker, { to, readers: read, ...rules })
    if (direct) moved.set(from.buffer, to.buffer)
    else copy(maker >= 0 ? from : copy(from, arenaValue(from), early), to, late)
  }
  const settle = <V extends Value>(value: V): V => {
    const buffer = moved.get(value.buffer)
    return buffer ? { ...value, buffer } : value
  }
  const settleStep = (step: Step): Step => {
    const inputs = step.inputs.map(settle)
    if (step.kind === 'elementwise') return { ...step, inputs, outputs: step.outputs.map(settle) }
    const tail = step.tail && { ...step.tail, extras: step.tail.extras.map(settle) }
    return { ...step, inputs, ...(tail && { tail }), outputs: [settle(step.outputs[0])] }
  }
  const settled = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, settle(value)]))
  return { steps: [...early, ...steps, ...late].map(settleStep), outputs: settled }
}

/** May the step at `at` write over `to`, which is read by the steps at `readers`? */
function overwritable(
  step: Step,
  at: number,
  { to, readers, inPlace }: Pick<MemoryRules, 'inPlace'> & { to: Value; readers: readonly number[] },
): boolean {
  if (readers.some((i) => i > at)) return false
  if (!readers.includes(at)) return true
  return (
    inPlace &&
    step.kind === 'elementwise' &&
    step.inputs.every((x) => x.buffer !== to.buffer || sameShape(x.shape, step.shape))
  )
}
