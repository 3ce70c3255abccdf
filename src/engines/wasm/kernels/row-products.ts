/** Rows times packed panels: matrix products, convolution forward and its gradient for the input. */
import type { Buffer } from '../../../compile/step.ts'
import type { Code } from '../assembler.ts'
import type { Local } from '../function.ts'
import { i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel, evenly } from '../kernel.ts'
import { FLOAT, VECTOR } from '../vectors.ts'
import type { TailShape } from './context.ts'
import { renderTail } from './context.ts'
import type { Columns, Nest, Rows } from './register-tiles.ts'
import {
  columnStore,
  eitherSize,
  grid,
  inPieces,
  overNest,
  pieceOf,
  placeOf,
  startOf,
  summedTo,
  TILE_ROWS,
  TILE_VECTORS,
  turns,
  unrolled,
  zeroed,
} from './register-tiles.ts'

interface ProductShape {
  readonly rows: Rows
  readonly columns: Columns
  /** Packed in panels, or as the lines of the matrix [k, all columns]. */
  readonly weights: 'panels' | 'lines'
  /** Where rows of the result are, in floats, as rows of x. */
  readonly places: { readonly start: number; readonly outer: Nest; readonly stride: number }
  readonly tail?: TailShape
}

const ROWS_IN_CACHE = 48
/** Rows of more numbers than this are summed piece by piece. */
const LONG = 4096

