/** Larger pictures: every element repeated, or what lies between neighbours; written once for 1 to 3 spatial axes. */
import { choice, sizes } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { constant } from '../../graph/node.ts'
import { broadcastTo, reshape } from '../../ops/broadcasting.ts'
import { add, mul } from '../../ops/elementwise.ts'
import { concat, slice } from '../../ops/movement.ts'
import { defineLayer } from '../layer.ts'
import type { Rank } from './per-axis.ts'
import { axesText, channelsOf, ofRank, perAxis, samplesOf } from './per-axis.ts'

/** [n, ...spatial, channels] with an axis of its own behind every spatial one, and that with its size. */
function repeated(x: Node, factors: readonly number[]): Node {
  const [n, ...rest] = x.shape
  const channels = rest[factors.length]
  const apart = (ones: readonly number[]) => [n, ...ones.flatMap((k, axis) => [rest[axis], k]), channels]
  const spread = broadcastTo(reshape(x, { shape: apart(factors.map(() => 1)) }), { shape: apart(factors) })
  return reshape(spread, { shape: [n, ...factors.map((k, axis) => k * rest[axis]), channels] })
}

/** Along an axis, each element's neighbour before (-1) or after (1); at the border it is the element itself. */
function neighbours(x: Node, axis: number, side: -1 | 1): Node {
  const size = x.shape[axis]
  if (size === 1) return x
  const box = (from: number, count: number) =>
    slice(x, { begin: x.shape.map(() => 0).with(axis, from), size: x.shape.with(axis, count) })
  return concat(side < 0 ? [box(0, 1), box(0, size - 1)] : [box(1, size - 1), box(size - 1, 1)], { axis })
}

/**
 * Along an axis, `factor` places for each element, between it and its neighbours: place r of element i is at i + (r + 0.5) /
 * factor - 0.5 (half-pixel centres).
 */
function between(x: Node, axis: number, factor: number): Node {
  if (factor === 1) return x
  const offsets = Array.from({ length: factor }, (_, r) => (r + 0.5) / factor - 0.5)
  const [outer, inner] = [x.shape.slice(0, axis + 1), x.shape.slice(axis + 1)]
  const part = (of: Node, weights: readonly number[]): Node =>
    mul(
      reshape(of, { shape: [...outer, 1, ...inner] }),
      constant(Float32Array.from(weights), [factor, ...inner.map(() => 1)]),
    )
  const own = part(
    x,
    offsets.map((offset) => 1 - Math.abs(offset)),
  )
  const sides = ([-1, 1] as const).map((side) =>
    part(
      neighbours(x, axis, side),
      offsets.map((offset) => Math.max(0, side * offset)),
    ),
  )
  return reshape(sides.reduce(add, own), { shape: x.shape.with(axis, factor * x.shape[axis]) })
}

const upSamplingOf = (rank: Rank) =>
  defineLayer(`upSampling${rank}d`, {
    className: `UpSampling${rank}D`,
    countsUnbuilt: true,
    says: `Larger ${samplesOf(rank)}: so many places for every element.`,
    options: {
      size: ofRank(rank, sizes({ says: `places for every element, along ${axesText(rank)}`, min: 1, default: 2 })),
      ...(rank === 2 && {
        interpolation: choice(['nearest', 'bilinear'], {
          says: 'what is there: the element itself, or what lies between neighbours (half-pixel centres)',
          default: 'nearest',
        }),
      }),
    },
    forward: ([x], _, { size, interpolation }) => {
      channelsOf(x.shape.slice(1), rank)
      const factors = perAxis(size, rank)
      if (interpolation !== 'bilinear') return repeated(x, factors)
      return factors.reduce((y, factor, axis) => between(y, axis + 1, factor), x)
    },
  })

/** [length, channels] made longer. */
export const upSampling1d = upSamplingOf(1)
/** [height, width, channels] made larger. */
export const upSampling2d = upSamplingOf(2)
/** [depth, height, width, channels] made larger. */
export const upSampling3d = upSamplingOf(3)
