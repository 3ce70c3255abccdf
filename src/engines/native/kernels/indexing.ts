/** Indexing: rows by number. A number outside the table reads zeros and is never written. */
import { sizeOf } from '../../../graph/shape.ts'
import type { indexingPrimitives } from '../../../ops/indexing.ts'
import type { Kernels, Lower } from './context.ts'
import { simple } from './context.ts'

const gather: Lower<Record<never, never>> = (step) => {
  const { inputs, output } = step
  const [table, indices] = inputs
  const rows = table.shape[0]
  const where = `gather [${table.shape.join(', ')}]`
  const fields = { kind: 'gather', where, rows, width: sizeOf(table.shape) / rows, count: sizeOf(indices.shape) }
  return [simple(step, fields, inputs, output)]
}

const gatherGradient: Lower<{ readonly rows: number }> = (step) => {
  const { inputs, output, attrs } = step
  const where = `gatherGradient [${output.shape.join(', ')}]`
  const width = sizeOf(output.shape) / attrs.rows
  const fields = { kind: 'gatherGradient', where, rows: attrs.rows, width, count: sizeOf(inputs[1].shape) }
  return [simple(step, fields, inputs, output)]
}

const oneHot: Lower<{ readonly depth: number }> = (step) => {
  const { inputs, output, attrs } = step
  const where = `oneHot [${output.shape.join(', ')}]`
  return [simple(step, { kind: 'oneHot', where, count: sizeOf(inputs[0].shape), depth: attrs.depth }, inputs, output)]
}

export const indexingKernels: Kernels<typeof indexingPrimitives> = { gather, gatherGradient, oneHot }
