/** Sums of outer products over rows: gradients of kernels, and matrix products whose first factor is transposed. */
import type { Buffer } from '../../../compile/step.ts'
import type { Code } from '../assembler.ts'
import type { Local } from '../function.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel, evenly } from '../kernel.ts'
import { FLOAT, VECTOR } from '../vectors.ts'
import { scratch } from './context.ts'
import type { Columns, Rows } from './register-tiles.ts'
import {
  columnStore,
  eitherSize,
  grid,
  inPieces,
  placeOf,
  startOf,
  TILE_ROWS,
  TILE_VECTORS,
  turns,
  unrolled,
  zeroed,
} from './register-tiles.ts'

interface OuterShape {
  readonly rows: Rows
  readonly columns: Columns
}

/** Outer steps that are added to one another, and how many such blocks there are. */
function blocksOf(rows: Rows) {
  const outer = turns(rows.outer)
  const size = Math.min(outer, Math.max(1, Math.round(ROWS_PER_BLOCK / rows.width)))
  return { size, count: Math.ceil(outer / size) }
}
/** Blocks that are added to one another, where there are more than `MOST_BLOCKS`; then their sum is added to that of those before. */
const BLOCKS = 64
const MOST_BLOCKS = 512
const isLong = ({ rows }: OuterShape): boolean => blocksOf(rows).count > MOST_BLOCKS

/** Rows of an outer step from which on they are summed piece by piece. */
const WIDE = 1024

/** Rows are taken in blocks of whole outer steps of about this many, summed by themselves, then added: near caches, small errors. */
const ROWS_PER_BLOCK = 256

/**
 * Units that one call does together find a block's rows in the second cache: fewer, larger calls make the gradients of
 * LeNet's and VGG's kernels 1.3 to 2.2 times as fast as one call per unit, each of which reads all of x and dy.
 */
const CALLS = 16

