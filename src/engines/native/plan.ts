/** What the native engine makes of all steps at once before it lowers them one by one. */
import type { Buffer, KernelStep, Step, Value } from '../../compile/step.ts'
import { readsOf } from '../../compile/step.ts'
import type { Role } from '../../graph/node.ts'
import type { Noted, Unpooled } from './kernels/context.ts'
import type { SumLoop } from './kernels/reduction.ts'

export interface Plan {
  /** In the order in which they are computed. */
  readonly steps: readonly Step[]
  /** What is read when all is done. */
  readonly results: ReadonlySet<Buffer>
  /** Steps that others compute, or that are no longer needed. */
  readonly covered: ReadonlySet<Step>
  /** By the sum that it replaces: a loop that does more than that. */
  readonly loops: ReadonlyMap<Step, SumLoop>
  /** Sums of dy that come along with the gradient of a kernel, by the latter's result. */
  readonly biasSums: ReadonlyMap<Buffer, KernelStep>
  /** What a maxPool notes for its gradients: by its result, and by theirs. */
  readonly noted: ReadonlyMap<Buffer, Noted>
  /** Gradients of maxPool that the gradient of a kernel makes for itself, by their results. */
  readonly unpooled: ReadonlyMap<Buffer, Unpooled>
  /** Shadows that change places with their tensors at the end, by the number that must not be 0. */
  readonly commits: ReadonlyMap<Value, readonly Value[]>
}

/** One thing that is made of a plan. It asks properties of ops and fields of steps, never an op's name. */
export interface Pass {
  readonly name: string
  readonly does: string
  readonly run: (plan: Plan) => Partial<Plan>
}

export const hasRole = (step: Step, role: Role): step is KernelStep =>
  step.kind === 'kernel' && step.op.row.role === role

/** Does a step read a buffer, as an input or in its tail? */
export const reads = (step: Step, buffer: Buffer): boolean => readsOf(step).some((x) => x.buffer === buffer)
