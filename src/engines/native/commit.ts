/**
 * What becomes of large tensors of the state when a step is judged by all that it would write: the next values are computed
 * once, in the loop that sums them for the judgement, and written beside the old ones; to take them over, the two change
 * places. Without this they are computed twice and read three times: of a bfloat16 step of the deep CIFAR-10 net, 3 ms of 26.
 */
import type { Buffer, ElementwiseStep, KernelStep, Step, Value } from '../../compile/step.ts'
import { readsOf } from '../../compile/step.ts'
import { sameShape, sizeOf } from '../../graph/shape.ts'
import type { AxisRun } from '../../ops/broadcasting.ts'
import type { Scalar } from '../../ops/scalar.ts'
import { apply, argument, substitute } from '../../ops/scalar.ts'
import { areWithin } from './expression.ts'
import { conditional } from './kernels/elementwise.ts'
import type { SumLoop } from './kernels/reduction.ts'
import type { Pass } from './plan.ts'
import { hasRole } from './plan.ts'

/** Smaller ones are in a cache anyway. */
const LEAST_ELEMENTS = 32768

export const commits: Pass = {
  name: 'commits',
  does: 'next values that one number judges are computed once, beside the old ones, and change places with them at the end',
  run: ({ steps, results, covered, loops }) => {
    const { sums, dropped, groups } = commitsOf(steps, results)
    return { loops: new Map([...loops, ...sums]), covered: new Set([...covered, ...dropped]), commits: groups }
  },
}

/**
 * Sums whose loops store next values as well, by the sums that they replace; steps that these make superfluous; and the shadows
 * that change places with their tensors at the end, by the number that must not be 0. `results` are read when all is done.
 */
function commitsOf(steps: readonly Step[], results: ReadonlySet<Buffer>) {
  const producer = new Map<Buffer, number>()
  const readers = new Map<Buffer, Step[]>()
  steps.forEach((step, i) => {
    for (const { buffer } of step.outputs) producer.set(buffer, i)
    for (const { buffer } of readsOf(step)) readers.set(buffer, [...(readers.get(buffer) ?? []), step])
  })
  const sums = new Map<Step, SumLoop>()
  const dropped = new Set<Step>()
  const groups = new Map<Value, Value[]>()
  steps.forEach((last, lastAt) => {
    if (last.kind !== 'elementwise' || sizeOf(last.shape) < LEAST_ELEMENTS) return
    const { step, condition } = conditional(last)
    const isState = last.outputs.every(({ buffer }) => buffer.home.in === 'state')
    const isReadLater = steps.slice(lastAt + 1).some((next) => reads(next, last.outputs))
    if (!condition || !isState || isReadLater) return
    const sumAt = steps.findIndex(
      (sum, i) =>
        i < lastAt && isWholeSum(sum, last.shape) && !sums.has(sum) && reads(sum, step.inputs.filter(isLarge)),
    )
    if (sumAt < 0) return
    const sum = steps[sumAt] as KernelStep
    const inlined = new Set<ElementwiseStep>()
    /** The loop that makes a value only for these two. */
    const makerOf = ({ buffer }: Value): ElementwiseStep | undefined => {
      const maker = steps[producer.get(buffer) ?? -1]
      const isOwn = maker?.kind === 'elementwise' && maker !== last && sameShape(maker.shape, last.shape)
      const areOnlyRead = (values: readonly Value[]): boolean =>
        values.every(
          ({ buffer }) =>
            buffer.home.in === 'arena' &&
            !results.has(buffer) &&
            readers.get(buffer)?.every((x) => x === sum || x === last),
        )
      return isOwn && areOnlyRead(maker.outputs) ? maker : undefined
    }
    const inputs: Value[] = []
    const memo = new Map<Value, Scalar>()
    const place = (value: Value): Scalar => {
      const at = inputs.findIndex((x) => x.buffer === value.buffer && sameShape(x.shape, value.shape))
      return argument(at >= 0 ? at : inputs.push(value) - 1)
    }
    const scalarFor = (value: Value): Scalar => {
      const maker = makerOf(value)
      if (!maker) return place(value)
      inlined.add(maker)
      const known = memo.get(value)
      if (known) return known
      const made = maker.outputs.findIndex((y) => y.buffer === value.buffer)
      const f = substitute(maker.expressions[made], maker.inputs.map(place))
      memo.set(value, f)
      return f
    }
    const head = probed(substitute((sum.head as { f: Scalar }).f, sum.inputs.map(scalarFor)))
    const values = step.inputs.map(scalarFor)
    const isEarly = ({ buffer }: Value): boolean => {
      const at = producer.get(buffer) ?? -1
      return at < sumAt || at === lastAt // what it replaces itself is still the old one
    }
    if (!inputs.every(isEarly)) return
    const next = step.expressions.map((f) => substitute(f, values))
    if (!areWithin(inputs, [head, ...next])) return
    const stored = next.map((f, i) => ({ f, to: shadowOf(last.outputs[i]) }))
    const run = sum.attrs as unknown as AxisRun
    sums.set(sum, { shape: last.shape, run, inputs, sums: [{ f: head, to: sum.outputs[0] }], stored })
    dropped.add(last)
    for (const maker of inlined) dropped.add(maker)
    const group = [...groups.keys()].find((x) => x.buffer === condition.buffer) ?? condition
    groups.set(group, [...(groups.get(group) ?? []), ...stored.map(({ to }) => to)])
  })
  return { sums, dropped, groups }
}

const isLarge = ({ shape }: Value): boolean => sizeOf(shape) >= LEAST_ELEMENTS

const reads = (step: Step, values: readonly Value[]): boolean =>
  readsOf(step).some(({ buffer }) => values.some((x) => x.buffer === buffer))

/** x - x, which asks whether x is finite, as x * 0: the same in a sum, and sums of products are one instruction each. */
function probed(f: Scalar, memo = new Map<Scalar, Scalar>()): Scalar {
  if (f.kind !== 'apply') return f
  const known = memo.get(f)
  if (known) return known
  const [a, b] = f.inputs
  const made = f.fn === 'sub' && a === b ? apply('mul', a, 0) : apply(f.fn, ...f.inputs.map((x) => probed(x, memo)))
  memo.set(f, made)
  return made
}

/** One number for a tensor of this shape, given by an expression. */
const isWholeSum = (step: Step, shape: readonly number[]): boolean =>
  hasRole(step, 'sum') &&
  step.head !== undefined &&
  step.tail === undefined &&
  sameShape(step.head.spec.shape, shape) &&
  sizeOf(step.outputs[0].shape) === 1

/** The next values of a tensor of the state, beside those that it has. */
function shadowOf(value: Value): Value {
  const { bytes, home } = value.buffer
  const name = home.in === 'state' ? home.name : ''
  return { ...value, buffer: { bytes, home: { in: 'shadow', name } } }
}
