/** Softmax and its logarithm over the last axis. */
import type { Op } from '../graph/node.ts'
import { defineOp, wantDType } from '../graph/node.ts'
import { exp, mul, sub } from './elementwise.ts'
import { sum } from './reduction.ts'

const samples = [
  { shapes: [[3, 10]], attrs: {} },
  { shapes: [[2, 3, 5]], attrs: {} },
  { shapes: [[2, 16]], attrs: {} },
  { shapes: [[4, 1]], attrs: {} },
] as const

/** exp(x) / sum(exp(x)) over the last axis, shifted by the maximum so that nothing overflows. */
export const softmax: Op<1> = defineOp('softmax', 1, {
  infer: ([x]) => {
    wantDType([x], 'float32')
    return { shape: x.shape, dtype: 'float32' }
  },
  gradient: (dy, y) => [mul(y, sub(dy, sum(mul(dy, y), { axes: [-1], keepDims: true })))],
  samples: [...samples],
})

/** x - log(sum(exp(x))) over the last axis. */
export const logSoftmax: Op<1> = defineOp('logSoftmax', 1, {
  infer: ([x]) => {
    wantDType([x], 'float32')
    return { shape: x.shape, dtype: 'float32' }
  },
  gradient: (dy, y) => [sub(dy, mul(exp(y), sum(dy, { axes: [-1], keepDims: true })))],
  samples: [...samples],
})