const rowKernel = defineKernel<ProductShape>(
  'rowProducts',
  ({ rows, columns, weights: layout, places, tail }) =>
    (f, pointers, begin, end) => {
      const [x, matrix] = pointers
      const extras = pointers.slice(2, -1)
      const y = pointers[pointers.length - 1]
      const depth = turns(rows.runs) * rows.run
      const vectors = Math.ceil(columns.count / 4)
      const panelCut = evenly(vectors, TILE_VECTORS)
      const tileCut = evenly(rows.width, TILE_ROWS)
      const units = turns(rows.outer) * tileCut.count
      const width = columns.groups * columns.count

      const block = f.local('i32')
      const blockEnd = f.local('i32')
      const panel = f.local('i32')
      const unit = f.local('i32')
      const group = f.local('i32')
      const inGroup = f.local('i32')
      const tile = f.local('i32')
      const row = f.local('i32') // the tile's first row
      const firstVector = f.local('i32')
      const a = f.local('i32')
      const b = f.local('i32')
      const place = f.local('i32')
      const column = f.local('i32')

      const storeColumns = columnStore(f, columns, firstVector)
      const tileBody = (height: number, wide: number): Code => {
        const sums = grid(f, height, wide)
        const weights = Array.from({ length: wide }, () => f.local('v128'))
        const splat = f.local('v128')
        const depthStep = layout === 'panels' ? wide * VECTOR : width * FLOAT
        const turn = (i: number): Code => [
          weights.map((w, v) => w.set(v128.load(b.get, i * depthStep + v * VECTOR))),
          sums.map((line, r) => [
            splat.set(v128.loadSplat(a.get, (r * rows.stride + i) * FLOAT)),
            line.map((sum, v) => sum.set(f.multiplyAdd(splat.get, weights[v].get, sum.get))),
          ]),
        ]
        const advance = (n: number): Code => [a.set(i32.add(a.get, n * FLOAT)), b.set(i32.add(b.get, n * depthStep))]
        const back = a.set(i32.add(a.get, -rows.run * FLOAT))
        const add = (turns: number): Code => unrolled(f, turns, 4, turn, advance)
        const { totals, products } =
          depth > LONG
            ? pieceByPiece(sums, add, back)
            : { totals: sums, products: overNest(f, rows.runs, a, [add(rows.run), back]) }
        const finish = totals.map((line, r) =>
          line.map((sum, v) => {
            const offset = { place: r * places.stride * FLOAT + v * VECTOR, column: v * VECTOR }
            const done = renderTail(f, tail, sum, extras, { place: place.get, column: column.get, offset })
            return [done.code, storeColumns(i32.add(y.get, place.get), done.result, v, offset.place)]
          }),
        )
        return [zeroed(totals), depth > 0 ? products : [], finish]
      }
      /** The products of all runs: a long run in pieces, of short ones as many as make a piece. */
      const pieceByPiece = (sums: Local[][], add: (turns: number) => Code, back: Code) => {
        const { before, within } = pieceOf(rows.runs, rows.run)
        const isOneRun = turns(within) === 1
        const chain = overNest(f, within, a, [add(rows.run), back])
        const { totals, code } = isOneRun ? inPieces(f, rows.run, sums, add) : { totals: sums, code: chain }
        const all = grid(f, sums.length, sums[0].length)
        return { totals: all, products: overNest(f, before, a, summedTo(all, totals, isOneRun ? [code, back] : code)) }
      }
      const setUp = [
        group.set(columns.groups === 1 ? i32.const(0) : i32.div(unit.get, units)),
        inGroup.set(columns.groups === 1 ? unit.get : i32.rem(unit.get, units)),
        tile.set(i32.rem(inGroup.get, tileCut.count)),
        row.set(startOf(tile, tileCut)),
        inGroup.set(i32.div(inGroup.get, tileCut.count)),
        a.set(i32.add(i32.add(x.get, (rows.start ?? 0) * FLOAT), placeOf(inGroup.get, rows.outer))),
        a.set(i32.add(a.get, i32.mul(row.get, rows.stride * FLOAT))),
        a.set(i32.add(a.get, i32.mul(group.get, columns.groupStride * FLOAT))),
        column.set(i32.add(i32.mul(group.get, columns.count * FLOAT), i32.mul(firstVector.get, VECTOR))),
        layout === 'panels'
          ? b.set(i32.add(matrix.get, i32.mul(i32.add(i32.mul(group.get, vectors), firstVector.get), depth * VECTOR)))
          : b.set(i32.add(matrix.get, column.get)),
        place.set(
          i32.add(i32.add(placeOf(inGroup.get, places.outer), i32.mul(row.get, places.stride * FLOAT)), column.get),
        ),
        place.set(i32.add(place.get, places.start * FLOAT)),
      ]
      const oneTile = [
        setUp,
        eitherSize(f, panelCut, panel.get, (wide) =>
          eitherSize(f, tileCut, tile.get, (height) => tileBody(height, wide)),
        ),
      ]
      // a block of rows stays in the nearest cache while all panels pass over it
      const blockUnits = Math.max(1, Math.round(ROWS_IN_CACHE / tileCut.size))
      return f.loop(block, begin.get, end.get, blockUnits, [
        blockEnd.set(i32.add(block.get, blockUnits)),
        blockEnd.set(i32.min(blockEnd.get, end.get)),
        f.loop(panel, i32.const(0), i32.const(panelCut.count), 1, [
          firstVector.set(startOf(panel, panelCut)),
          f.loop(unit, block.get, blockEnd.get, 1, oneTile),
        ]),
      ])
    },
)

/** y = rows x matrix, whose panels come from `pack`. */
export function rowProducts(
  shape: {
    rows: Rows
    columns: Columns
    weights?: ProductShape['weights']
    places?: ProductShape['places']
    tail?: TailShape | undefined
  },
  buffers: { x: Buffer; matrix: Buffer; extras: readonly Buffer[]; y: Buffer },
): WasmStage {
  const { rows, columns, weights = 'panels', tail } = shape
  const width = columns.groups * columns.count
  const oneAfterTheOther = {
    start: 0,
    outer: [{ count: turns(rows.outer), stride: rows.width * width }],
    stride: width,
  }
  const { places = oneAfterTheOther } = shape
  const tiles = evenly(rows.width, TILE_ROWS)
  return rowKernel(
    { rows, columns, weights, places, ...(tail && { tail }) },
    {
      reads: [buffers.x, buffers.matrix, ...buffers.extras],
      writes: [buffers.y],
      units: columns.groups * turns(rows.outer) * tiles.count,
      work: (tiles.size * (turns(rows.runs) * rows.run + 8) * columns.count) / 8,
    },
  )
}
