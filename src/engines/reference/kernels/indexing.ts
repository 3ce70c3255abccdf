/** Indexing. A number outside the table reads zeros and is never written. */
import { sizeOf } from '../../../graph/shape.ts'
import type { indexingPrimitives } from '../../../ops/indexing.ts'
import type { Kernels } from './context.ts'

export const indexingKernels: Kernels<typeof indexingPrimitives> = {
  gather([table, indices], y) {
    const size = sizeOf(table.shape.slice(1))
    indices.data.forEach((row, i) => {
      for (let j = 0; j < size; j++) y[i * size + j] = row >= 0 && row < table.shape[0] ? table.data[row * size + j] : 0
    })
  },

  gatherGradient([dy, indices], dtable, { rows }) {
    dtable.fill(0)
    const size = dtable.length / rows
    indices.data.forEach((row, i) => {
      if (row < 0 || row >= rows) return
      for (let j = 0; j < size; j++) dtable[row * size + j] += dy.data[i * size + j]
    })
  },

  oneHot([indices], y, { depth }) {
    indices.data.forEach((index, i) => {
      for (let j = 0; j < depth; j++) y[i * depth + j] = index === j ? 1 : 0
    })
  },
}