const outerKernel = defineKernel<OuterShape>('outerProducts', (shape) => (f, pointers, begin, end) => {
  const { rows, columns } = shape
  const [x, dy, own] = pointers // sums of some blocks, or of all
  const w = pointers[pointers.length - 1]
  const vectors = Math.ceil(columns.count / 4)
  const panelCut = evenly(vectors, TILE_VECTORS)
  const tileCut = evenly(rows.run, TILE_ROWS)
  const runCount = turns(rows.runs)
  const width = columns.groups * columns.count
  const outerCount = turns(rows.outer)
  const outerPerBlock = blocksOf(rows).size

  const outer = f.local('i32')
  const outerEnd = f.local('i32')
  const o = f.local('i32')
  const unit = f.local('i32')
  const panel = f.local('i32')
  const firstVector = f.local('i32')
  const group = f.local('i32')
  const inGroup = f.local('i32')
  const tile = f.local('i32')
  const k = f.local('i32') // the tile's first place within its run
  const base = f.local('i32')
  const a = f.local('i32')
  const b = f.local('i32')
  const place = f.local('i32')
  const target = f.local('i32') // the matrix that `place` is of

  const storeColumns = columnStore(f, columns, firstVector)
  /** Adds to what stands for row r and vector v of a tile. */
  const addTo = (at: Code, sum: Local, r: number, v: number): Code => {
    const offset = r * width * FLOAT + v * VECTOR
    return [sum.set(f32x4.add(sum.get, v128.load(at, offset))), storeColumns(at, sum, v, offset)]
  }
  const tileBody = (height: number, wide: number): Code => {
    const sums = grid(f, height, wide)
    const values = Array.from({ length: wide }, () => f.local('v128'))
    const splat = f.local('v128')
    const turn = (i: number): Code => [
      values.map((value, v) => value.set(v128.load(b.get, i * width * FLOAT + v * VECTOR))),
      sums.map((line, r) => [
        splat.set(v128.loadSplat(a.get, (i * rows.stride + r) * FLOAT)),
        line.map((sum, v) => sum.set(f.multiplyAdd(splat.get, values[v].get, sum.get))),
      ]),
    ]
    const advance = (n: number): Code => [
      a.set(i32.add(a.get, n * rows.stride * FLOAT)),
      b.set(i32.add(b.get, n * width * FLOAT)),
    ]
    const add = (n: number): Code => unrolled(f, n, 4, turn, advance)
    const { totals, code } =
      rows.width > WIDE ? inPieces(f, rows.width, sums, add) : { totals: sums, code: add(rows.width) }
    const overRows = f.loop(o, outer.get, outerEnd.get, 1, [a.set(i32.add(base.get, placeOf(o.get, rows.outer))), code])
    const firstColumn = i32.add(i32.mul(group.get, columns.count * FLOAT), i32.mul(firstVector.get, VECTOR))
    const start = b.set(i32.add(i32.add(dy.get, i32.mul(outer.get, rows.width * width * FLOAT)), firstColumn))
    return [zeroed(totals), start, overRows, totals.map((line, r) => line.map((sum, v) => addTo(place.get, sum, r, v)))]
  }
  const perGroup = runCount * tileCut.count
  const setUp = [
    group.set(columns.groups === 1 ? i32.const(0) : i32.div(unit.get, perGroup)),
    inGroup.set(columns.groups === 1 ? unit.get : i32.rem(unit.get, perGroup)),
    tile.set(i32.rem(inGroup.get, tileCut.count)),
    k.set(startOf(tile, tileCut)),
    inGroup.set(i32.div(inGroup.get, tileCut.count)), // which run
    base.set(i32.add(i32.add(x.get, placeOf(inGroup.get, rows.runs)), i32.mul(k.get, FLOAT))),
    base.set(i32.add(base.get, i32.mul(group.get, columns.groupStride * FLOAT))),
    place.set(i32.mul(i32.add(i32.mul(inGroup.get, rows.run), k.get), width * FLOAT)),
    place.set(i32.add(place.get, i32.mul(group.get, columns.count * FLOAT))),
    place.set(i32.add(i32.add(target.get, place.get), i32.mul(firstVector.get, VECTOR))),
  ]
  const overPanels = (body: Code): Code =>
    f.loop(panel, i32.const(0), i32.const(panelCut.count), 1, [firstVector.set(startOf(panel, panelCut)), body])
  const forTile = (body: (height: number, wide: number) => Code): Code =>
    eitherSize(f, panelCut, panel.get, (wide) => eitherSize(f, tileCut, tile.get, (height) => body(height, wide)))
  const cells = <T>(height: number, wide: number, code: (r: number, v: number) => T): T[] =>
    Array.from({ length: height * wide }, (_, i) => code(Math.floor(i / wide), i % wide))
  const clear = (height: number, wide: number): Code => {
    const [set, nothing] = f.let('v128', f32x4.const(0))
    return [set, cells(height, wide, (r, v) => storeColumns(place.get, nothing, v, r * width * FLOAT + v * VECTOR))]
  }
  const some = f.local('v128')
  const total = i32.add(place.get, i32.sub(w.get, own.get))
  const addUp = (height: number, wide: number): Code =>
    cells(height, wide, (r, v) => [
      some.set(v128.load(place.get, r * width * FLOAT + v * VECTOR)),
      addTo(total, some, r, v),
    ])
  const overUnits = (body: (height: number, wide: number) => Code): Code =>
    f.loop(unit, begin.get, end.get, 1, overPanels([setUp, forTile(body)]))
  const overBlocks = (first: Code, last: Code): Code =>
    f.loop(outer, first, last, outerPerBlock, [
      outerEnd.set(i32.add(outer.get, outerPerBlock)),
      outerEnd.set(i32.min(outerEnd.get, i32.const(outerCount))),
      overUnits(tileBody),
    ])
  const clearAll = (matrix: Local): Code => [target.set(matrix.get), overUnits(clear)]
  if (!isLong(shape)) return [clearAll(w), overBlocks(i32.const(0), i32.const(outerCount))]
  const first = f.local('i32')
  const last = f.local('i32')
  return [
    clearAll(w),
    f.loop(first, i32.const(0), i32.const(outerCount), outerPerBlock * BLOCKS, [
      last.set(i32.add(first.get, outerPerBlock * BLOCKS)),
      last.set(i32.min(last.get, i32.const(outerCount))),
      clearAll(own),
      overBlocks(first.get, last.get),
      overUnits(addUp),
    ]),
  ]
})

/** w = sum over rows of x (outer) dy, in a fixed order of the rows. */
export function outerProducts(shape: OuterShape, buffers: { x: Buffer; dy: Buffer; w: Buffer }): WasmStage {
  const { rows, columns } = shape
  const tiles = evenly(rows.run, TILE_ROWS)
  const units = columns.groups * turns(rows.runs) * tiles.count
  const work = (turns(rows.outer) * rows.width * tiles.size * columns.count) / 8
  const size = turns(rows.runs) * rows.run * columns.groups * columns.count
  const writes = [...(isLong(shape) ? [scratch(size).buffer] : []), buffers.w]
  return outerKernel(shape, { reads: [buffers.x, buffers.dy], writes, units, work, mostCalls: CALLS })
}
