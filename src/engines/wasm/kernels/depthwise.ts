/**
 * Depthwise convolution (Howard et al. 2017, MobileNets): every channel by itself, a vector of channels at a time. A
 * tile of neighbours along the width is summed in registers; what it reads it reads once per row, and borders are
 * left out as the code is written, so no image is copied. Several filters per channel: the input is repeated.
 * Against groups of one channel in the product loops: 15, 13 and 18 times as fast forwards, for the input's and the
 * kernel's gradient on [32, 56, 56, 64] by 3 x 3; 13, 26 and 7 times with stride 2.
 */
import type { Buffer, Value } from '../../../compile/step.ts'
import type { AxisWindow } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { Code } from '../assembler.ts'
import type { FunctionWriter, Local } from '../function.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { FLOAT, storeFloats, VECTOR } from '../vectors.ts'
import type { TailShape } from './context.ts'
import { renderTail, scratch } from './context.ts'
import { rearranged } from './movement.ts'
import type { Reach, Tile } from './reach.ts'
import { backwards, bySource, forwards, rowAddresses, tilesAlong } from './reach.ts'

type Axes<A> = readonly [depth: A, height: A, width: A]

/** Rows of taps and taps in a row, each written out. */
const MOST_TAPS = 7
/** Tiles at the borders, each written out. */
const MOST_TILES = 5
/** Neighbours whose gradients the kernel gradient holds: with nine sums and one source they fill the registers. */
export const HELD = 4
/** Registers for sums, taps and a source. */
const REGISTERS = 14

const tilesFor = (reach: Reach): Tile[] => tilesAlong(reach, tileTargets(reach))
const tileTargets = ({ window, sourceStep }: Reach): number =>
  Math.max(sourceStep, Math.floor(Math.min(8, REGISTERS - window) / sourceStep) * sourceStep)

/** Whether these kernels take it: one channel per group, and code of reasonable length. */
export function isDepthwise(axes: Axes<AxisWindow>, { groups, channels }: { groups: number; channels: number }) {
  const [depth, height, width] = axes
  return (
    groups > 1 &&
    groups === channels &&
    depth.window * height.window <= MOST_TAPS &&
    width.window <= MOST_TAPS &&
    width.stride <= 4 &&
    [tilesFor(forwards(width)), tilesFor(backwards(width)), tilesAlong(forwards(width), HELD)].every(
      ({ length }) => length <= MOST_TILES,
    )
  )
}

/** `body` for all whole vectors of channels, and once more for the lanes that are left. */
export function overChannels(f: FunctionWriter, channels: number, body: (at: Code, lanes: number) => Code): Code {
  const at = f.local('i32')
  const whole = Math.floor(channels / 4) * VECTOR
  const vectors = whole > 0 ? f.loop(at, i32.const(0), i32.const(whole), VECTOR, body(at.get, 4)) : []
  return [vectors, channels % 4 > 0 ? [at.set(i32.const(whole)), body(at.get, channels % 4)] : []]
}

export interface DepthwiseShape {
  readonly channels: number
  readonly axes: Axes<Reach>
}

/** One row of targets per unit. */
const kernel = defineKernel<DepthwiseShape & { readonly tail?: TailShape }>(
  'depthwise',
  ({ channels, axes, tail }) =>
    (f, pointers, begin, end) => {
      const [x, taps] = pointers
      const extras = pointers.slice(2, -1)
      const y = pointers[pointers.length - 1]
      const [depth, height, width] = axes
      const pixel = channels * FLOAT
      const unit = f.local('i32')
      const rest = f.local('i32')
      const image = f.local('i32')
      const first = f.local('i32') // byte of the unit's first target
      const [target, source] = [f.local('i32'), f.local('i32')] // bytes of a tile's first ones in their rows
      const [from, to, weights] = [f.local('i32'), f.local('i32'), f.local('i32')]
      const value = f.local('v128')
      const held = Array.from({ length: width.window }, () => f.local('v128'))
      const sums = Array.from({ length: tileTargets(width) }, () => f.local('v128'))
      const { setUp, rows } = rowAddresses(
        f,
        [depth, height],
        { depth: i32.rem(rest.get, depth.targets), height: i32.rem(unit.get, height.targets) },
        image,
        width.sources * channels,
      )
      const row = (tile: Tile, r: number): Code => [
        held.map((tap, t) => tap.set(v128.load(weights.get, (r * width.window + t) * pixel))),
        bySource(tile).map(([place, pairs]) => [
          value.set(v128.load(from.get, place * pixel)),
          pairs.map((p) => sums[p.target].set(f.multiplyAdd(value.get, held[p.tap].get, sums[p.target].get))),
        ]),
      ]
      const oneTile = (tile: Tile): Code =>
        overChannels(f, channels, (at, lanes) => [
          weights.set(i32.add(taps.get, at)),
          to.set(i32.add(i32.add(first.get, target.get), at)),
          sums.slice(0, tile.targets).map((sum) => sum.set(f32x4.const(0))),
          rows.map((address, r) =>
            f.if(address.get, [from.set(i32.add(i32.add(address.get, source.get), at)), row(tile, r)]),
          ),
          sums.slice(0, tile.targets).map((sum, i) => {
            const offset = { place: i * pixel, column: 0 }
            const done = renderTail(f, tail, sum, extras, { place: to.get, column: at, offset })
            return [done.code, storeFloats(i32.add(y.get, to.get), done.result, lanes, offset.place)]
          }),
        ])
      return f.loop(unit, begin.get, end.get, 1, [
        rest.set(i32.div(unit.get, height.targets)),
        image.set(i32.div(rest.get, depth.targets)),
        image.set(i32.add(x.get, i32.mul(image.get, depth.sources * height.sources * width.sources * pixel))),
        first.set(i32.mul(unit.get, width.targets * pixel)),
        setUp,
        tilesFor(width).map((tile) => overTiles(f, tile, { target, source }, pixel, oneTile(tile))),
      ])
    },
)

