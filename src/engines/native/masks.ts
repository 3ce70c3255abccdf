/**
 * Random numbers of which nothing is asked but whether they reach a bound, as dropout does, become bytes, 0 or 1: a quarter of what
 * would be written, and read again by the gradient.
 */
import type { Buffer, Step, Value } from '../../compile/step.ts'
import { arenaValue, readsOf } from '../../compile/step.ts'
import type { Scalar } from '../../ops/scalar.ts'
import { apply, argumentsOf } from '../../ops/scalar.ts'
import type { Pass } from './plan.ts'
import { hasRole } from './plan.ts'

export const masks: Pass = {
  name: 'masks',
  does: 'random numbers that are only compared with one bound become bytes',
  run: ({ steps, results }) => ({ steps: withMasks(steps, results) }),
}

/** The steps with such masks in place of the numbers; `kept` are buffers that are read after them. */
function withMasks(steps: readonly Step[], kept: ReadonlySet<Buffer>): readonly Step[] {
  const masks = new Map<Buffer, { readonly atLeast: number; readonly mask: Value }>()
  for (const step of steps) {
    if (!hasRole(step, 'uniform') || step.tail) continue
    const [{ shape, buffer }] = step.outputs
    if (buffer.home.in !== 'arena' || kept.has(buffer)) continue
    const bounds = new Set(steps.flatMap((other) => boundsIn(other, buffer)))
    const [atLeast] = bounds
    if (bounds.size === 1 && atLeast !== undefined)
      masks.set(buffer, { atLeast, mask: arenaValue({ shape, dtype: 'uint8' }) })
  }
  if (masks.size === 0) return steps
  const masked = (value: Value): Value => {
    const found = masks.get(value.buffer)
    return found ? { ...found.mask, shape: value.shape } : value
  }
  const isMask = (value: Value | undefined): boolean => value !== undefined && masks.has(value.buffer)
  return steps.map((step): Step => {
    if (step.kind === 'elementwise') {
      if (!step.inputs.some(isMask)) return step
      const at = (i: number) => isMask(step.inputs[i])
      return { ...step, inputs: step.inputs.map(masked), expressions: step.expressions.map((f) => asked(f, at)) }
    }
    const made = masks.get(step.outputs[0].buffer)
    if (made) return { ...step, attrs: { ...step.attrs, atLeast: made.atLeast }, outputs: [made.mask] }
    if (!readsOf(step).some(isMask)) return step
    const { head, tail } = step
    return {
      ...step,
      inputs: step.inputs.map(masked),
      ...(head && { head: { ...head, f: asked(head.f, (i) => isMask(step.inputs[i])) } }),
      ...(tail && { tail: { f: asked(tail.f, (i) => isMask(tail.extras[i - 1])), extras: tail.extras.map(masked) } }),
    }
  })
}

/** The bounds that a step compares a buffer's numbers with; undefined among them where it asks for anything else. */
function boundsIn(step: Step, buffer: Buffer): (number | undefined)[] {
  const bounds: (number | undefined)[] = []
  const ask = (f: Scalar, at: (i: number) => boolean): void => {
    if (!argumentsOf(f).some(at)) return
    const bound = boundOf(f, at)
    if (bound !== undefined) bounds.push(bound)
    else if (f.kind === 'apply') for (const x of f.inputs) ask(x, at)
    else bounds.push(undefined)
  }
  const is = (value: Value | undefined): boolean => value?.buffer === buffer
  if (step.kind === 'elementwise') for (const f of step.expressions) ask(f, (i) => is(step.inputs[i]))
  else {
    const { head, tail, inputs } = step
    if (head) ask(head.f, (i) => is(inputs[i]))
    else if (inputs.some(is)) bounds.push(undefined)
    if (tail) ask(tail.f, (i) => is(tail.extras[i - 1]))
  }
  return bounds
}

/** The number c of `c <= argument`, for one of these arguments. */
function boundOf(f: Scalar, at: (i: number) => boolean): number | undefined {
  if (f.kind !== 'apply' || f.fn !== 'lessEqual') return undefined
  const [bound, x] = f.inputs
  return bound.kind === 'constant' && x.kind === 'argument' && at(x.index) ? bound.value : undefined
}

/** The expression with the answers in place of the questions. */
function asked(f: Scalar, at: (i: number) => boolean, memo = new Map<Scalar, Scalar>()): Scalar {
  if (f.kind !== 'apply') return f
  const known = memo.get(f)
  if (known) return known
  const made = boundOf(f, at) === undefined ? apply(f.fn, ...f.inputs.map((x) => asked(x, at, memo))) : f.inputs[1]
  memo.set(f, made)
  return made
}
