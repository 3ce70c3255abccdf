/** Indexing: rows by number. A number outside the table reads zeros and is never written. */
import { sizeOf } from '../../../graph/shape.ts'
import type { indexingPrimitives } from '../../../ops/indexing.ts'
import type { Code } from '../assembler.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import { defineKernel } from '../kernel.ts'
import { copyRun, FLOAT, fillRun, storeFloats } from '../vectors.ts'
import type { Kernels, Lower } from './context.ts'

const ONE = 0x3f800000 // 1 as float32

interface TableShape {
  readonly rows: number
  readonly size: number
}

const gatherKernel = defineKernel<TableShape>('gather', ({ rows, size }) => (f, [table, indices, y], begin, end) => {
  const unit = f.local('i32')
  const row = f.local('i32')
  const to = f.local('i32')
  return f.loop(unit, begin.get, end.get, 1, [
    row.set(i32.load(i32.add(indices.get, i32.mul(unit.get, 4)))),
    to.set(i32.add(y.get, i32.mul(unit.get, size * FLOAT))),
    f.if(
      i32.lessUnsigned(row.get, i32.const(rows)),
      copyRun(f, to.get, i32.add(table.get, i32.mul(row.get, size * FLOAT)), size),
      fillRun(f, to.get, size),
    ),
  ])
})

const gather: Lower<Record<never, never>> = ({ inputs: [table, indices], output }) => {
  const rows = table.shape[0]
  const size = sizeOf(table.shape) / rows
  return [
    gatherKernel(
      { rows, size },
      { reads: [table.buffer, indices.buffer], writes: [output.buffer], units: sizeOf(indices.shape), work: size * 2 },
    ),
  ]
}

/** A unit is a vector of columns, so that rows are added in the order of the indices. */
const scatterKernel = defineKernel<TableShape & { readonly count: number }>(
  'gatherGradient',
  ({ rows, size, count }) =>
    (f, [dy, indices, table], begin, end) => {
      const unit = f.local('i32')
      const i = f.local('i32')
      const row = f.local('i32')
      const to = f.local('i32')
      const sum = f.local('v128')
      const rest = size % 4
      const columns = (lanes: number): Code => [
        f.loop(row, i32.const(0), i32.const(rows), 1, [
          sum.set(f32x4.const(0)),
          storeFloats(i32.add(i32.add(table.get, i32.mul(row.get, size * FLOAT)), i32.mul(unit.get, 16)), sum, lanes),
        ]),
        f.loop(i, i32.const(0), i32.const(count), 1, [
          row.set(i32.load(i32.add(indices.get, i32.mul(i.get, 4)))),
          f.if(i32.lessUnsigned(row.get, i32.const(rows)), [
            to.set(i32.add(i32.add(table.get, i32.mul(row.get, size * FLOAT)), i32.mul(unit.get, 16))),
            sum.set(
              f32x4.add(
                v128.load(to.get),
                v128.load(i32.add(i32.add(dy.get, i32.mul(i.get, size * FLOAT)), i32.mul(unit.get, 16))),
              ),
            ),
            storeFloats(to.get, sum, lanes),
          ]),
        ]),
      ]
      const isLast = i32.equal(unit.get, i32.const(Math.floor(size / 4)))
      return f.loop(unit, begin.get, end.get, 1, rest === 0 ? columns(4) : f.if(isLast, columns(rest), columns(4)))
    },
)

const gatherGradient: Lower<{ readonly rows: number }> = ({ inputs: [dy, indices], output, attrs: { rows } }) => {
  const count = sizeOf(indices.shape)
  const size = sizeOf(dy.shape) / count
  return [
    scatterKernel(
      { rows, size, count },
      {
        reads: [dy.buffer, indices.buffer],
        writes: [output.buffer],
        units: Math.ceil(size / 4),
        work: (rows + count) * 8,
      },
    ),
  ]
}

const oneHotKernel = defineKernel<{ readonly depth: number }>(
  'oneHot',
  ({ depth }) =>
    (f, [indices, y], begin, end) => {
      const unit = f.local('i32')
      const index = f.local('i32')
      const to = f.local('i32')
      return f.loop(unit, begin.get, end.get, 1, [
        index.set(i32.load(i32.add(indices.get, i32.mul(unit.get, 4)))),
        to.set(i32.add(y.get, i32.mul(unit.get, depth * FLOAT))),
        fillRun(f, to.get, depth),
        f.if(
          i32.lessUnsigned(index.get, i32.const(depth)),
          i32.store(i32.add(to.get, i32.mul(index.get, FLOAT)), i32.const(ONE)),
        ),
      ])
    },
)

const oneHot: Lower<{ readonly depth: number }> = ({ inputs: [indices], output, attrs: { depth } }) => [
  oneHotKernel(
    { depth },
    { reads: [indices.buffer], writes: [output.buffer], units: sizeOf(indices.shape), work: depth },
  ),
]

export const indexingKernels: Kernels<typeof indexingPrimitives> = { gather, gatherGradient, oneHot }
