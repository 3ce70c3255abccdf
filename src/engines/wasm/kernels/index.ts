/** Every op's lowering, by name: forget one and it does not compile. */
import type { AttrsOf } from '../../../graph/node.ts'
import type { KernelName, KernelOps } from '../../../ops/index.ts'
import type { Lower } from './context.ts'
import { convolution, convolutionKernelGradient } from './convolution.ts'
import { gather, gatherGradient, oneHot } from './indexing.ts'
import { convolutionInputGradient } from './input-gradient.ts'
import { matmul } from './matmul.ts'
import { broadcastTo, concat, pad, slice, transpose } from './movement.ts'
import { logSoftmax, softmax } from './normalization.ts'
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from './pooling.ts'
import { argmax, max, sum } from './reduction.ts'
import { randomNormal, randomUniform } from './sampling.ts'

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
