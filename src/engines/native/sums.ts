/**
 * Sums over the same elements in one loop, as batch normalisation's gradient has them: of dy, and of dy times what was
 * normalised. Both would read dy.
 */
import type { Buffer, KernelStep, Step, Value } from '../../compile/step.ts'
import { sameShape, sizeOf } from '../../graph/shape.ts'
import type { AxisRun } from '../../ops/broadcasting.ts'
import { argument, substitute } from '../../ops/scalar.ts'
import { areWithin } from './expression.ts'
import type { SumLoop } from './kernels/reduction.ts'

/** Smaller ones are in a cache anyway. */
const LEAST_ELEMENTS = 32768
const MOST_SUMS = 4

/** By the first sum of each loop: what it computes; the others are in `joined`. */
export interface JoinedSums {
  readonly loops: ReadonlyMap<Step, SumLoop>
  readonly joined: ReadonlySet<Step>
}

/** `taken` are sums that are computed otherwise. */
export function joinedSums(steps: readonly Step[], taken: (step: Step) => boolean): JoinedSums {
  const writers = new Map<Buffer, number[]>()
  steps.forEach((step, i) => {
    for (const { buffer } of step.outputs) writers.set(buffer, [...(writers.get(buffer) ?? []), i])
  })
  const open: { at: number; steps: KernelStep[] }[] = []
  steps.forEach((step, at) => {
    if (!isLargeSum(step) || taken(step)) return
    const loop = open.find((other) => {
      const [first] = other.steps
      // what it reads must be there when the first is computed, and the same
      const isThere = step.inputs.every(({ buffer }) =>
        (writers.get(buffer) ?? []).every((written) => written < other.at || written > at),
      )
      return isThere && isAlike(first, step) && other.steps.length < MOST_SUMS && fits([...other.steps, step])
    })
    if (loop && step.outputs[0].buffer.home.in === 'arena') loop.steps.push(step)
    else open.push({ at, steps: [step] })
  })
  const several = open.filter((loop) => loop.steps.length > 1)
  return {
    loops: new Map(several.map((loop) => [loop.steps[0], loopOf(loop.steps)])),
    joined: new Set(several.flatMap((loop) => loop.steps.slice(1))),
  }
}

/** Is the loop of these sums within what an expression may have? */
function fits(steps: readonly KernelStep[]): boolean {
  const { inputs, sums } = loopOf(steps)
  return areWithin(
    inputs,
    sums.map(({ f }) => f),
  )
}

const isLargeSum = (step: Step): step is KernelStep =>
  step.kind === 'kernel' && step.op.opName === 'sum' && !step.tail && sizeOf(summed(step)) >= LEAST_ELEMENTS

const summed = ({ head, inputs }: KernelStep) => head?.spec.shape ?? inputs[0].shape
const runOf = ({ attrs }: KernelStep) => attrs as unknown as AxisRun

/** Do two sums walk the same elements, and read one tensor of that size both? */
function isAlike(a: KernelStep, b: KernelStep): boolean {
  const shape = summed(a)
  const isSame = sameShape(shape, summed(b)) && runOf(a).from === runOf(b).from && runOf(a).to === runOf(b).to
  const shared = (x: Value) => sameShape(x.shape, shape) && b.inputs.some((y) => y.buffer === x.buffer)
  return isSame && a.inputs.some(shared)
}

function loopOf(steps: readonly KernelStep[]): SumLoop {
  const inputs: Value[] = []
  const place = (value: Value) => {
    const at = inputs.findIndex((x) => x.buffer === value.buffer && sameShape(x.shape, value.shape))
    return argument(at >= 0 ? at : inputs.push(value) - 1)
  }
  const sums = steps.map((step) => ({
    f: substitute(step.head?.f ?? argument(0), step.inputs.map(place)),
    to: step.outputs[0],
  }))
  return { shape: summed(steps[0]), run: runOf(steps[0]), inputs, sums }
}