/** `body` for every tile of a run of equal ones, with the bytes of its first target and source. */
export function overTiles(
  f: FunctionWriter,
  tile: Tile,
  { target, source }: { readonly target: Local; readonly source: Local },
  pixel: number,
  body: Code,
): Code {
  return [
    target.set(i32.const(tile.target * pixel)),
    source.set(i32.const(tile.source * pixel)),
    f.times(tile.count, () => [
      body,
      target.set(i32.add(target.get, tile.moves.target * pixel)),
      source.set(i32.add(source.get, tile.moves.source * pixel)),
    ]),
  ]
}

export interface Depthwise {
  readonly batch: number
  readonly channels: number
  readonly filters: number
  readonly axes: Axes<AxisWindow>
}

/** Every channel once per filter that sees it. */
export function repeated(x: Value, { channels, filters }: Depthwise): { stages: WasmStage[]; value: Value } {
  const times = filters / channels
  if (times === 1) return { stages: [], value: x }
  const value = scratch(...x.shape.slice(0, -1), filters)
  return { stages: [rearranged(x, value, { sizes: [sizeOf(x.shape), times], from: [1, 0], to: [times, 1] })], value }
}

function windows(
  axes: Axes<Reach>,
  { batch, filters }: Depthwise,
  tail: TailShape | undefined,
  buffers: { x: Buffer; taps: Buffer; extras: readonly Buffer[]; y: Buffer },
): WasmStage {
  const [depth, height, width] = axes
  const taps = depth.window * height.window * width.window
  return kernel(
    { channels: filters, axes, ...(tail && { tail }) },
    {
      reads: [buffers.x, buffers.taps, ...buffers.extras],
      writes: [buffers.y],
      units: batch * depth.targets * height.targets,
      work: width.targets * filters * (1 + taps / 4),
    },
  )
}

export const reaches = (axes: Axes<AxisWindow>, by: (axis: AxisWindow) => Reach): Axes<Reach> => [by(axes[0]), by(axes[1]), by(axes[2])] // biome-ignore format: a line

export function depthwise(
  { tail, ...shape }: Depthwise & { readonly tail: TailShape | undefined },
  { x, kernel, extras, y }: { x: Value; kernel: Value; extras: readonly Buffer[]; y: Value },
): WasmStage[] {
  const { stages, value } = repeated(x, shape)
  const buffers = { x: value.buffer, taps: kernel.buffer, extras, y: y.buffer }
  return [...stages, windows(reaches(shape.axes, forwards), shape, tail, buffers)]
}

/** From dy to dx; a tail only where every channel has one filter. */
export function depthwiseInputGradient(
  { tail, ...shape }: Depthwise & { readonly tail: TailShape | undefined },
  { dy, kernel, extras, dx }: { dy: Value; kernel: Value; extras: readonly Buffer[]; dx: Value },
): WasmStage[] {
  const axes = reaches(shape.axes, backwards)
  if (shape.filters === shape.channels) {
    return [windows(axes, shape, tail, { x: dy.buffer, taps: kernel.buffer, extras, y: dx.buffer })]
  }
  const times = shape.filters / shape.channels
  const each = scratch((sizeOf(dx.shape) + 3) * times) // the last lanes are read beyond the end
  const buffers = { x: dy.buffer, taps: kernel.buffer, extras: [], y: each.buffer }
  return [windows(axes, shape, undefined, buffers), folded(each, dx, times)]
}

/** Sums of `times` neighbours each. */
const foldKernel = defineKernel<{ readonly count: number; readonly times: number }>(
  'fold',
  ({ count, times }) =>
    (f, [x, y], begin, end) => {
      const unit = f.local('i32')
      const from = f.local('i32')
      const [lanes, sum] = [f.local('v128'), f.local('v128')]
      const store = (n: number): Code => storeFloats(i32.add(y.get, i32.mul(unit.get, VECTOR)), sum, n)
      const gathered = (j: number): Code => [
        lanes.set(v128.loadSplat(from.get, j * FLOAT)),
        [1, 2, 3].map((lane) => lanes.set(v128.load32Lane(from.get, lanes.get, lane, (lane * times + j) * FLOAT))),
        sum.set(f32x4.add(sum.get, lanes.get)),
      ]
      return f.loop(unit, begin.get, end.get, 1, [
        from.set(i32.add(x.get, i32.mul(unit.get, 4 * times * FLOAT))),
        sum.set(f32x4.const(0)),
        Array.from({ length: times }, (_, j) => gathered(j)),
        count % 4 === 0
          ? store(4)
          : f.if(i32.lessUnsigned(unit.get, i32.const(Math.floor(count / 4))), store(4), store(count % 4)),
      ])
    },
)

function folded(x: Value, y: Value, times: number): WasmStage {
  const count = sizeOf(y.shape)
  return foldKernel(
    { count, times },
    { reads: [x.buffer], writes: [y.buffer], units: Math.ceil(count / 4), work: 8 * times },
  )
}
