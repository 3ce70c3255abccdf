/** Random numbers, a row at a time. */
import { sizeOf } from '../../../graph/shape.ts'
import type { SamplingAttrs, samplingPrimitives } from '../../../ops/sampling.ts'
import type { Kernels, Lower } from './context.ts'
import { simple } from './context.ts'

const random =
  (normal: boolean): Lower<SamplingAttrs & { readonly atLeast?: number }> =>
  (step) => {
    const { inputs, output, attrs } = step
    const elements = sizeOf(output.shape)
    const rowSize = elements / (attrs.shape[0] ?? 1)
    const where = `${normal ? 'randomNormal' : 'randomUniform'} [${output.shape.join(', ')}]`
    const { stream, atLeast } = attrs
    const bound = atLeast !== undefined && { atLeast }
    return [simple(step, { kind: 'random', where, normal, elements, rowSize, stream, ...bound }, inputs, output)]
  }
const randomUniform = random(false)
const randomNormal = random(true)

export const samplingKernels: Kernels<typeof samplingPrimitives> = { randomUniform, randomNormal }
