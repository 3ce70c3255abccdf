/** A program's steps as operations of the addon. */
import type { Buffer, ElementwiseStep, KernelStep, Step, Value } from '../../compile/step.ts'
import { readsOf } from '../../compile/step.ts'
import { sameShape } from '../../graph/shape.ts'
import type { KernelName } from '../../ops/index.ts'
import type { PoolAttrs } from '../../ops/pooling.ts'
import type { Description, Operation } from './addon.ts'
import type { JudgedSum } from './commit.ts'
import { commitsOf } from './commit.ts'
import type { Context, Lowering, NativeStage, Places, Unpooled } from './kernels/context.ts'
import { stage } from './kernels/context.ts'
import { elementwiseStage } from './kernels/elementwise.ts'
import { takesUnpooled } from './kernels/few-channels.ts'
import { kernels } from './kernels/index.ts'
import { placesOf } from './kernels/pooling.ts'
import { sumStage } from './kernels/reduction.ts'
import { withMasks } from './masks.ts'
import { joinedSums } from './sums.ts'

interface Surroundings {
  /** What is read when all is done. */
  readonly results: ReadonlySet<Buffer>
  readonly hasTiles: boolean
}

export function lowerAll(
  given: readonly Step[],
  operation: (description: Description) => Operation,
  { results, hasTiles }: Surroundings,
): readonly NativeStage[] {
  const masked = withMasks(given, results)
  const biasSums = biasSumsOf(masked)
  const steps = withBiasSums(masked, biasSums)
  const written = new Map(steps.flatMap((step, i) => step.outputs.map((x) => [x.buffer, i] as const)))
  const casts = new Map(steps.flatMap((step) => (isCast(step) ? [[step.outputs[0].buffer, step.inputs[0]]] : [])))
  const places = placesOf(steps)
  const merged = new Set<Step>(biasSums.values())
  const unpooled = unpooledOf(steps, { places, merged, results })
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
    placesOf: (result) => places.get(result.buffer),
    unpooled: (dx) => unpooled.get(dx.buffer),
    biasGradientOf: (dkernel) => biasSums.get(dkernel.buffer)?.outputs[0],
  }
  const { sums, dropped, groups } = commitsOf(steps, results)
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
 * Sums of a gradient dy over all but its channels that come along with a kernel's gradient from the same dy, by the latter's
 * result. Whoever reads such a sum must come after that gradient.
 */
function biasSumsOf(steps: readonly Step[]): ReadonlyMap<Buffer, KernelStep> {
  const gradients = new Map(
    steps.flatMap((step, at) =>
      isOf(step, 'convolutionKernelGradient') ? [[step.inputs[1].buffer, at] as const] : [],
    ),
  )
  const result = new Map<Buffer, KernelStep>()
  for (const step of steps) {
    if (!isOf(step, 'sum') || step.head || step.tail) continue
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

/**
 * Gradients of maxPool that nobody reads but a gradient of a kernel, which makes them for itself, and sums that come along with
 * that: by their results.
 */
function unpooledOf(
  steps: readonly Step[],
  {
    places,
    merged,
    results,
  }: Pick<Surroundings, 'results'> & { places: ReadonlyMap<Buffer, Places>; merged: ReadonlySet<Step> },
): ReadonlyMap<Buffer, Unpooled> {
  const result = new Map<Buffer, Unpooled>()
  for (const step of steps) {
    if (!isOf(step, 'maxPoolGradient')) continue
    const [, , dy] = step.inputs
    const [dx] = step.outputs
    const noted = places.get(dx.buffer)
    if (!noted || (step.tail && !noted.isGated) || dx.dtype !== dy.dtype) continue
    if (dx.buffer.home.in !== 'arena' || results.has(dx.buffer) || dy.buffer.home.in === 'state') continue
    const readers = steps.filter((other) => reads(other, dx.buffer) && !merged.has(other))
    const [reader] = readers
    if (readers.length !== 1 || reader.kind !== 'kernel' || !takesUnpooled(reader)) continue
    const [x, flow] = reader.inputs
    if (x.buffer === dx.buffer || !sameShape(flow.shape, dx.shape) || readsOf(reader).length !== 2) continue
    result.set(dx.buffer, { dy, places: noted, attrs: step.attrs as unknown as PoolAttrs })
  }
  return result
}

const isOf = (step: Step, name: KernelName): step is KernelStep => step.kind === 'kernel' && step.op.opName === name

const reads = (step: Step, buffer: Buffer): boolean =>
  step.inputs.some((x) => x.buffer === buffer) ||
  (step.kind === 'kernel' && step.tail?.extras.some((x) => x.buffer === buffer) === true)

/** Casts whose readers all packed the float32 itself are not computed. */
function withoutUnread(stages: readonly NativeStage[], casts: ReadonlyMap<Buffer, Value>): NativeStage[] {
  const read = new Set(stages.flatMap((stage) => stage.reads))
  return stages.filter(({ writes }) => !writes.every((buffer) => casts.has(buffer) && !read.has(buffer)))
}
