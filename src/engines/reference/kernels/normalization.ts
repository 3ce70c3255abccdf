/** Softmax and its logarithm, row by row. */
import type { normalizationPrimitives } from '../../../ops/normalization.ts'
import type { Kernels, Tensor } from './context.ts'

function eachRow(x: Tensor, visit: (row: Float64Array, start: number) => void): void {
  const size = x.shape[x.shape.length - 1]
  for (let start = 0; start < x.data.length; start += size) visit(x.data.subarray(start, start + size), start)
}

export const normalizationKernels: Kernels<typeof normalizationPrimitives> = {
  softmax([x], y) {
    eachRow(x, (row, start) => {
      const most = row.reduce((a, b) => Math.max(a, b), -Infinity)
      const total = row.reduce((sum, value) => sum + Math.exp(value - most), 0)
      row.forEach((value, i) => {
        y[start + i] = Math.exp(value - most) / total
      })
    })
  },

  logSoftmax([x], y) {
    eachRow(x, (row, start) => {
      const most = row.reduce((a, b) => Math.max(a, b), -Infinity)
      const total = row.reduce((sum, value) => sum + Math.exp(value - most), 0)
      row.forEach((value, i) => {
        y[start + i] = value - most - Math.log(total)
      })
    })
  },
}
