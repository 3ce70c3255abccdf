/** Random numbers, an element at a time. */
import { normalPair, philox, uniformFromBits } from '../../../base/random.ts'
import type { Shape } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { samplingPrimitives } from '../../../ops/sampling.ts'
import type { Kernels, Tensor } from './context.ts'

/** Words of Philox for element `i` of an output whose rows begin at the key's row of the global batch. */
function bits(
  { data: [low, high, step, row] }: Tensor,
  { shape, stream }: { shape: Shape; stream: number },
  i: number,
): number {
  const element = row * (sizeOf(shape) / (shape[0] ?? 1)) + i
  const block = Math.floor(element / 4)
  return philox([block >>> 0, Math.floor(block / 2 ** 32), step >>> 0, stream >>> 0], [low >>> 0, high >>> 0])[
    element % 4
  ]
}

export const samplingKernels: Kernels<typeof samplingPrimitives> = {
  randomUniform([key], y, attrs) {
    for (let i = 0; i < y.length; i++) y[i] = uniformFromBits(bits(key, attrs, i))
  },

  randomNormal([key], y, attrs) {
    for (let i = 0; i < y.length; i++) {
      const even = i - ((key.data[3] * (y.length / (attrs.shape[0] ?? 1)) + i) % 2)
      y[i] = normalPair(bits(key, attrs, even), bits(key, attrs, even + 1))[i - even]
    }
  },
}
