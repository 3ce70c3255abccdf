/** Softmax and its logarithm, row by row. */
import { sizeOf } from '../../../graph/shape.ts'
import type { normalizationPrimitives } from '../../../ops/normalization.ts'
import type { Kernels, Lower } from './context.ts'
import { simple } from './context.ts'

const softmaxOf =
  (logarithm: boolean): Lower<Record<never, never>> =>
  (step) => {
    const { inputs, output } = step
    const [{ dtype }] = inputs
    const width = output.shape[output.shape.length - 1]
    const where = `${logarithm ? 'logSoftmax' : 'softmax'} [${output.shape.join(', ')}]`
    const fields = { kind: 'softmax', where, dtype, logarithm, width, rows: sizeOf(output.shape) / width }
    return [simple(step, fields, inputs, output)]
  }
const softmax = softmaxOf(false)
const logSoftmax = softmaxOf(true)

export const normalizationKernels: Kernels<typeof normalizationPrimitives> = { softmax, logSoftmax }
