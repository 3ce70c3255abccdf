/** The ops as a user calls them, a family a line: conveniences in front of primitives where there are any. */
import { checkedOps } from './checked.ts'
import { convolutionPublic } from './convolution.ts'
import { elementwisePublic } from './elementwise.ts'
import { indexingPublic } from './indexing.ts'
import { matmulPublic } from './matmul.ts'
import { movementPublic } from './movement.ts'
import { normalizationPublic } from './normalization.ts'
import { poolingPublic } from './pooling.ts'
import { reductionPublic } from './reduction.ts'
import { samplingPublic } from './sampling.ts'
import { windowSumPublic } from './window-sum.ts'

export const publicOps = {
  ...elementwisePublic,
  ...matmulPublic,
  ...convolutionPublic,
  ...poolingPublic,
  ...normalizationPublic,
  ...reductionPublic,
  ...movementPublic,
  ...indexingPublic,
  ...samplingPublic,
  ...windowSumPublic,
} as const

export const ops = checkedOps(publicOps)
