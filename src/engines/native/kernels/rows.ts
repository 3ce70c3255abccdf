/** Operations over rows: softmax, rows by number, random numbers. */
import { sizeOf } from '../../../graph/shape.ts'
import type { SamplingAttrs } from '../../../ops/sampling.ts'
import type { Lower } from './context.ts'
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
export const softmax = softmaxOf(false)
export const logSoftmax = softmaxOf(true)

export const gather: Lower<Record<never, never>> = (step) => {
  const { inputs, output } = step
  const [table, indices] = inputs
  const rows = table.shape[0]
  const where = `gather [${table.shape.join(', ')}]`
  const fields = { kind: 'gather', where, rows, width: sizeOf(table.shape) / rows, count: sizeOf(indices.shape) }
  return [simple(step, fields, inputs, output)]
}

export const gatherGradient: Lower<{ readonly rows: number }> = (step) => {
  const { inputs, output, attrs } = step
  const where = `gatherGradient [${output.shape.join(', ')}]`
  const width = sizeOf(output.shape) / attrs.rows
  const fields = { kind: 'gatherGradient', where, rows: attrs.rows, width, count: sizeOf(inputs[1].shape) }
  return [simple(step, fields, inputs, output)]
}

export const oneHot: Lower<{ readonly depth: number }> = (step) => {
  const { inputs, output, attrs } = step
  const where = `oneHot [${output.shape.join(', ')}]`
  return [simple(step, { kind: 'oneHot', where, count: sizeOf(inputs[0].shape), depth: attrs.depth }, inputs, output)]
}

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
export const randomUniform = random(false)
export const randomNormal = random(true)
