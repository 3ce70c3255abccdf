/** Sums of outer products over rows: gradients of kernels, and matrix products whose first factor is transposed. */
import type { Buffer } from '../../../compile/step.ts'
import type { Code } from '../assembler.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel, evenly } from '../kernel.ts'
import { FLOAT, VECTOR } from '../vectors.ts'
import type { Columns, Rows } from './register-tiles.ts'
import {
  columnStore,
  eitherSize,
  grid,
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

/** Rows are taken in blocks of whole outer steps of about this many, summed by themselves, then added: near caches, small errors. */
const ROWS_PER_BLOCK = 256

/**
 * Units that one call does together find a block's rows in the second cache: fewer, larger calls make the gradients of
 * LeNet's and VGG's kernels 1.3 to 2.2 times as fast as one call per unit, each of which reads all of x and dy.
 */
const CALLS = 16

const outerKernel = defineKernel<OuterShape>('outerProducts', ({ rows, columns }) => (f, [x, dy, w], begin, end) => {
  const vectors = Math.ceil(columns.count / 4)
  const panelCut = evenly(vectors, TILE_VECTORS)
  const tileCut = evenly(rows.run, TILE_ROWS)
  const runCount = turns(rows.runs)
  const width = columns.groups * columns.count
  const outerCount = turns(rows.outer)
  const outerPerBlock = Math.min(outerCount, Math.max(1, Math.round(ROWS_PER_BLOCK / rows.width)))

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

  const storeColumns = columnStore(f, columns, firstVector)
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
    const overRows = f.loop(o, outer.get, outerEnd.get, 1, [
      a.set(i32.add(base.get, placeOf(o.get, rows.outer))),
      unrolled(f, rows.width, 4, turn, advance),
    ])
    const firstColumn = i32.add(i32.mul(group.get, columns.count * FLOAT), i32.mul(firstVector.get, VECTOR))
    const start = b.set(i32.add(i32.add(dy.get, i32.mul(outer.get, rows.width * width * FLOAT)), firstColumn))
    const add = sums.map((line, r) =>
      line.map((sum, v) => {
        const offset = r * width * FLOAT + v * VECTOR
        return [sum.set(f32x4.add(sum.get, v128.load(place.get, offset))), storeColumns(place.get, sum, v, offset)]
      }),
    )
    return [zeroed(sums), start, overRows, add]
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
    place.set(i32.add(i32.add(w.get, place.get), i32.mul(firstVector.get, VECTOR))),
  ]
  const overPanels = (body: Code): Code =>
    f.loop(panel, i32.const(0), i32.const(panelCut.count), 1, [firstVector.set(startOf(panel, panelCut)), body])
  const forTile = (body: (height: number, wide: number) => Code): Code =>
    eitherSize(f, panelCut, panel.get, (wide) => eitherSize(f, tileCut, tile.get, (height) => body(height, wide)))
  const clear = (height: number, wide: number): Code => {
    const [set, nothing] = f.let('v128', f32x4.const(0))
    const cells = Array.from({ length: height * wide }, (_, i) => [Math.floor(i / wide), i % wide])
    return [set, cells.map(([r, v]) => storeColumns(place.get, nothing, v, r * width * FLOAT + v * VECTOR))]
  }
  return [
    f.loop(unit, begin.get, end.get, 1, overPanels([setUp, forTile(clear)])),
    f.loop(outer, i32.const(0), i32.const(outerCount), outerPerBlock, [
      outerEnd.set(i32.add(outer.get, outerPerBlock)),
      outerEnd.set(i32.min(outerEnd.get, i32.const(outerCount))),
      f.loop(unit, begin.get, end.get, 1, overPanels([setUp, forTile(tileBody)])),
    ]),
  ]
})

/** w = sum over rows of x (outer) dy, in a fixed order of the rows. */
export function outerProducts(shape: OuterShape, buffers: { x: Buffer; dy: Buffer; w: Buffer }): WasmStage {
  const { rows, columns } = shape
  const tiles = evenly(rows.run, TILE_ROWS)
  const units = columns.groups * turns(rows.runs) * tiles.count
  const work = (turns(rows.outer) * rows.width * tiles.size * columns.count) / 8
  return outerKernel(shape, { reads: [buffers.x, buffers.dy], writes: [buffers.w], units, work, mostCalls: CALLS })
}
