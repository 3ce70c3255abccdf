/**
 * A few rows times a matrix that is read once, as it lies: what a prediction for one picture is made of. Packing would
 * cost more than the product: without it lenet predicts 1.8 times, mnistCnn 5 times as many images at batch 1.
 */
import type { Buffer } from '../../../compile/step.ts'
import type { Code } from '../assembler.ts'
import { i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { storeFloats } from '../vectors.ts'
import type { TailShape } from './context.ts'
import { renderTail } from './context.ts'
import { FLOAT, grid, unrolled, VECTOR, zeroed } from './tiles.ts'

interface RowVectorShape {
  readonly rows: number
  readonly depth: number
  readonly columns: number
  readonly tail?: TailShape
}

/** More rows than this are worth packing for. */
export const FEW_ROWS = 3
/** Vectors of columns that a unit takes: with its rows at most 12 sums. */
const vectorsPerUnit = (rows: number): number => (rows === 1 ? 8 : 4)

const kernel = defineKernel<RowVectorShape>(
  'rowVectors',
  ({ rows, depth, columns, tail }) =>
    (f, pointers, begin, end) => {
      const [x, matrix] = pointers
      const extras = pointers.slice(2, -1)
      const y = pointers[pointers.length - 1]
      const wide = vectorsPerUnit(rows)
      const unit = f.local('i32')
      const column = f.local('i32') // in bytes
      const a = f.local('i32')
      const b = f.local('i32')

      const block = (vectors: number, lastLanes: number): Code => {
        const sums = grid(f, rows, vectors)
        const splats = Array.from({ length: rows }, () => f.local('v128'))
        const weights = f.local('v128')
        const turn = (i: number): Code => [
          splats.map((splat, r) => splat.set(v128.loadSplat(a.get, (r * depth + i) * FLOAT))),
          Array.from({ length: vectors }, (_, v) => [
            weights.set(v128.load(b.get, i * columns * FLOAT + v * VECTOR)),
            sums.map((line, r) => line[v].set(f.multiplyAdd(splats[r].get, weights.get, line[v].get))),
          ]),
        ]
        const advance = (n: number): Code => [
          a.set(i32.add(a.get, n * FLOAT)),
          b.set(i32.add(b.get, n * columns * FLOAT)),
        ]
        const finish = sums.map((line, r) =>
          line.map((sum, v) => {
            const offset = { place: r * columns * FLOAT + v * VECTOR, column: v * VECTOR }
            const done = renderTail(f, tail, sum, extras, { place: column.get, column: column.get, offset })
            const lanes = v === vectors - 1 ? lastLanes : 4
            return [done.code, storeFloats(i32.add(y.get, column.get), done.result, lanes, offset.place)]
          }),
        )
        return [
          a.set(x.get),
          b.set(i32.add(matrix.get, column.get)),
          zeroed(sums),
          unrolled(f, depth, 4, turn, advance),
          finish,
        ]
      }
      const whole = Math.floor(columns / (wide * 4))
      const rest = columns - whole * wide * 4
      const body =
        rest === 0
          ? block(wide, 4)
          : f.if(
              i32.lessUnsigned(unit.get, i32.const(whole)),
              block(wide, 4),
              block(Math.ceil(rest / 4), rest % 4 === 0 ? 4 : rest % 4),
            )
      return f.loop(unit, begin.get, end.get, 1, [column.set(i32.mul(unit.get, wide * VECTOR)), body])
    },
)

/** y = x times a matrix given row by row; for at most `FEW_ROWS` rows. */
export function rowVectors(
  shape: RowVectorShape,
  buffers: { x: Buffer; matrix: Buffer; extras: readonly Buffer[]; y: Buffer },
): WasmStage {
  const wide = vectorsPerUnit(shape.rows) * 4
  return kernel(shape, {
    reads: [buffers.x, buffers.matrix, ...buffers.extras],
    writes: [buffers.y],
    units: Math.ceil(shape.columns / wide),
    work: shape.depth * wide,
  })
}
