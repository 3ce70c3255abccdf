/** Sums over a window that slides along the last axis. */
import type { windowSumPrimitives } from '../../../ops/window-sum.ts'
import type { Kernels } from './context.ts'

export const windowSumKernels: Kernels<typeof windowSumPrimitives> = {
  windowSum([x], y, { before, after }) {
    const width = x.shape[x.shape.length - 1]
    for (let i = 0; i < y.length; i++) {
      const column = i % width
      y[i] = 0
      for (let j = Math.max(0, column - before); j <= Math.min(width - 1, column + after); j++)
        y[i] += x.data[i - column + j]
    }
  },
}
