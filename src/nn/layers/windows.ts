/** The window of a convolution, whatever is done under it. */
import { FoveaError } from '../../base/errors.ts'
import type { Sizes } from '../../base/options.ts'
import { integer, sizes } from '../../base/options.ts'
import type { ConvolutionAttrs } from '../../ops/convolution.ts'
import type { WindowPadding } from './borders.ts'
import { convolutionPadding, paddingOf } from './borders.ts'
import type { Rank } from './per-axis.ts'
import { axesText, ofRank, perAxis } from './per-axis.ts'

const ones = { min: 1, default: 1 } as const

export const windowSize = (rank: Rank) => ofRank(rank, sizes({ says: `${axesText(rank)} of the window`, min: 1 }))
export const windowSteps = (rank: Rank) => ofRank(rank, sizes({ says: 'steps of the window', ...ones }))
export const dilationRate = (rank: Rank) =>
  ofRank(rank, sizes({ says: 'distance between neighbours in the window', ...ones }))
export const groupsOption = integer({
  says: 'channels are split into this many groups, each with its own filters',
  ...ones,
})

export const windowOptions = (rank: Rank) => ({
  kernelSize: windowSize(rank),
  strides: windowSteps(rank),
  padding: convolutionPadding(rank),
  dilationRate: dilationRate(rank),
})

interface WindowOptions {
  readonly kernelSize: Sizes
  readonly strides: Sizes
  readonly padding: WindowPadding<'valid' | 'same' | 'causal'>
  readonly dilationRate: Sizes
  readonly groups: number
}

/** As the op takes it. */
export function convolutionAttrs(rank: Rank, options: WindowOptions): ConvolutionAttrs {
  const { strides, padding, groups } = options
  const [window, dilation] = [perAxis(options.kernelSize, rank), perAxis(options.dilationRate, rank)]
  const past = window.map((size, axis): [number, number] => [(size - 1) * dilation[axis], 0])
  return {
    strides: perAxis(strides, rank),
    dilation,
    padding: padding === 'causal' ? past : paddingOf(padding, rank),
    groups,
  }
}

interface Ends {
  readonly channels: number
  readonly filters: number
}

/** What belongs to each group: groups must divide both. */
export function perGroup(ends: Ends, groups: number): Ends {
  for (const name of ['filters', 'channels'] as const) {
    if (ends[name] % groups === 0) continue
    const got = `${groups} groups, ${ends[name]} ${name}`
    throw new FoveaError('E_OPTION', { what: `'groups' must divide the ${name}`, got })
  }
  return { channels: ends.channels / groups, filters: ends.filters / groups }
}
