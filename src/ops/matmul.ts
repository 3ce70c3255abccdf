import { FoveaError } from '../base/errors.ts'
import { flag } from '../base/options.ts'
import type { Op, Stored } from '../graph/node.ts'
import { defineOp, wantAlike } from '../graph/node.ts'
import { shapeText, sizeOf } from '../graph/shape.ts'
import { nodeArgument } from './arguments.ts'
import { op } from './checked.ts'

export interface MatmulAttrs extends Stored {
  readonly transposeA?: boolean
  readonly transposeB?: boolean
}

/** [m, k] x [k, n] -> [m, n]; either factor may be given transposed. */
export const matmul: Op<2, MatmulAttrs> = defineOp('matmul', 2, {
  infer: ([a, b], { transposeA = false, transposeB = false, dtype = 'float32' }) => {
    wantAlike([a, b])
    if (a.shape.length !== 2 || b.shape.length !== 2) {
      throw new FoveaError('E_SHAPE', {
        what: 'needs two matrices',
        got: `${shapeText(a.shape)} and ${shapeText(b.shape)}`,
        hint: 'reshape them to [m, k] and [k, n]',
      })
    }
    const [m, k] = transposeA ? [a.shape[1], a.shape[0]] : a.shape
    const [l, n] = transposeB ? [b.shape[1], b.shape[0]] : b.shape
    if (k !== l) {
      const what = `b does not fit a ${shapeText(a.shape)}${transposeA ? ', transposed' : ''}`
      const [expected, got] = [transposeB ? `[n, ${k}]` : `[${k}, n]`, shapeText(b.shape)]
      throw new FoveaError('E_SHAPE', { what, expected, got })
    }
    return { shape: [m, n], dtype }
  },
  gradient: (dy, _, [a, b], { transposeA = false, transposeB = false }) => [
    transposeA
      ? matmul(b, dy, { transposeA: transposeB, transposeB: true })
      : matmul(dy, b, { transposeB: !transposeB }),
    transposeB
      ? matmul(dy, a, { transposeA: true, transposeB: transposeA })
      : matmul(a, dy, { transposeA: !transposeA }),
  ],
  fuses: { tail: true },
  precision: { reads: 'bfloat16', gives: 'any' },
  multiplyAdds: ([a], y) => (sizeOf(a.shape) / y.shape[0]) * sizeOf(y.shape),
  samples: [
    {
      shapes: [
        [3, 5],
        [5, 2],
      ],
      attrs: {},
    },
    {
      shapes: [
        [5, 3],
        [5, 4],
      ],
      attrs: { transposeA: true },
    },
    {
      shapes: [
        [3, 7],
        [6, 7],
      ],
      attrs: { transposeB: true },
    },
    {
      shapes: [
        [4, 3],
        [2, 4],
      ],
      attrs: { transposeA: true, transposeB: true },
    },
    {
      shapes: [
        [1, 9],
        [9, 17],
      ],
      attrs: {},
    },
    {
      shapes: [
        [33, 40],
        [40, 50],
      ],
      attrs: {},
    },
    {
      shapes: [
        [70, 33],
        [70, 13],
      ],
      attrs: { transposeA: true },
    },
  ],
})

/** What engines compute. */
export const matmulPrimitives = { matmul } as const

/** What users call. */
export const matmulPublic = {
  matmul: op({
    says: 'The product of two matrices: [m, k] x [k, n] -> [m, n].',
    takes: { a: nodeArgument('a matrix'), b: nodeArgument('a matrix') },
    attrs: {
      transposeA: flag({ says: 'a is given as [k, m]', default: false }),
      transposeB: flag({ says: 'b is given as [n, k]', default: false }),
    },
    call: matmul,
  }),
} as const
