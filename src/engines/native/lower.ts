/** A program's steps as operations of the addon. */
import type { Buffer, ElementwiseStep, KernelStep, Step, Value } from '../../compile/step.ts'
import { readsOf } from '../../compile/step.ts'
import type { KernelName } from '../../ops/index.ts'
import type { PoolAttrs } from '../../ops/pooling.ts'
import type { Description, Operation } from './addon.ts'
import type { JudgedSum } from './commit.ts'
import { commitsOf } from './commit.ts'
import type { Context, Lowering, NativeStage, Places, Unpooled } from './kernels/context.ts'
import { stage } from './kernels/context.ts'
import { takesUnpooled } from './kernels/convolution.ts'
import { elementwiseStage } from './kernels/elementwise.ts'
import { kernels } from './kernels/index.ts'
import { placesOf } from './kernels/pooling.ts'
import { sumStage } from './kernels/reduction.ts'
import { withMasks } from './masks.ts'
import { joinedSums } from './sums.ts'

export function lowerAll(
  given: readonly Step[],
  outputs: ReadonlySet<Buffer>,
  operation: (description: Description) => Operation,
  { hasTiles }: { readonly hasTiles: boolean },
): readonly NativeStage[] {
  const steps = withMasks(given, outputs)
  const written = new Map(steps.flatMap((step, i) => step.outputs.map((x) => [x.buffer, i] as const)))
  const casts = new Map(steps.flatMap((step) => (isCast(step) ? [[step.outputs[0].buffer, step.inputs[0]]] : [])))
  const biasSums = biasSumsOf(steps)
  const places = placesOf(steps)
  const unpooled = unpooledOf(steps, places, outputs)
  let now = 0
  /** Is what was cast still what it was then? A variable may have its next value before the last reader of the cast. */
  const stays = (from: Value): boolean => from.buffer.home.in !== 'state' || (written.get(from.buffer) ?? now) >= now
  const context: Context = {
    operation,
    hasTiles,
    isSettled: ({ buffer }) => buffer.home.in === 'constant' || (buffer.home.in === 'state' && !written.has(buffer)),
    uncast: (value) => {
      const from = casts.get(value.buffer)
      return from && stays(from) ? from : value
    },
    placesOf: (y) => places.get(y.buffer),
    unpooled: (dx) => unpooled.get(dx.buffer),
    biasGradientOf: (dy) => biasSums.get(dy.buffer)?.output,
  }
  const merged = new Set([...biasSums.values()].map(({ step }) => step))
  const { sums, dropped, groups } = commitsOf(steps, outputs)
  const isTaken = (step: Step): boolean => merged.has(step) || dropped.has(step) || sums.has(step)
  const { loops, joined } = joinedSums(steps, isTaken)
  const stages = steps.flatMap((step, i) => {
    now = i
    const loop = loops.get(step)
    if (loop) return [sumStage({ ...loop, stored: [] }, context)]
    const judged = sums.get(step)
    if (judged) return [judgedSum(step as KernelStep, judged, context)]
    const isMade = merged.has(step) || dropped.has(step) || joined.has(step) || unpooled.has(step.outputs[0].buffer)
    return isMade ? [] : lower(step, context)
  })
  const commits = [...groups].map(([condition, shadows]) => commit(condition, shadows, context))
  return [...withoutUnread(stages, casts), ...commits]
}

function lower(step: Step, context: Context): readonly NativeStage[] {
  if (step.kind === 'elementwise') return [elementwiseStage(step, context)]
  const { op, attrs, inputs, head, tail, outputs }: KernelStep = step
  const lowering: Lowering<unknown> = { attrs, inputs, head, tail, output: outputs[0], context }
  return (kernels[op.opName as KernelName] as (step: Lowering<unknown>) => readonly NativeStage[])(lowering)
}

function judgedSum(
  { head, attrs, outputs }: KernelStep,
  { head: f, inputs, stored }: JudgedSum,
  context: Context,
): NativeStage {
  const { shape } = (head as NonNullable<KernelStep['head']>).spec
  const { from, to } = attrs as { from: number; to: number }
  return sumStage({ shape, run: { from, to }, inputs, sums: [{ f, to: outputs[0] }], stored }, context)
}

