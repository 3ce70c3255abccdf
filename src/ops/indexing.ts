/** Indexing. An index outside the table reads as zeros and is never written. */
import { FoveaError } from '../base/errors.ts'
import { integer } from '../base/options.ts'
import type { Op } from '../graph/node.ts'
import { defineOp, wantDType } from '../graph/node.ts'
import { sameShape, shapeText } from '../graph/shape.ts'
import { nodeArgument } from './arguments.ts'
import { op } from './checked.ts'

/** Rows `indices` of `table` along its first axis: [rows, ...rest], int32 [...i] -> [...i, ...rest]. */
export const gather: Op<2> = defineOp('gather', 2, {
  infer: ([table, indices]) => {
    wantDType([table], 'float32')
    wantDType([indices], 'int32')
    return { shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype }
  },
  gradient: (dy, _, [table, indices]) => [gatherGradient(dy, indices, { rows: table.shape[0] }), undefined],
  samples: [
    { shapes: [[5, 3], { shape: [4], dtype: 'int32', below: 5 }], attrs: {} },
    { shapes: [[7, 2, 4], { shape: [2, 3], dtype: 'int32', below: 8 }], attrs: {} },
  ],
})

/** Adds row i of dy to row indices[i] of a table of zeros, in the order of i. */
export const gatherGradient: Op<2, { readonly rows: number }> = defineOp('gatherGradient', 2, {
  infer: ([dy, indices], { rows }) => {
    wantDType([dy], 'float32')
    wantDType([indices], 'int32')
    if (!sameShape(dy.shape.slice(0, indices.shape.length), indices.shape)) {
      const [expected, got] = [`[${indices.shape.join(', ')}, ...]`, shapeText(dy.shape)]
      throw new FoveaError('E_SHAPE', { what: 'needs a row per index', expected, got })
    }
    return { shape: [rows, ...dy.shape.slice(indices.shape.length)], dtype: 'float32' }
  },
  gradient: (g, _, [, indices]) => [gather(g, indices), undefined],
  samples: [
    { shapes: [[4, 3], { shape: [4], dtype: 'int32', below: 5 }], attrs: { rows: 5 } },
    { shapes: [[9, 6], { shape: [9], dtype: 'int32', below: 4 }], attrs: { rows: 3 } },
  ],
})

/** A row of zeros with a 1 at each index: int32 [...i] -> float32 [...i, depth]. */
export const oneHot: Op<1, { readonly depth: number }> = defineOp('oneHot', 1, {
  infer: ([indices], { depth }) => {
    wantDType([indices], 'int32')
    return { shape: [...indices.shape, depth], dtype: 'float32' }
  },
  gradient: () => [undefined],
  samples: [
    { shapes: [{ shape: [6], dtype: 'int32', below: 5 }], attrs: { depth: 5 } },
    { shapes: [{ shape: [2, 3], dtype: 'int32', below: 12 }], attrs: { depth: 10 } },
  ],
})

/** What engines compute. */
export const indexingPrimitives = { gather, gatherGradient, oneHot } as const

/** What users call. */
export const indexingPublic = {
  gather: op({
    says: 'Rows of a table along its first axis; zeros for an index outside.',
    takes: { table: nodeArgument('float32 [rows, ...]'), indices: nodeArgument('int32 of any shape') },
    call: gather,
  }),
  oneHot: op({
    says: 'A row of zeros with a 1 at each index: [...i] -> [...i, depth].',
    takes: { indices: nodeArgument('int32 of any shape') },
    attrs: { depth: integer({ says: 'length of a row', min: 1 }) },
    call: oneHot,
  }),
} as const
