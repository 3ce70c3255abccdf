/** Elementwise steps over the same elements become one loop. */
import { sameShape, sizeOf } from '../graph/shape.ts'
import type { Scalar } from '../ops/scalar.ts'
import { argument, longest, partsOf, substitute, weightOf } from '../ops/scalar.ts'
import type { Buffer, ElementwiseStep, Step, StepLimits, Value } from './step.ts'
import { readsOf } from './step.ts'

/** More tensors than this in one loop come from memory no faster than in two. */
const MOST_INPUTS = 12

const sameValue = (a: Value, b: Value): boolean =>
  a.buffer === b.buffer && a.dtype === b.dtype && sameShape(a.shape, b.shape)

/** Merges an elementwise step into an earlier one over the same elements when they share an operand or follow each other. */
export function mergeLoops(steps: readonly Step[], limits: StepLimits): Step[] {
  const result: Step[] = []
  const parts = new Map<number, number>()
  const born = new Map<Buffer, number>()
  const readers = new Map<Buffer, Set<number>>()
  const note = (step: ElementwiseStep, at: number): void => {
    for (const { buffer, shape } of step.inputs)
      if (sizeOf(shape) > 1) readers.set(buffer, (readers.get(buffer) ?? new Set()).add(at))
  }
  for (const step of steps) {
    const own = step.kind === 'elementwise' ? partsOf(step.expressions) : 0
    const mayJoin = (host: ElementwiseStep, at: number): boolean =>
      host.inputs.length + step.inputs.length + host.outputs.length + step.outputs.length <= limits.operands &&
      (parts.get(at) ?? 0) + own <= limits.parts
    const host = step.kind === 'elementwise' ? findHost(step, result, { born, readers, mayJoin }) : -1
    if (step.kind === 'elementwise' && host >= 0) {
      result[host] = joined(result[host] as ElementwiseStep, step)
      parts.set(host, (parts.get(host) ?? 0) + own)
      note(step, host)
      for (const { buffer } of step.outputs) born.set(buffer, host)
    } else {
      for (const { buffer } of step.outputs) born.set(buffer, result.length)
      parts.set(result.length, own)
      if (step.kind === 'elementwise') note(step, result.length)
      result.push(step)
    }
  }
  return result
}

interface Rules {
  /** The step that makes a buffer. */
  readonly born: ReadonlyMap<Buffer, number>
  /** The elementwise steps that read a buffer of more than one number. */
  readonly readers: ReadonlyMap<Buffer, ReadonlySet<number>>
  /** Can the engine take both as one? */
  readonly mayJoin: (host: ElementwiseStep, at: number) => boolean
}

/** The place of the latest step that `step` may join: all it reads is there before, or made by that very loop. */
function findHost(step: ElementwiseStep, earlier: readonly Step[], { born, readers, mayJoin }: Rules): number {
  const ready = Math.max(-1, ...step.inputs.map((x) => born.get(x.buffer) ?? -1))
  const candidates = new Set(
    step.inputs.flatMap(({ buffer }) => [born.get(buffer) ?? -1, ...(readers.get(buffer) ?? [])]),
  )
  for (const i of [...candidates].sort((a, b) => b - a)) {
    if (i < Math.max(ready, 0)) break
    const host = earlier[i]
    if (host.kind !== 'elementwise' || !sameShape(host.shape, step.shape)) continue
    const more = step.inputs.filter((x) => !host.inputs.some((y) => sameValue(x, y)))
    if (host.inputs.length + more.length > MOST_INPUTS || !mayJoin(host, i)) continue
    const madeHere = step.inputs.filter((x) => host.outputs.some((y) => y.buffer === x.buffer))
    const aligned = madeHere.every((x) => host.outputs.some((y) => sameValue(x, y)))
    const related =
      madeHere.length > 0 || step.inputs.some((x) => sizeOf(x.shape) > 1 && host.inputs.some((y) => sameValue(x, y)))
    const heaviest = Math.max(...host.expressions.map(weightOf))
    if (madeHere.length > 0 && step.expressions.some((f) => weightOf(f) * heaviest > longest)) continue
    if (aligned && related && (ready < i || madeHere.length > 0)) return i
  }
  return -1
}

function joined(host: ElementwiseStep, guest: ElementwiseStep): ElementwiseStep {
  const inputs = [...host.inputs]
  const places = guest.inputs.map((x) => {
    const made = host.outputs.findIndex((y) => sameValue(x, y))
    if (made >= 0) return host.expressions[made]
    let at = inputs.findIndex((y) => sameValue(x, y))
    if (at < 0) at = inputs.push(x) - 1
    return argument(at)
  })
  const memo = new Map<Scalar, Scalar>()
  const expressions = guest.expressions.map((f) => substitute(f, places, memo))
  return {
    ...host,
    inputs,
    expressions: [...host.expressions, ...expressions],
    outputs: [...host.outputs, ...guest.outputs],
  }
}

/** Drops what a loop writes and no step reads. */
export function withoutUnread(steps: readonly Step[], wanted: ReadonlySet<Buffer>): Step[] {
  const read = new Set(steps.flatMap((step) => readsOf(step).map((x) => x.buffer)))
  return steps.map((step) => {
    if (step.kind === 'kernel') return step
    const kept = step.outputs.flatMap(({ buffer }, i) => (read.has(buffer) || wanted.has(buffer) ? [i] : []))
    if (kept.length === step.outputs.length) return step
    return { ...step, expressions: kept.map((i) => step.expressions[i]), outputs: kept.map((i) => step.outputs[i]) }
  })
}
