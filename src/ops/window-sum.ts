/** Sums over a window that slides along the last axis, and what is normalised by them. */
import { FoveaError } from '../base/errors.ts'
import { integer, number } from '../base/options.ts'
import type { Node, Op } from '../graph/node.ts'
import { defineOp, wantFloats } from '../graph/node.ts'
import { values } from './arguments.ts'
import { op } from './checked.ts'
import { expression, square } from './elementwise.ts'
import type { Scalar } from './scalar.ts'
import { argument, s } from './scalar.ts'

export interface Reach {
  /** Neighbours that count on the side of 0. */
  readonly before: number
  /** Neighbours that count on the other side. */
  readonly after: number
}

/** y[..., i] is the sum of x[..., i - before] to x[..., i + after]; beyond the ends there is nothing. */
export const windowSum: Op<1, Reach> = defineOp('windowSum', 1, {
  infer: ([x], { before, after }) => {
    wantFloats([x])
    const width = x.shape[x.shape.length - 1] ?? 0
    for (const n of [before, after]) {
      if (Number.isInteger(n) && n >= 0 && n < width) continue
      throw new FoveaError('E_SHAPE', {
        what: 'a window must reach less far than the last axis is long',
        expected: `0 to ${width - 1}`,
        got: `${n}`,
      })
    }
    return { shape: x.shape, dtype: 'float32' }
  },
  gradient: (dy, _, __, { before, after }) => [windowSum(dy, { before: after, after: before })],
  simplify: ([x], { before, after }) => (before + after === 0 && x.dtype === 'float32' ? x : undefined),
  fuses: { head: true, tail: true },
  precision: { reads: 'any' },
  samples: [
    { shapes: [[3, 16]], attrs: { before: 2, after: 2 } },
    { shapes: [[2, 2, 3]], attrs: { before: 1, after: 0 } },
    { shapes: [[5, 7]], attrs: { before: 0, after: 6 } },
    { shapes: [[2, 3, 4, 18]], attrs: { before: 4, after: 3 } },
    { shapes: [[2, 67]], attrs: { before: 9, after: 5 } },
  ],
})

export interface LocalResponse {
  /** Channels that a sum runs over. */
  readonly size: number
  /** Factor of the mean square. */
  readonly alpha: number
  readonly beta: number
  /** Added to the mean square. */
  readonly k: number
}

/** x^-by of what is above 0; the usual exponents by roots, which take a fraction of the time. */
function inversePower(x: Scalar, by: number): Scalar {
  if (by === 0.75) return s.div(1, s.mul(s.sqrt(x), s.sqrt(s.sqrt(x))))
  return s.pow(x, -by)
}

/**
 * x / (k + alpha / size * sum of the squares of `size` neighbouring channels)^beta (Krizhevsky et al. 2012; PyTorch's
 * LocalResponseNorm). Channels are the last axis; the window of channel i begins at i - floor(size / 2).
 */
export function localResponseNorm(x: Node, { size, alpha, beta, k }: LocalResponse): Node {
  const channels = x.shape[x.shape.length - 1]
  const [before, after] = [Math.floor(size / 2), Math.floor((size - 1) / 2)].map((n) => Math.min(n, channels - 1))
  const squares = windowSum(square(x), { before, after })
  const [value, sum, y] = [argument(0), argument(1), argument(2)]
  const base = s.add(k, s.mul(alpha / size, sum))
  const factor = inversePower(base, beta)
  // by the result, so that the power is not computed again
  const slope = s.div(s.mul((-beta * alpha) / size, y), base)
  return expression('localResponseNorm', [x, squares], s.mul(value, factor), [factor, slope])
}

/** `LocalResponse` as options. */
export const localResponseOptions = {
  size: integer({ says: 'channels that a sum runs over', min: 1, default: 5 }),
  alpha: number({ says: 'factor of the mean square', min: 0, default: 1e-4 }),
  beta: number({ says: 'exponent', min: 0, default: 0.75 }),
  k: number({ says: 'added to alpha times the mean square', min: 0, ends: 'open', default: 1 }),
}

/** What engines compute. */
export const windowSumPrimitives = { windowSum } as const

const neighbours = (side: string) => integer({ says: `neighbours that count ${side}`, min: 0 })

/** What users call. */
export const windowSumPublic = {
  windowSum: op({
    says: 'The sum of neighbours along the last axis.',
    takes: { x: values },
    attrs: { before: neighbours('before an element'), after: neighbours('behind it') },
    call: windowSum,
  }),
  localResponseNorm: op({
    says: 'x by a power of k + alpha times the mean square of neighbouring channels, which are the last axis.',
    takes: { x: values },
    attrs: localResponseOptions,
    call: localResponseNorm,
  }),
} as const
