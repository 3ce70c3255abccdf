/**
 * A few rows times a matrix that is read once, in its own order, from its first byte to its last: what a prediction for one
 * picture is made of. Packing would cost more than the product (without it lenet predicts 1.8 times, mnistCnn 5 times
 * as many images at batch 1).
 */
import type { Buffer } from '../../../compile/step.ts'
import type { Code } from '../assembler.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { FLOAT, fillRun, overRun, storeFloats, VECTOR } from '../vectors.ts'
import type { TailShape } from './context.ts'
import { renderTail, scratch } from './context.ts'
import { grid, inPieces, PIECES, zeroed } from './register-tiles.ts'

interface RowVectorShape {
  readonly rows: number
  readonly depth: number
  readonly columns: number
}

/** More rows than this are worth packing for. */
export const FEW_ROWS = 3
/** Floats of the matrix, and lines of it, that are multiplied into one partial sum. */
const FLOATS_PER_CHUNK = 32_768
const LINES_PER_CHUNK = 512
/** Lines of the matrix that are added at once: every sum is loaded and stored as many times less. */
const linesAtOnce = (rows: number): number => [8, 4, 2][rows - 1]

/** Floats of a row of sums, in whole vectors. */
const padded = (columns: number): number => Math.ceil(columns / 4) * 4

function linesPerChunk({ rows, columns }: RowVectorShape): number {
  const lines = linesAtOnce(rows)
  return lines * Math.max(1, Math.round(Math.min(LINES_PER_CHUNK, FLOATS_PER_CHUNK / columns) / lines))
}
const chunksOf = (shape: RowVectorShape): number => Math.ceil(shape.depth / linesPerChunk(shape))

/** Chunk by chunk of the matrix's lines: [chunks, rows, padded columns]. */
const partialKernel = defineKernel<RowVectorShape>('rowVectors', (shape) => (f, [x, matrix, partial], begin, end) => {
  const { rows, depth, columns } = shape
  const lines = linesAtOnce(rows)
  const length = linesPerChunk(shape)
  const rest = depth % lines
  const unit = f.local('i32')
  const line = f.local('i32')
  const lastLine = f.local('i32')
  const [a, b, sums] = [f.local('i32'), f.local('i32'), f.local('i32')]
  const splats = Array.from({ length: rows * lines }, () => f.local('v128'))
  const weights = f.local('v128')
  const results = Array.from({ length: rows }, () => f.local('v128'))
  const rowBytes = padded(columns) * FLOAT

  const add = (count: number): Code => [
    splats
      .slice(0, rows * count)
      .map((splat, i) => splat.set(v128.loadSplat(a.get, ((i % rows) * depth + Math.floor(i / rows)) * FLOAT))),
    overRun(f, padded(columns), (at, offset) => {
      const place = (base: Code): Code => i32.add(base, at)
      return [
        results.map((sum, r) => sum.set(v128.load(place(sums.get), offset + r * rowBytes))),
        Array.from({ length: count }, (_, i) => [
          weights.set(v128.load(place(b.get), offset + i * columns * FLOAT)),
          results.map((sum, r) => sum.set(f.multiplyAdd(splats[i * rows + r].get, weights.get, sum.get))),
        ]),
        results.map((sum, r) => v128.store(place(sums.get), sum.get, offset + r * rowBytes)),
      ]
    }),
    a.set(i32.add(a.get, count * FLOAT)),
    b.set(i32.add(b.get, count * columns * FLOAT)),
  ]
  return f.loop(unit, begin.get, end.get, 1, [
    line.set(i32.mul(unit.get, length)),
    lastLine.set(i32.add(line.get, length)),
    lastLine.set(i32.min(lastLine.get, i32.const(depth - rest))),
    a.set(i32.add(x.get, i32.mul(line.get, FLOAT))),
    b.set(i32.add(matrix.get, i32.mul(line.get, columns * FLOAT))),
    sums.set(i32.add(partial.get, i32.mul(unit.get, rows * rowBytes))),
    fillRun(f, sums.get, rows * padded(columns)),
    f.loop(line, line.get, lastLine.get, lines, add(lines)),
    rest === 0 ? [] : f.if(i32.equal(unit.get, i32.const(chunksOf(shape) - 1)), add(rest)),
  ])
})

/** The chunks' sums in order, then the tail; a vector of columns per unit. */
const totalKernel = defineKernel<RowVectorShape & { readonly tail?: TailShape }>(
  'rowVectorTotals',
  ({ tail, ...shape }) =>
    (f, pointers, begin, end) => {
      const { rows, columns } = shape
      const partial = pointers[0]
      const extras = pointers.slice(1, -1)
      const y = pointers[pointers.length - 1]
      const unit = f.local('i32')
      const column = f.local('i32') // in bytes
      const from = f.local('i32')
      const rowBytes = padded(columns) * FLOAT
      const sums = grid(f, rows, 1)
      const add = (chunks: number): Code =>
        f.times(chunks, () => [
          sums.map(([sum], r) => sum.set(f32x4.add(sum.get, v128.load(from.get, r * rowBytes)))),
          from.set(i32.add(from.get, rows * rowBytes)),
        ])
      const { totals, code } = inPieces(f, chunksOf(shape), sums, add, PIECES)
      const store = (lanes: number): Code =>
        totals.map(([sum], r) => {
          const offset = { place: r * columns * FLOAT, column: 0 }
          const done = renderTail(f, tail, sum, extras, { place: column.get, column: column.get, offset })
          return [done.code, storeFloats(i32.add(y.get, column.get), done.result, lanes, offset.place)]
        })
      const last = Math.ceil(columns / 4) - 1
      return f.loop(unit, begin.get, end.get, 1, [
        column.set(i32.mul(unit.get, VECTOR)),
        from.set(i32.add(partial.get, column.get)),
        zeroed(totals),
        code,
        columns % 4 === 0 ? store(4) : f.if(i32.lessUnsigned(unit.get, i32.const(last)), store(4), store(columns % 4)),
      ])
    },
)

/** y = x times a matrix given row by row; for at most `FEW_ROWS` rows. */
export function rowVectors(
  { tail, ...shape }: RowVectorShape & { readonly tail?: TailShape },
  buffers: { x: Buffer; matrix: Buffer; extras: readonly Buffer[]; y: Buffer },
): WasmStage[] {
  const { rows, columns } = shape
  const chunks = chunksOf(shape)
  const partial = scratch(chunks, rows, padded(columns)).buffer
  return [
    partialKernel(shape, {
      reads: [buffers.x, buffers.matrix],
      writes: [partial],
      units: chunks,
      work: linesPerChunk(shape) * columns,
    }),
    totalKernel(
      { ...shape, ...(tail && { tail }) },
      {
        reads: [partial, ...buffers.extras],
        writes: [buffers.y],
        units: Math.ceil(columns / 4),
        work: chunks * rows * 4,
      },
    ),
  ]
}
