/** The gradient of a depthwise kernel: all taps of a channel are summed in registers while rows of x and dy pass by. */
import type { Value } from '../../../compile/step.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { Code } from '../assembler.ts'
import { i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { FLOAT, fillRun, storeFloats } from '../vectors.ts'
import { scratch } from './context.ts'
import type { Depthwise, DepthwiseShape } from './depthwise.ts'
import { HELD, overChannels, overTiles, reaches, repeated } from './depthwise.ts'
import type { Tile } from './reach.ts'
import { bySource, forwards, rowAddresses, tilesAlong } from './reach.ts'
import { totals } from './totals.ts'

/** Products that are summed by themselves; there are fewer such chunks, and longer ones, where their sums would be too many floats. */
const PRODUCTS_PER_CHUNK = 512
const MOST_CHUNKS = 256
const MOST_FLOATS = 2 ** 21
/** Sums in registers. */
const MOST_SUMS = 9

const chunksOf = ({ channels, axes: [depth, height, width] }: DepthwiseShape, batch: number) => {
  const rows = batch * depth.targets * height.targets
  const floats = depth.window * height.window * width.window * channels
  const most = Math.max(MOST_CHUNKS, Math.floor(MOST_FLOATS / floats))
  const size = Math.max(1, Math.round(PRODUCTS_PER_CHUNK / width.targets), Math.ceil(rows / most))
  return { rows, size, count: Math.ceil(rows / size) }
}

/** A chunk of rows of dy per unit: [chunks, taps, channels]. */
const gradientKernel = defineKernel<DepthwiseShape & { readonly batch: number }>(
  'depthwiseKernelGradient',
  ({ batch, ...shape }) =>
    (f, [x, dy, partial], begin, end) => {
      const { channels, axes } = shape
      const [depth, height, width] = axes
      const { rows: rowCount, size } = chunksOf(shape, batch)
      const pixel = channels * FLOAT
      const taps = depth.window * height.window * width.window
      const [unit, line, lastLine] = [f.local('i32'), f.local('i32'), f.local('i32')]
      const [rest, image, first, chunk] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')]
      const [target, source, to, flow, start] = Array.from({ length: 5 }, () => f.local('i32'))
      const from = f.local('i32')
      const value = f.local('v128')
      const flows = Array.from({ length: HELD }, () => f.local('v128'))
      const rowsAtOnce = Math.max(1, Math.floor(MOST_SUMS / width.window))
      const sums = Array.from({ length: Math.max(MOST_SUMS, width.window) }, () => f.local('v128'))
      const { setUp, rows } = rowAddresses(
        f,
        [depth, height],
        { depth: i32.rem(rest.get, depth.targets), height: i32.rem(line.get, height.targets) },
        image,
        width.sources * channels,
      )
      const oneTile = (tile: Tile, group: readonly number[], at: Code): Code => [
        flow.set(i32.add(i32.add(first.get, target.get), at)),
        flows.slice(0, tile.targets).map((d, i) => d.set(v128.load(flow.get, i * pixel))),
        group.map((r, i) => [
          from.set(i32.add(i32.add(rows[r].get, source.get), at)),
          bySource(tile).map(([place, pairs]) => [
            value.set(v128.load(from.get, place * pixel)),
            pairs.map((p) => {
              const sum = sums[i * width.window + p.tap]
              return sum.set(f.multiplyAdd(value.get, flows[p.target].get, sum.get))
            }),
          ]),
        ]),
      ]
      /** Tiles of the row one after the other, for these rows of taps. */
      const along = (group: readonly number[]): Code =>
        overChannels(f, channels, (at, lanes) => {
          const own = sums.slice(0, group.length * width.window)
          return [
            start.set(i32.add(chunk.get, at)),
            own.map((sum, i) => sum.set(v128.load(start.get, (group[0] * width.window + i) * pixel))),
            tilesAlong(width, HELD).map((tile) =>
              overTiles(f, tile, { target, source }, pixel, oneTile(tile, group, at)),
            ),
            own.map((sum, i) => storeFloats(start.get, sum, lanes, (group[0] * width.window + i) * pixel)),
          ]
        })
      const groups = Array.from({ length: Math.ceil(rows.length / rowsAtOnce) }, (_, g) =>
        rows.map((_, r) => r).slice(g * rowsAtOnce, (g + 1) * rowsAtOnce),
      )
      const isInside = (r: number): Code => i32.lessUnsigned(i32.const(0), rows[r].get)
      const oneByOne = (group: readonly number[]): Code => group.map((r) => f.if(rows[r].get, along([r])))
      return f.loop(unit, begin.get, end.get, 1, [
        chunk.set(i32.add(partial.get, i32.mul(unit.get, taps * pixel))),
        to.set(chunk.get),
        fillRun(f, to.get, taps * channels),
        line.set(i32.mul(unit.get, size)),
        lastLine.set(i32.add(line.get, size)),
        lastLine.set(i32.min(lastLine.get, i32.const(rowCount))),
        f.loop(line, line.get, lastLine.get, 1, [
          rest.set(i32.div(line.get, height.targets)),
          image.set(i32.div(rest.get, depth.targets)),
          image.set(i32.add(x.get, i32.mul(image.get, depth.sources * height.sources * width.sources * pixel))),
          first.set(i32.add(dy.get, i32.mul(line.get, width.targets * pixel))),
          setUp,
          groups.map((group) =>
            group.length === 1
              ? oneByOne(group)
              : f.if(
                  group.map(isInside).reduce((a, b) => i32.and(a, b)),
                  along(group),
                  oneByOne(group),
                ),
          ),
        ]),
      ])
    },
)

export function depthwiseKernelGradient(
  shape: Depthwise,
  { x, dy, dkernel }: { x: Value; dy: Value; dkernel: Value },
): WasmStage[] {
  const { stages, value } = repeated(x, shape)
  const axes = reaches(shape.axes, forwards)
  const own = { channels: shape.filters, axes }
  const { size, count } = chunksOf(own, shape.batch)
  const partial = scratch(count, sizeOf(dkernel.shape))
  const work = (size * axes[2].targets * sizeOf(dkernel.shape)) / 4
  return [
    ...stages,
    gradientKernel(
      { ...own, batch: shape.batch },
      { reads: [value.buffer, dy.buffer], writes: [partial.buffer], units: count, work },
    ),
    totals({ parts: count, floats: sizeOf(dkernel.shape) }, partial.buffer, dkernel.buffer),
  ]
}
