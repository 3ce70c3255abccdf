/** Poolings, channel by channel, written once for 1 to 3 spatial axes. */
import type { Sizes } from '../../base/options.ts'
import { flag, sizes } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import type { PoolAttrs } from '../../ops/pooling.ts'
import { averagePool, maxPool } from '../../ops/pooling.ts'
import { max, mean } from '../../ops/reduction.ts'
import { defineLayer } from '../layer.ts'
import type { WindowPadding } from './borders.ts'
import { paddingOf, paddingOption } from './borders.ts'
import type { Rank } from './per-axis.ts'
import { axesText, channelsOf, ofRank, perAxis, samplesOf } from './per-axis.ts'

const windowOptions = (rank: Rank) => ({
  poolSize: ofRank(rank, sizes({ says: `${axesText(rank)} of the window`, min: 1, default: 2 })),
  strides: ofRank(rank, sizes({ says: 'steps of the window; the window itself when absent', min: 1, optional: true })),
  padding: paddingOption(rank),
})

interface PoolOptions {
  readonly poolSize: Sizes
  readonly strides: Sizes | undefined
  readonly padding: WindowPadding
}

function attrsOf(rank: Rank, x: Node, { poolSize, strides = poolSize, padding }: PoolOptions): PoolAttrs {
  channelsOf(x.shape.slice(1), rank)
  const window = perAxis(poolSize, rank)
  return { window, strides: perAxis(strides, rank), padding: paddingOf(padding, rank) }
}

const maxPoolingOf = (rank: Rank) =>
  defineLayer(`maxPooling${rank}d`, {
    className: `MaxPooling${rank}D`,
    countsUnbuilt: true,
    says: 'Largest value of every window.',
    options: windowOptions(rank),
    forward: ([x], _, options) => maxPool(x, attrsOf(rank, x, options)),
  })

/** The largest value of every window of [length, channels]. */
export const maxPooling1d = maxPoolingOf(1)
/** The largest value of every window of [height, width, channels]. */
export const maxPooling2d = maxPoolingOf(2)
/** The largest value of every window of [depth, height, width, channels]. */
export const maxPooling3d = maxPoolingOf(3)

const averagePoolingOf = (rank: Rank) =>
  defineLayer(`averagePooling${rank}d`, {
    className: `AveragePooling${rank}D`,
    countsUnbuilt: true,
    says: 'Mean of every window.',
    options: {
      ...windowOptions(rank),
      countPadding: flag({ says: 'a border counts, as zeros: every mean is over a whole window', default: false }),
    },
    forward: ([x], _, { countPadding, ...options }) =>
      averagePool(x, { ...attrsOf(rank, x, options), ...(countPadding && { countPadding }) }),
  })

/** The mean of every window of [length, channels]; a border counts only with `countPadding`. */
export const averagePooling1d = averagePoolingOf(1)
/** The mean of every window of [height, width, channels]; a border counts only with `countPadding`. */
export const averagePooling2d = averagePoolingOf(2)
/** The mean of every window of [depth, height, width, channels]; a border counts only with `countPadding`. */
export const averagePooling3d = averagePoolingOf(3)

const globalOptions = (rank: Rank) => ({
  keepDims: flag({ says: `keep ${axesText(rank)} with size 1`, default: false }),
})

/** All axes of a batch but the first and the last. */
function spatialAxes(rank: Rank, x: Node): number[] {
  channelsOf(x.shape.slice(1), rank)
  return Array.from({ length: rank }, (_, i) => i + 1)
}

const globalAveragePoolingOf = (rank: Rank) =>
  defineLayer(`globalAveragePooling${rank}d`, {
    className: `GlobalAveragePooling${rank}D`,
    countsUnbuilt: true,
    says: `Mean of every channel, over all places of ${samplesOf(rank)}.`,
    options: globalOptions(rank),
    forward: ([x], _, options) => mean(x, { axes: spatialAxes(rank, x), ...options }),
  })

/** The mean of every channel of [length, channels]. */
export const globalAveragePooling1d = globalAveragePoolingOf(1)
/** The mean of every channel of [height, width, channels]. */
export const globalAveragePooling2d = globalAveragePoolingOf(2)
/** The mean of every channel of [depth, height, width, channels]. */
export const globalAveragePooling3d = globalAveragePoolingOf(3)

const globalMaxPoolingOf = (rank: Rank) =>
  defineLayer(`globalMaxPooling${rank}d`, {
    className: `GlobalMaxPooling${rank}D`,
    countsUnbuilt: true,
    says: `Largest value of every channel, over all places of ${samplesOf(rank)}.`,
    options: globalOptions(rank),
    forward: ([x], _, options) => max(x, { axes: spatialAxes(rank, x), ...options }),
  })

/** The largest value of every channel of [length, channels]. */
export const globalMaxPooling1d = globalMaxPoolingOf(1)
/** The largest value of every channel of [height, width, channels]. */
export const globalMaxPooling2d = globalMaxPoolingOf(2)
/** The largest value of every channel of [depth, height, width, channels]. */
export const globalMaxPooling3d = globalMaxPoolingOf(3)
