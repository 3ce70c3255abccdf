/** Which sources a target is made of along an axis, for convolution and for its gradient, and rows of targets cut into tiles. */
import type { AxisWindow } from '../../../graph/shape.ts'
import type { Code } from '../assembler.ts'
import type { FunctionWriter, Local } from '../function.ts'
import { i32 } from '../instructions.ts'
import { FLOAT } from '../vectors.ts'

/** `source * sourceStep = target * targetStep + tap * tapStep + start`, where there is such a source. */
export interface Reach {
  readonly sources: number
  readonly targets: number
  readonly window: number
  readonly sourceStep: number
  readonly targetStep: number
  readonly tapStep: number
  readonly start: number
}

/** From input to output. */
export const forwards = ({ input, output, window, stride, dilation, before }: AxisWindow): Reach => ({
  sources: input,
  targets: output,
  window,
  sourceStep: 1,
  targetStep: stride,
  tapStep: dilation,
  start: -before,
})

/** From the output's gradient to the input's. */
export const backwards = ({ input, output, window, stride, dilation, before }: AxisWindow): Reach => ({
  sources: output,
  targets: input,
  window,
  sourceStep: stride,
  targetStep: 1,
  tapStep: -dilation,
  start: before,
})

/** Source and target as places in a tile. */
interface Pair {
  readonly source: number
  readonly target: number
  readonly tap: number
}

export interface Tile {
  readonly targets: number
  /** In the order of sources. */
  readonly pairs: readonly Pair[]
  /** The first target, and the source that the tile's first one is; from one tile to the next they move by `moves`. */
  readonly target: number
  readonly source: number
  /** So many tiles like this one follow each other. */
  readonly count: number
  readonly moves: { readonly target: number; readonly source: number }
}

function tileAt(reach: Reach, first: number, size: number): Tile {
  const { sources, sourceStep, targetStep, tapStep, start, window } = reach
  const targets = Math.min(size, reach.targets - first)
  const pairs = Array.from({ length: targets * window }, (_, i): Pair => {
    const [target, tap] = [Math.floor(i / window), i % window]
    return { target, tap, source: ((first + target) * targetStep + tap * tapStep + start) / sourceStep }
  }).filter(({ source }) => Number.isInteger(source) && source >= 0 && source < sources)
  const source = Math.min(...pairs.map((pair) => pair.source))
  const moved = pairs.map((pair) => ({ ...pair, source: pair.source - source }))
  moved.sort((a, b) => a.source - b.source || a.target - b.target)
  const moves = { target: size, source: (size * targetStep) / sourceStep }
  return { targets, pairs: moved, target: first, source: pairs.length > 0 ? source : 0, count: 1, moves }
}

/** A row of targets in tiles of at most `most`, a multiple of `sourceStep` each; equal ones that follow each other as one. */
export function tilesAlong(reach: Reach, most: number): Tile[] {
  const { targets, sourceStep } = reach
  const count = Math.ceil(targets / most)
  const size = Math.ceil(targets / count / sourceStep) * sourceStep
  const result: Tile[] = []
  for (let first = 0; first < targets; first += size) {
    const tile = tileAt(reach, first, size)
    const last = result.at(-1)
    if (last && last.targets === tile.targets && JSON.stringify(last.pairs) === JSON.stringify(tile.pairs)) {
      result[result.length - 1] = { ...last, count: last.count + 1 }
    } else result.push(tile)
  }
  return result
}

/** What a tile needs of a row: its sources in order, each with the pairs it belongs to. */
export function bySource({ pairs }: Tile): readonly (readonly [number, readonly Pair[]])[] {
  const sources = [...new Set(pairs.map(({ source }) => source))]
  return sources.map((source) => [source, pairs.filter((pair) => pair.source === source)])
}

/** Sets one local per row of taps (of two axes) to the address of its sources, or to 0 where they are outside. */
export function rowAddresses(
  f: FunctionWriter,
  [depth, height]: readonly [Reach, Reach],
  target: { readonly depth: Code; readonly height: Code },
  image: Local,
  rowFloats: number,
): { setUp: Code; rows: readonly Local[] } {
  const [z, y] = [f.local('i32'), f.local('i32')]
  const along = (at: Local, place: Code, reach: Reach, tap: number): { set: Code; isInside: Code; index: Code } => ({
    set: at.set(i32.add(i32.mul(place, reach.targetStep), tap * reach.tapStep + reach.start)),
    isInside: i32.and(
      i32.lessUnsigned(at.get, i32.const(reach.sources * reach.sourceStep)),
      i32.equal(i32.rem(at.get, reach.sourceStep), i32.const(0)),
    ),
    index: i32.div(at.get, reach.sourceStep),
  })
  const rows: Local[] = []
  const setUp = Array.from({ length: depth.window }, (_, dz) =>
    Array.from({ length: height.window }, (_, dy) => {
      const row = f.local('i32')
      rows.push(row)
      const a = along(z, target.depth, depth, dz)
      const b = along(y, target.height, height, dy)
      const flat = i32.add(i32.mul(a.index, height.sources), b.index)
      return [
        [a.set, b.set],
        f.if(
          i32.and(a.isInside, b.isInside),
          row.set(i32.add(image.get, i32.mul(flat, rowFloats * FLOAT))),
          row.set(i32.const(0)),
        ),
      ]
    }),
  )
  return { setUp, rows }
}
