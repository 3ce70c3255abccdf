/** The ops as a user calls them: conveniences in front of primitives where there are any. */

import { convolutionOps } from './convolution.ts'
import { clip, elementwiseOps, select } from './elementwise.ts'
import { indexingOps } from './indexing.ts'
import { matmulOps } from './matmul.ts'
import { movementOps } from './movement.ts'
import { normalizationOps } from './normalization.ts'
import { poolingOps } from './pooling.ts'
import { reductionOps } from './reduction.ts'
import { samplingOps } from './sampling.ts'

export const ops = {
  ...elementwiseOps,
  select,
  clip,
  ...matmulOps,
  ...convolutionOps,
  ...poolingOps,
  ...normalizationOps,
  ...reductionOps,
  ...movementOps,
  ...indexingOps,
  ...samplingOps,
} as const
