/**
 * The two loops in which nearly all time goes. Matmul and convolution are both sums of products over "rows", places in
 * memory from which runs of floats are read as they lie (no unfolding of patches):
 *
 *   rowProducts:   y[row, column] = sum over k of x[row + place(k)] * panel[k, column], weights packed in panels
 *   outerProducts: w[k, column] = sum over rows of x[row + place(k)] * y[row, column]
 *
 * Register tiles of up to 6 rows by 2 vectors: 12 sums, 2 vectors and 1 splat fit the 15 registers that V8 has to give.
 */
import type { Buffer } from '../../../compile/step.ts'
import type { Code } from '../assembler.ts'
import type { FunctionWriter, Local } from '../function.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel, evenly } from '../kernel.ts'
import { storeFloats } from '../vectors.ts'
import type { TailShape } from './context.ts'
import { renderTail } from './context.ts'

const FLOAT = 4
const VECTOR = 16
const TILE_ROWS = 6
const TILE_VECTORS = 2

/** Nested steps through memory: `count` times `stride` floats, the outermost first. */
export type Nest = readonly { readonly count: number; readonly stride: number }[]

const turns = (nest: Nest): number => nest.reduce((product, { count }) => product * count, 1)

/** Where rows start, and what is read from each. Everything in floats. */
export interface Rows {
  /** Row (o, p) starts at the place of o in `outer` plus p * `stride`; p in 0 .. `width` - 1. */
  readonly outer: Nest
  readonly width: number
  readonly stride: number
  /** From each row: runs of `run` floats at the places of this nest. k counts through them. */
  readonly runs: Nest
  readonly run: number
}

export interface Columns {
  readonly groups: number
  /** Columns per group. */
  readonly count: number
  /** Floats from a group's rows to the next group's. */
  readonly groupStride: number
}

interface ProductShape {
  readonly rows: Rows
  readonly columns: Columns
  readonly tail?: TailShape
}

/** Bytes of the place that flat index `index` has in a nest. */
function placeOf(index: Code, nest: Nest): Code {
  let rest = index
  let place: Code = i32.const(0)
  for (let i = nest.length - 1; i >= 0; i--) {
    const { count, stride } = nest[i]
    if (stride > 0) place = i32.add(place, i32.mul(i > 0 ? i32.rem(rest, count) : rest, stride * FLOAT))
    rest = i32.div(rest, count)
  }
  return place
}

/** `body` for every turn of a nest, with `address` moved along. */
function overNest(f: FunctionWriter, nest: Nest, address: Local, body: Code): Code {
  return nest.reduceRight<Code>((inner, { count, stride }) => {
    const step = address.set(i32.add(address.get, stride * FLOAT))
    const back = address.set(i32.add(address.get, -count * stride * FLOAT))
    return count === 1 ? inner : [f.times(count, () => [inner, step]), back]
  }, body)
}

const grid = (f: FunctionWriter, rows: number, vectors: number): Local[][] =>
  Array.from({ length: rows }, () => Array.from({ length: vectors }, () => f.local('v128')))

const zeroed = (sums: Local[][]): Code => sums.flat().map((sum) => sum.set(f32x4.const(0)))

/** Splits `count` turns into a loop of `unroll` at a time and the rest written out; `body(i)` is turn i of a group. */
function unrolled(
  f: FunctionWriter,
  count: number,
  unroll: number,
  body: (i: number) => Code,
  advance: (turns: number) => Code,
): Code {
  const group = count <= 2 * unroll ? count : unroll
  const full = Math.floor(count / group)
  const rest = count % group
  const written = (n: number): Code => [Array.from({ length: n }, (_, i) => body(i)), n > 0 ? advance(n) : []]
  return [full === 1 ? written(group) : f.times(full, () => written(group)), written(rest)]
}

