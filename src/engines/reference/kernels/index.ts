/** Every op as a loop that reads like its formula, in float64, a family a line. The truth inside; never in a hurry. */
import type { KernelOps } from '../../../ops/index.ts'
import type { Kernels } from './context.ts'
import { convolutionKernels } from './convolution.ts'
import { indexingKernels } from './indexing.ts'
import { matmulKernels } from './matmul.ts'
import { movementKernels } from './movement.ts'
import { normalizationKernels } from './normalization.ts'
import { poolingKernels } from './pooling.ts'
import { reductionKernels } from './reduction.ts'
import { samplingKernels } from './sampling.ts'
import { windowSumKernels } from './window-sum.ts'

export const kernels: Kernels<KernelOps> = {
  ...matmulKernels,
  ...convolutionKernels,
  ...poolingKernels,
  ...normalizationKernels,
  ...reductionKernels,
  ...movementKernels,
  ...indexingKernels,
  ...samplingKernels,
  ...windowSumKernels,
}
