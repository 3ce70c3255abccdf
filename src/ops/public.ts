/** The ops as a user calls them: conveniences in front of primitives where there are any. */
import { broadcastTo, reshape } from './broadcasting.ts'
import { convolution } from './convolution.ts'
import { clip, elementwiseOps, select } from './elementwise.ts'
import { gather, oneHot } from './indexing.ts'
import { matmul } from './matmul.ts'
import { concat, pad, slice, transpose } from './movement.ts'
import { batchNorm, logSoftmax, moments, softmax } from './normalization.ts'
import { averagePool, maxPool } from './pooling.ts'
import { argmax, max, mean, sum } from './reduction.ts'
import { randomNormal, randomUniform } from './sampling.ts'

export const ops = {
  ...elementwiseOps,
  select,
  clip,
  matmul,
  convolution,
  maxPool,
  averagePool,
  softmax,
  logSoftmax,
  moments,
  batchNorm,
  sum,
  mean,
  max,
  argmax,
  reshape,
  transpose,
  pad,
  slice,
  concat,
  broadcastTo,
  gather,
  oneHot,
  randomUniform,
  randomNormal,
} as const
