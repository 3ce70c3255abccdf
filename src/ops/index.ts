/** THE table: every op by name, a family a line. An engine has one kernel for each that is computed (`KernelOps`). */
import { constantOp, inputOp, variableOp } from '../graph/node.ts'
import { reshapeOp } from './broadcasting.ts'
import { convolutionPrimitives } from './convolution.ts'
import { elementwise } from './elementwise.ts'
import { indexingPrimitives } from './indexing.ts'
import { matmulPrimitives } from './matmul.ts'
import { movementPrimitives } from './movement.ts'
import { normalizationPrimitives } from './normalization.ts'
import { poolingPrimitives } from './pooling.ts'
import { reductionPrimitives } from './reduction.ts'
import { samplingPrimitives } from './sampling.ts'
import { windowSumPrimitives } from './window-sum.ts'

/** Ops that an engine computes by a loop of its own. */
export const kernelOps = {
  ...matmulPrimitives,
  ...convolutionPrimitives,
  ...poolingPrimitives,
  ...normalizationPrimitives,
  ...reductionPrimitives,
  ...movementPrimitives,
  ...indexingPrimitives,
  ...samplingPrimitives,
  ...windowSumPrimitives,
} as const

/** Ops that need no loop: leaves, views, and elementwise expressions, which every engine renders. */
export const otherOps = {
  input: inputOp,
  variable: variableOp,
  constant: constantOp,
  reshape: reshapeOp,
  elementwise,
} as const

export type KernelOps = typeof kernelOps
export type KernelName = keyof KernelOps
