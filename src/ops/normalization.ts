/** Softmax and its logarithm over the last axis; batch normalisation. */
import type { Node, Op } from '../graph/node.ts'
import { defineOp, wantDType } from '../graph/node.ts'
import { add, elementwiseOps, exp, mul, sub } from './elementwise.ts'
import { mean, sum } from './reduction.ts'

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

/** Mean and (biased) variance over `axes`, in two passes. */
export function moments(x: Node, { axes }: { readonly axes: readonly number[] }): { mean: Node; variance: Node } {
  const centre = mean(x, { axes })
  const kept = mean(x, { axes, keepDims: true })
  return { mean: centre, variance: mean(elementwiseOps.square(sub(x, kept)), { axes }) }
}

export interface BatchNormInputs {
  /** [channels], as gamma and beta. */
  readonly mean: Node
  readonly variance: Node
  readonly gamma?: Node | undefined
  readonly beta?: Node | undefined
  readonly epsilon: number
}

/** (x - mean) / sqrt(variance + epsilon) * gamma + beta along the last axis. */
export function batchNorm(x: Node, { mean, variance, gamma, beta, epsilon }: BatchNormInputs): Node {
  const normal = mul(sub(x, mean), elementwiseOps.rsqrt(add(variance, epsilon)))
  const scaled = gamma ? mul(normal, gamma) : normal
  return beta ? add(scaled, beta) : scaled
}
