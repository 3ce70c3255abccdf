/** Weights laid out in panels, as `rowProducts` reads them: two vectors of columns side by side, k after k. */
import type { Buffer } from '../../../compile/step.ts'
import type { Code } from '../assembler.ts'
import { i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel, evenly } from '../kernel.ts'
import { FLOAT, VECTOR } from '../vectors.ts'
import type { Nest } from './register-tiles.ts'
import { placeOf, TILE_VECTORS, turns } from './register-tiles.ts'

interface PackShape {
  readonly columns: { readonly groups: number; readonly count: number; readonly groupStride: number }
  /** Depth k counts through blocks and within them; strides may be negative (flipped windows). */
  readonly blocks: { readonly nest: Nest; readonly start: number; readonly length: number }
  /** Floats from one k to the next within a block, and from one column to the next; one of them is 1. */
  readonly depthStride: number
  readonly columnStride: number
}

/** Floats that the panels of all groups take. */
export const panelFloats = (groups: number, columns: number, depth: number): number =>
  groups * Math.ceil(columns / 4) * 4 * depth

/** Lines of a matrix that are taken at a time. */
const LINES = 32

/**
 * Parts that the depth is cut into. Columns side by side are packed some lines at a time; else every line of memory is
 * fetched again for each of its vectors: [3136, 1024] takes 1.1 instead of 8 ms.
 */
const chunksOf = ({ blocks, columnStride }: PackShape): number =>
  columnStride === 1 && turns(blocks.nest) === 1 ? Math.ceil(blocks.length / LINES) : 1

/** One vector of columns of one chunk and group per unit; panels are runs of TILE_VECTORS vectors, interleaved by k. */
const packKernel = defineKernel<PackShape>('pack', (shape) => (f, [source, panels], begin, end) => {
  const { columns, blocks, depthStride, columnStride } = shape
  const chunks = chunksOf(shape)
  const vectors = Math.ceil(columns.count / 4)
  const cut = evenly(vectors, TILE_VECTORS)
  const blockCount = turns(blocks.nest)
  const depth = blockCount * blocks.length
  const unit = f.local('i32')
  const vector = f.local('i32')
  const chunk = f.local('i32')
  const group = f.local('i32')
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
    const [line, last] = [f.local('i32'), f.local('i32')]
    const length = chunks === 1 ? blocks.length : LINES
    return [
      line.set(i32.mul(chunk.get, length)),
      last.set(i32.add(line.get, length)),
      last.set(i32.min(last.get, i32.const(blocks.length))),
      from.set(i32.add(from.get, i32.mul(line.get, depthStride * FLOAT))),
      to.set(i32.add(to.get, i32.mul(line.get, wide.get))),
      f.loop(line, line.get, last.get, 1, [
        held.set(v128.load(from.get)),
        v128.store(to.get, held.get),
        from.set(i32.add(from.get, depthStride * FLOAT)),
        to.set(i32.add(to.get, wide.get)),
      ]),
    ]
  }
  /** Columns are far apart: four depths of four columns are turned at a time. */
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
    i32.add(i32.add(placeOf(block, blocks.nest), blocks.start * FLOAT), i32.mul(vector.get, 4 * columnStride * FLOAT))
  const oneBlock = [
    from.set(i32.add(i32.add(source.get, groupOffset()), start(blockIndex.get))),
    columnStride === 1 ? alongColumns() : acrossColumns(),
  ]
  function groupOffset(): Code {
    return i32.mul(group.get, columns.groupStride * FLOAT)
  }
  return f.loop(unit, begin.get, end.get, 1, [
    vector.set(i32.rem(unit.get, vectors)),
    chunk.set(i32.div(unit.get, vectors)),
    group.set(columns.groups === 1 ? i32.const(0) : i32.div(chunk.get, chunks)),
    chunk.set(columns.groups === 1 ? chunk.get : i32.rem(chunk.get, chunks)),
    groupBase.set(i32.mul(group.get, vectors * depth * VECTOR)),
    findPanel,
    to.set(target),
    f.loop(blockIndex, i32.const(0), i32.const(blockCount), 1, oneBlock),
  ])
})

/** Lays a matrix out in panels for `rowProducts`. */
export function pack(shape: PackShape, source: Buffer, panels: Buffer): WasmStage {
  const depth = turns(shape.blocks.nest) * shape.blocks.length
  const chunks = chunksOf(shape)
  return packKernel(shape, {
    reads: [source],
    writes: [panels],
    units: shape.columns.groups * chunks * Math.ceil(shape.columns.count / 4),
    work: (depth / chunks) * 4,
  })
}