/** Two cases that differ by one in size, chosen at run time; only what occurs is written. */
function eitherSize(
  f: FunctionWriter,
  cut: { count: number; size: number; large: number },
  index: Code,
  body: (size: number) => Code,
): Code {
  if (cut.large === cut.count) return body(cut.size)
  return f.if(i32.lessUnsigned(index, i32.const(cut.large)), body(cut.size), body(cut.size - 1))
}

/** Index of the first of part `index` in an even cut. */
const startOf = (index: Local, { size, large, count }: { count: number; size: number; large: number }): Code =>
  large === count
    ? i32.mul(index.get, size)
    : [i32.add(i32.mul(index.get, size - 1), i32.min(index.get, i32.const(large)))]

const ROWS_IN_CACHE = 48

const rowKernel = defineKernel<ProductShape>('rowProducts', ({ rows, columns, tail }) => (f, pointers, begin, end) => {
  const [x, panels] = pointers
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

  const tileBody = (height: number, wide: number): Code => {
    const sums = grid(f, height, wide)
    const weights = Array.from({ length: wide }, () => f.local('v128'))
    const splat = f.local('v128')
    const turn = (i: number): Code => [
      weights.map((w, v) => w.set(v128.load(b.get, (i * wide + v) * VECTOR))),
      sums.map((line, r) => [
        splat.set(v128.loadSplat(a.get, (r * rows.stride + i) * FLOAT)),
        line.map((sum, v) => sum.set(f.multiplyAdd(splat.get, weights[v].get, sum.get))),
      ]),
    ]
    const advance = (n: number): Code => [a.set(i32.add(a.get, n * FLOAT)), b.set(i32.add(b.get, n * wide * VECTOR))]
    const run = [unrolled(f, rows.run, 4, turn, advance), a.set(i32.add(a.get, -rows.run * FLOAT))]
    const finish = sums.map((line, r) =>
      line.map((sum, v) => {
        const offset = { place: r * width * FLOAT + v * VECTOR, column: v * VECTOR }
        const done = renderTail(f, tail, sum, extras, { place: place.get, column: column.get, offset })
        return [done.code, storeColumns(done.result, v, offset.place)]
      }),
    )
    return [zeroed(sums), overNest(f, rows.runs, a, run), finish]
  }
  /** Vector v of a tile, cut at the last column of its group. */
  const storeColumns = (value: Local, v: number, offset: number): Code => {
    const address = i32.add(y.get, place.get)
    const lanes = columns.count % 4
    if (lanes === 0) return storeFloats(address, value, 4, offset)
    const isLast = i32.equal(i32.add(firstVector.get, v), i32.const(vectors - 1))
    return f.if(isLast, storeFloats(address, value, lanes, offset), storeFloats(address, value, 4, offset))
  }

  const setUp = [
    group.set(columns.groups === 1 ? i32.const(0) : i32.div(unit.get, units)),
    inGroup.set(columns.groups === 1 ? unit.get : i32.rem(unit.get, units)),
    tile.set(i32.rem(inGroup.get, tileCut.count)),
    row.set(startOf(tile, tileCut)),
    inGroup.set(i32.div(inGroup.get, tileCut.count)),
    a.set(i32.add(x.get, placeOf(inGroup.get, rows.outer))),
    a.set(i32.add(a.get, i32.mul(row.get, rows.stride * FLOAT))),
    a.set(i32.add(a.get, i32.mul(group.get, columns.groupStride * FLOAT))),
    b.set(i32.add(panels.get, i32.mul(i32.add(i32.mul(group.get, vectors), firstVector.get), depth * VECTOR))),
    column.set(i32.add(i32.mul(group.get, columns.count * FLOAT), i32.mul(firstVector.get, VECTOR))),
    place.set(i32.add(i32.mul(i32.add(i32.mul(inGroup.get, rows.width), row.get), width * FLOAT), column.get)),
  ]
  const oneTile = [
    setUp,
    eitherSize(f, panelCut, panel.get, (wide) => eitherSize(f, tileCut, tile.get, (height) => tileBody(height, wide))),
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
})

/** y = rows x panels. `panels` come from `pack`. */
export function rowProducts(
  shape: { rows: Rows; columns: Columns; tail?: TailShape | undefined },
  buffers: { x: Buffer; panels: Buffer; extras: readonly Buffer[]; y: Buffer },
): WasmStage {
  const { rows, columns, tail } = shape
  const tiles = evenly(rows.width, TILE_ROWS)
  return rowKernel(
    { rows, columns, ...(tail && { tail }) },
    {
      reads: [buffers.x, buffers.panels, ...buffers.extras],
      writes: [buffers.y],
      units: columns.groups * turns(rows.outer) * tiles.count,
      work: (tiles.size * turns(rows.runs) * rows.run * columns.count) / 8,
    },
  )
}

interface PackShape {
  readonly columns: { readonly groups: number; readonly count: number; readonly groupStride: number }
  /** Depth k counts through blocks and within them; `blockStride` may be negative (flipped windows). */
  readonly blocks: { readonly count: number; readonly start: number; readonly stride: number; readonly length: number }
  /** Floats from one k to the next within a block, and from one column to the next; one of them is 1. */
  readonly depthStride: number
  readonly columnStride: number
}

/** Floats that the panels of all groups take. */
export const panelFloats = (groups: number, columns: number, depth: number): number =>
  groups * Math.ceil(columns / 4) * 4 * depth

/** One vector of columns of one group per unit; panels are runs of TILE_VECTORS vectors, interleaved by k. */
const packKernel = defineKernel<PackShape>(
  'pack',
  ({ columns, blocks, depthStride, columnStride }) =>
    (f, [source, panels], begin, end) => {
      const vectors = Math.ceil(columns.count / 4)
      const cut = evenly(vectors, TILE_VECTORS)
      const depth = blocks.count * blocks.length
      const unit = f.local('i32')
      const vector = f.local('i32')
      const panel = f.local('i32')
      const from = f.local('i32')
      const to = f.local('i32')
      const wide = f.local('i32') // bytes from one k to the next in the panel
      const groupBase = f.local('i32')

      // which panel the vector falls in, and its place there
      const smaller = Math.max(cut.size - 1, 1)
      const inLarge = i32.lessUnsigned(vector.get, i32.const(cut.large * cut.size))
      const findPanel = f.if(
        inLarge,
        [panel.set(i32.mul(i32.div(vector.get, cut.size), cut.size)), wide.set(i32.const(cut.size * VECTOR))],
        [
          panel.set(
            i32.add(
              i32.mul(i32.div(i32.sub(vector.get, i32.const(cut.large * cut.size)), smaller), smaller),
              cut.large * cut.size,
            ),
          ),
          wide.set(i32.const(smaller * VECTOR)),
        ],
      )
      const target = i32.add(
        i32.add(panels.get, groupBase.get),
        i32.add(i32.mul(panel.get, depth * VECTOR), i32.mul(i32.sub(vector.get, panel.get), VECTOR)),
      )
      const alongColumns = (): Code => {
        const held = f.local('v128')
        return f.times(blocks.length, () => [
          held.set(v128.load(from.get)),
          v128.store(to.get, held.get),
          from.set(i32.add(from.get, depthStride * FLOAT)),
          to.set(i32.add(to.get, wide.get)),
        ])
      }
      /** Columns lie far apart: four depths of four columns are turned at a time. */
      const acrossColumns = (): Code => {
        const lines = [0, 1, 2, 3].map(() => f.local('v128'))
        const starts = [0, 1, 2, 3].map(() => f.local('i32'))
        const last = columns.count - 1
        const setStarts = starts.map((start, j) => {
          const own = f.local('i32')
          return [
            own.set(i32.add(i32.mul(vector.get, 4), j)),
            start.set(
              i32.add(
                from.get,
                i32.mul(i32.sub(i32.min(own.get, i32.const(last)), i32.mul(vector.get, 4)), columnStride * FLOAT),
              ),
            ),
          ]
        })
        const turned = (n: number): Code => {
          const [l0, l1, l2, l3] = lines.map((l) => l.get)
          const pairs = [0, 1, 2, 3].map(() => f.local('v128'))
          const [p0, p1, p2, p3] = pairs
          const results = [
            v128.shuffle(p0.get, p2.get, [0, 1, 4, 5]),
            v128.shuffle(p0.get, p2.get, [2, 3, 6, 7]),
            v128.shuffle(p1.get, p3.get, [0, 1, 4, 5]),
            v128.shuffle(p1.get, p3.get, [2, 3, 6, 7]),
          ]
          return [
            lines.map((line, j) => line.set(v128.load(starts[j].get))),
            p0.set(v128.shuffle(l0, l1, [0, 4, 1, 5])),
            p1.set(v128.shuffle(l0, l1, [2, 6, 3, 7])),
            p2.set(v128.shuffle(l2, l3, [0, 4, 1, 5])),
            p3.set(v128.shuffle(l2, l3, [2, 6, 3, 7])),
            results.slice(0, n).map((value) => [v128.store(to.get, value), to.set(i32.add(to.get, wide.get))]),
            starts.map((start) => start.set(i32.add(start.get, n * FLOAT))),
          ]
        }
        const whole = Math.floor(blocks.length / 4)
        const rest = blocks.length % 4
        return [setStarts, f.times(whole, () => turned(4)), rest > 0 ? turned(rest) : []]
      }
      const blockIndex = f.local('i32')
      const start = (block: Code): Code =>
        i32.add(
          i32.add(i32.mul(block, blocks.stride * FLOAT), blocks.start * FLOAT),
          i32.mul(vector.get, 4 * columnStride * FLOAT),
        )
      const oneBlock = [
        from.set(i32.add(i32.add(source.get, groupOffset()), start(blockIndex.get))),
        columnStride === 1 ? alongColumns() : acrossColumns(),
      ]
      function groupOffset(): Code {
        return columns.groups === 1 ? i32.const(0) : i32.mul(i32.div(unit.get, vectors), columns.groupStride * FLOAT)
      }
      return f.loop(unit, begin.get, end.get, 1, [
        vector.set(columns.groups === 1 ? unit.get : i32.rem(unit.get, vectors)),
        groupBase.set(
          columns.groups === 1 ? i32.const(0) : i32.mul(i32.div(unit.get, vectors), vectors * depth * VECTOR),
        ),
        findPanel,
        to.set(target),
        f.loop(blockIndex, i32.const(0), i32.const(blocks.count), 1, oneBlock),
      ])
    },
)

/** Lays a matrix out in panels for `rowProducts`. */
export function pack(shape: PackShape, source: Buffer, panels: Buffer): WasmStage {
  const depth = shape.blocks.count * shape.blocks.length
  return packKernel(shape, {
    reads: [source],
    writes: [panels],
    units: shape.columns.groups * Math.ceil(shape.columns.count / 4),
    work: depth * 4,
  })
}

interface OuterShape {
  readonly rows: Rows
  readonly columns: Columns
}

/** Rows are taken in blocks of whole outer steps of about this many, summed by themselves, then added: near caches, small errors. */
const ROWS_PER_BLOCK = 256

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
        return [sum.set(f32x4.add(sum.get, v128.load(place.get, offset))), storeColumns(sum, v, offset)]
      }),
    )
    return [zeroed(sums), start, overRows, add]
  }
  const storeColumns = (value: Local, v: number, offset: number): Code => {
    const lanes = columns.count % 4
    if (lanes === 0) return storeFloats(place.get, value, 4, offset)
    const isLast = i32.equal(i32.add(firstVector.get, v), i32.const(vectors - 1))
    return f.if(isLast, storeFloats(place.get, value, lanes, offset), storeFloats(place.get, value, 4, offset))
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
    return [set, cells.map(([r, v]) => storeColumns(nothing, v, r * width * FLOAT + v * VECTOR))]
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
  return outerKernel(shape, { reads: [buffers.x, buffers.dy], writes: [buffers.w], units, work })
}
