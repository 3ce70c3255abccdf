import type { matmulPrimitives } from '../../../ops/matmul.ts'
import type { Kernels } from './context.ts'

export const matmulKernels: Kernels<typeof matmulPrimitives> = {
  matmul([a, b], y, { transposeA = false, transposeB = false }, { shape: [m, n] }) {
    const k = transposeA ? a.shape[0] : a.shape[1]
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let l = 0; l < k; l++) {
          sum += a.data[transposeA ? l * m + i : i * k + l] * b.data[transposeB ? j * k + l : l * n + j]
        }
        y[i * n + j] = sum
      }
    }
  },
}
