/** THE table: every op by name. An engine has one kernel for each that is computed (`KernelOps`). */
import { constantOp, inputOp, variableOp } from '../graph/node.ts'
import { broadcastTo, reshapeOp, sumRun } from './broadcasting.ts'
import { convolution, convolutionInputGradient, convolutionKernelGradient } from './convolution.ts'
import { elementwise } from './elementwise.ts'
import { gather, gatherGradient, oneHot } from './indexing.ts'
import { matmul } from './matmul.ts'
import { concatOp, pad, slice, transpose } from './movement.ts'
import { logSoftmax, softmax } from './normalization.ts'
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from './pooling.ts'
import { argmaxRun, maxRun } from './reduction.ts'
import { randomNormal, randomUniform } from './sampling.ts'

/** Ops that an engine computes by a loop of its own. */
export const kernelOps = {
  matmul,
  convolution,
  convolutionInputGradient,
  convolutionKernelGradient,
  maxPool,
  maxPoolGradient,
  averagePool,
  averagePoolGradient,
  softmax,
  logSoftmax,
  sum: sumRun,
  max: maxRun,
  argmax: argmaxRun,
  transpose,
  pad,
  slice,
  concat: concatOp,
  broadcastTo,
  gather,
  gatherGradient,
  oneHot,
  randomUniform,
  randomNormal,
} as const

/** Ops that need no loop: leaves, views, and elementwise expressions, which every engine renders. */
export const otherOps = {
  input: inputOp,
  variable: variableOp,
  constant: constantOp,
  reshape: reshapeOp,
  elementwise,
} as const

export const ops = { ...kernelOps, ...otherOps } as const

export type KernelOps = typeof kernelOps
export type KernelName = keyof KernelOps

export { elementwise }
