/**
 * Poolings to a size that is given, written once for 1 to 3 spatial axes. Of n elements, output i of m covers those from
 * floor(i n / m) to before ceil((i + 1) n / m), as in PyTorch: windows of neighbours may overlap, and differ by an element.
 */
import type { Sizes } from '../../base/options.ts'
import { sizes } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { reshape } from '../../ops/broadcasting.ts'
import { concat, slice } from '../../ops/movement.ts'
import { averagePool, maxPool } from '../../ops/pooling.ts'
import { defineLayer } from '../layer.ts'
import type { Rank } from './per-axis.ts'
import { axesText, channelsOf, ofRank, perAxis } from './per-axis.ts'

type Pool = (x: Node, window: readonly number[], strides: readonly number[]) => Node

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))

/**
 * Along one axis to m elements: windows that are m / gcd(n, m) outputs apart have the same size, so each such phase is a pooling
 * with one window, and the phases take turns.
 */
function alongAxis(x: Node, axis: number, to: number, pool: Pool): Node {
  const n = x.shape[axis]
  const count = divisor(n, to)
  const [phases, stride] = [to / count, n / count]
  const ones = x.shape.slice(1, -1).map(() => 1)
  const parts = Array.from({ length: phases }, (_, phase) => {
    const begin = Math.floor((phase * n) / to)
    const window = Math.ceil(((phase + 1) * n) / to) - begin
    const covered = slice(x, {
      begin: x.shape.map(() => 0).with(axis, begin),
      size: x.shape.with(axis, (count - 1) * stride + window),
    })
    const pooled = pool(covered, ones.with(axis - 1, window), ones.with(axis - 1, stride))
    return reshape(pooled, { shape: pooled.shape.toSpliced(axis + 1, 0, 1) })
  })
  return reshape(concat(parts, { axis: axis + 1 }), { shape: x.shape.with(axis, to) })
}

/** Axes whose size is a multiple of the result's are pooled at once; of the others each by itself. */
function adaptive(rank: Rank, x: Node, outputSize: Sizes, pool: Pool): Node {
  channelsOf(x.shape.slice(1), rank)
  const to = perAxis(outputSize, rank)
  const whole = to.map((m, axis) => (x.shape[axis + 1] % m === 0 ? x.shape[axis + 1] / m : 1))
  const start = whole.some((k) => k > 1) ? pool(x, whole, whole) : x
  return to.reduce((y, m, axis) => (y.shape[axis + 1] === m ? y : alongAxis(y, axis + 1, m, pool)), start)
}

const options = (rank: Rank) => ({
  outputSize: ofRank(rank, sizes({ says: `${axesText(rank)} of the result`, min: 1 })),
})

const adaptiveAverageOf = (rank: Rank) =>
  defineLayer(`adaptiveAveragePooling${rank}d`, {
    className: `AdaptiveAveragePooling${rank}D`,
    countsUnbuilt: true,
    says: 'Mean of every window, of as many windows as the result has places.',
    options: options(rank),
    forward: ([x], _, { outputSize }) =>
      adaptive(rank, x, outputSize, (y, window, strides) => averagePool(y, { window, strides, padding: 'valid' })),
  })

/** Means of [length, channels], as many as asked for. */
export const adaptiveAveragePooling1d = adaptiveAverageOf(1)
/** Means of [height, width, channels], as many as asked for. */
export const adaptiveAveragePooling2d = adaptiveAverageOf(2)
/** Means of [depth, height, width, channels], as many as asked for. */
export const adaptiveAveragePooling3d = adaptiveAverageOf(3)

const adaptiveMaxOf = (rank: Rank) =>
  defineLayer(`adaptiveMaxPooling${rank}d`, {
    className: `AdaptiveMaxPooling${rank}D`,
    countsUnbuilt: true,
    says: 'Largest value of every window, of as many windows as the result has places.',
    options: options(rank),
    forward: ([x], _, { outputSize }) =>
      adaptive(rank, x, outputSize, (y, window, strides) => maxPool(y, { window, strides, padding: 'valid' })),
  })

/** Largest values of [length, channels], as many as asked for. */
export const adaptiveMaxPooling1d = adaptiveMaxOf(1)
/** Largest values of [height, width, channels], as many as asked for. */
export const adaptiveMaxPooling2d = adaptiveMaxOf(2)
/** Largest values of [depth, height, width, channels], as many as asked for. */
export const adaptiveMaxPooling3d = adaptiveMaxOf(3)
