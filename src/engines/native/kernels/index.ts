/** Every op's lowering, by name: forget one and it does not compile. */
import type { AttrsOf } from '../../../graph/node.ts'
import type { KernelName, KernelOps } from '../../../ops/index.ts'
import type { Lower } from './context.ts'
import { convolution, convolutionInputGradient, convolutionKernelGradient } from './convolution.ts'
import { matmul } from './matmul.ts'
import { broadcastTo, concat, pad, slice, transpose } from './movement.ts'
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from './pooling.ts'
import { argmax, max, sum } from './reduction.ts'
import { gather, gatherGradient, logSoftmax, oneHot, randomNormal, randomUniform, softmax } from './rows.ts'

export const kernels: { readonly [N in KernelName]: Lower<AttrsOf<KernelOps[N]>> } = {
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
  sum,
  max,
  argmax,
  transpose,
  pad,
  slice,
  concat,
  broadcastTo,
  gather,
  gatherGradient,
  oneHot,
  randomUniform,
  randomNormal,
}