function commit(condition: Value, shadows: readonly Value[], context: Context): NativeStage {
  const operation = context.operation({ kind: 'commit', where: 'commit' })
  const { code, ...touched } = stage(operation, [{ reads: condition }])
  return { ...touched, code: { ...code, committed: shadows.map((x) => x.buffer) } }
}

/** Does a step nothing but round float32 to bfloat16? */
function isCast(step: Step): step is ElementwiseStep {
  if (step.kind !== 'elementwise' || step.inputs.length !== 1 || step.outputs.length !== 1) return false
  const [f] = step.expressions
  return f.kind === 'argument' && step.inputs[0].dtype === 'float32' && step.outputs[0].dtype === 'bfloat16'
}

/**
 * Sums of a gradient dy over all but its channels that oneDNN gives along with the kernel's gradient from the same dy. The
 * sum comes at the place of the kernel's gradient: whoever reads it must come after that.
 */
function biasSumsOf(steps: readonly Step[]): Map<Buffer, { step: Step; output: Value }> {
  const result = new Map<Buffer, { step: Step; output: Value }>()
  const places = new Map<Buffer, number>()
  steps.forEach((step, i) => {
    if (step.kind === 'kernel' && step.op.opName === 'convolutionKernelGradient') places.set(step.inputs[1].buffer, i)
  })
  steps.forEach((step) => {
    if (step.kind !== 'kernel' || step.op.opName !== 'sum' || step.head || step.tail) return
    const [dy] = step.inputs
    const [output] = step.outputs
    const { from, to } = step.attrs as { from: number; to: number }
    const place = places.get(dy.buffer)
    if (place === undefined || from !== 0 || to !== dy.shape.length - 1 || result.has(dy.buffer)) return
    if (output.buffer.home.in !== 'arena') return // a variable may be read in between
    const gradient = steps[place] as KernelStep
    if (gradient.inputs[1].shape.length !== dy.shape.length) return // dy seen under another shape
    const isLate = steps.slice(0, place + 1).every((other) => !reads(other, output.buffer))
    if (isLate) result.set(dy.buffer, { step, output })
  })
  return result
}

/** Gradients of maxPool that nobody reads but a gradient of a kernel that makes them for itself, and sums that come along. */
function unpooledOf(
  steps: readonly Step[],
  places: ReadonlyMap<Buffer, Places>,
  outputs: ReadonlySet<Buffer>,
): ReadonlyMap<Buffer, Unpooled> {
  const sums = biasSumsOf(steps)
  const result = new Map<Buffer, Unpooled>()
  for (const step of steps) {
    if (step.kind !== 'kernel' || step.op.opName !== 'maxPoolGradient') continue
    const [, y, dy] = step.inputs
    const [dx] = step.outputs
    const noted = places.get(y.buffer)
    if (!noted || (step.tail && !noted.isGated) || dx.dtype !== dy.dtype || outputs.has(dx.buffer)) continue
    const readers = steps.filter((other) => reads(other, dx.buffer) && other !== sums.get(dx.buffer)?.step)
    const [reader] = readers
    if (readers.length !== 1 || reader.kind !== 'kernel' || !takesUnpooled(reader)) continue
    if (reader.inputs[0].buffer === dx.buffer || readsOf(reader).length !== 2) continue
    result.set(dx.buffer, { dy, places: noted, attrs: step.attrs as unknown as PoolAttrs })
  }
  return result
}

const reads = (step: Step, buffer: Buffer): boolean =>
  step.inputs.some((x) => x.buffer === buffer) ||
  (step.kind === 'kernel' && step.tail?.extras.some((x) => x.buffer === buffer) === true)

/** Casts whose readers all packed the float32 itself are not computed. */
function withoutUnread(stages: readonly NativeStage[], casts: ReadonlyMap<Buffer, Value>): NativeStage[] {
  const read = new Set(stages.flatMap((stage) => stage.reads))
  return stages.filter(({ writes }) => !writes.every((buffer) => casts.has(buffer) && !read.has(buffer)))
}
