/** A program's steps as operations of the addon. */
import type { Buffer, ElementwiseStep, KernelStep, Step, Value } from '../../compile/step.ts'
import type { KernelName } from '../../ops/index.ts'
import type { Description, Operation } from './addon.ts'
import type { Context, Lowering, NativeStage } from './kernels/context.ts'
import { stage } from './kernels/context.ts'
import { elementwiseStage } from './kernels/elementwise.ts'
import { kernels } from './kernels/index.ts'
import { sumStage } from './kernels/reduction.ts'
import { planned } from './passes.ts'
import { isSettledIn } from './settled.ts'

interface Surroundings {
  /** What is read when all is done. */
  readonly results: ReadonlySet<Buffer>
  readonly hasTiles: boolean
  readonly threads: number
}

export function lowerAll(
  given: readonly Step[],
  operation: (description: Description) => Operation,
  { results, hasTiles, threads }: Surroundings,
): readonly NativeStage[] {
  const { steps, covered, loops, biasSums, noted, unpooled, commits } = planned({ steps: given, results })
  const written = new Map(steps.flatMap((step, i) => step.outputs.map((x) => [x.buffer, i] as const)))
  const casts = new Map(steps.flatMap((step) => (isCast(step) ? [[step.outputs[0].buffer, step.inputs[0]]] : [])))
  let now = 0
  /** Is what was cast still what it was then? A variable may have its next value before the last reader of the cast. */
  const stays = (from: Value): boolean => from.buffer.home.in !== 'state' || (written.get(from.buffer) ?? now) >= now
  const context: Context = {
    operation,
    hasTiles,
    threads,
    isSettled: isSettledIn(written),
    uncast: (value) => {
      const from = casts.get(value.buffer)
      return from && stays(from) ? from : value
    },
    notedFor: (result) => noted.get(result.buffer),
    unpooled: (dx) => unpooled.get(dx.buffer),
    biasGradientOf: (dkernel) => biasSums.get(dkernel.buffer)?.outputs[0],
  }
  const stages = steps.flatMap((step, i) => {
    now = i
    const loop = loops.get(step)
    if (loop) return [sumStage(loop, context)]
    return covered.has(step) ? [] : lower(step, context)
  })
  return [
    ...withoutUnread(stages, casts),
    ...[...commits].map(([condition, shadows]) => commit(condition, shadows, context)),
  ]
}

function lower(step: Step, context: Context): readonly NativeStage[] {
  if (step.kind === 'elementwise') return [elementwiseStage(step, context)]
  const { op, attrs, inputs, head, tail, outputs }: KernelStep = step
  const lowering: Lowering<unknown> = { attrs, inputs, head, tail, output: outputs[0], context }
  return (kernels[op.opName as KernelName] as (step: Lowering<unknown>) => readonly NativeStage[])(lowering)
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

/** Casts whose readers all packed the float32 itself are not computed. */
function withoutUnread(stages: readonly NativeStage[], casts: ReadonlyMap<Buffer, Value>): NativeStage[] {
  const read = new Set(stages.flatMap((stage) => stage.reads))
  return stages.filter(({ writes }) => !writes.every((buffer) => casts.has(buffer) && !read.has(buffer)))
}
