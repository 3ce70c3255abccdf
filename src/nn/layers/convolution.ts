/** Convolutions (cross-correlation: the kernel is not flipped), written once for 1 to 3 spatial axes. */
import { FoveaError } from '../../base/errors.ts'
import type { Sizes } from '../../base/options.ts'
import { flag, integer, sizes } from '../../base/options.ts'
import type { Shape } from '../../graph/shape.ts'
import { sizeOf } from '../../graph/shape.ts'
import { reshape } from '../../ops/broadcasting.ts'
import type { ConvolutionAttrs } from '../../ops/convolution.ts'
import { convolution } from '../../ops/convolution.ts'
import { add } from '../../ops/elementwise.ts'
import { activated, activationOption } from '../activations.ts'
import { defineLayer } from '../layer.ts'
import { activityRegularizerOption, penalised } from '../regularizers.ts'
import type { WindowPadding } from './borders.ts'
import { paddingOf, paddingOption } from './borders.ts'
import type { Rank } from './per-axis.ts'
import { axesText, channelsOf, kernelText, ofRank, perAxis, samplesOf } from './per-axis.ts'
import { weightOptions, weightSpec } from './weights.ts'

/** Channels that each filter sees. */
function perGroup(channels: number, groups: number, filters: number): number {
  if (filters % groups !== 0) {
    throw new FoveaError('E_OPTION', {
      what: "'groups' must divide the filters",
      got: `${groups} groups, ${filters} filters`,
    })
  }
  if (channels % groups === 0) return channels / groups
  throw new FoveaError('E_OPTION', {
    what: "'groups' must divide the channels",
    got: `${groups} groups, ${channels} channels`,
  })
}

const windowOptions = (rank: Rank) => ({
  kernelSize: ofRank(rank, sizes({ says: `${axesText(rank)} of the window`, min: 1 })),
  strides: ofRank(rank, sizes({ says: 'steps of the window', min: 1, default: 1 })),
  padding: paddingOption(rank),
  dilationRate: ofRank(rank, sizes({ says: 'distance between neighbours in the window', min: 1, default: 1 })),
})

interface WindowOptions {
  readonly strides: Sizes
  readonly padding: WindowPadding
  readonly dilationRate: Sizes
}

const attrsOf = (rank: Rank, { strides, padding, dilationRate }: WindowOptions, groups: number): ConvolutionAttrs => ({
  strides: perAxis(strides, rank),
  dilation: perAxis(dilationRate, rank),
  padding: paddingOf(padding, rank),
  groups,
})

const convolutionOf = (rank: Rank) =>
  defineLayer(`conv${rank}d`, {
    className: `Conv${rank}D`,
    says: `Convolution over ${samplesOf(rank)}.`,
    options: {
      filters: integer({ says: 'number of output channels', min: 1 }),
      ...windowOptions(rank),
      groups: integer({
        says: 'channels are split into this many groups, each with its own filters',
        min: 1,
        default: 1,
      }),
      activation: activationOption,
      useBias: flag({ says: 'add one number per filter', default: true }),
      ...weightOptions('kernel', `the kernel ${kernelText(rank, 'channels / groups', 'filters')}`, 'glorotUniform'),
      ...weightOptions('bias', 'the bias [filters]', 'zeros'),
      activityRegularizer: activityRegularizerOption,
    },
    weights: ({ filters, kernelSize, groups, useBias, ...options }, shape: Shape) => {
      const seen = [...perAxis(kernelSize, rank), perGroup(channelsOf(shape, rank), groups, filters)]
      return {
        kernel: weightSpec('kernel', [...seen, filters], options),
        ...(useBias && { bias: weightSpec('bias', [filters], options, sizeOf(seen)) }),
      }
    },
    forward: ([x], { kernel, bias }, options) => {
      const y = convolution(x, kernel, attrsOf(rank, options, options.groups))
      return penalised(activated(bias ? add(y, bias) : y, options.activation), options.activityRegularizer)
    },
  })

/** Convolution of [length, channels]. */
export const conv1d = convolutionOf(1)
/** Convolution of [height, width, channels]. */
export const conv2d = convolutionOf(2)
/** Convolution of [depth, height, width, channels]. */
export const conv3d = convolutionOf(3)

/**
 * Convolution of every channel by itself: channel c gives the outputs c * depthMultiplier and on. The kernel is
 * [...window, channels, depthMultiplier], as Keras stores it.
 */
const depthwiseOf = (rank: Rank) =>
  defineLayer(`depthwiseConv${rank}d`, {
    className: `DepthwiseConv${rank}D`,
    says: `Convolution over ${samplesOf(rank)}, every channel by itself.`,
    options: {
      ...windowOptions(rank),
      depthMultiplier: integer({ says: 'outputs per channel', min: 1, default: 1 }),
      activation: activationOption,
      useBias: flag({ says: 'add one number per output channel', default: true }),
      ...weightOptions('depthwise', `the kernel ${kernelText(rank, 'channels', 'depthMultiplier')}`, 'glorotUniform'),
      ...weightOptions('bias', 'the bias [channels * depthMultiplier]', 'zeros'),
      activityRegularizer: activityRegularizerOption,
    },
    weights: ({ kernelSize, depthMultiplier, useBias, ...options }, shape) => {
      const [channels, window] = [channelsOf(shape, rank), perAxis(kernelSize, rank)]
      const fanIn = sizeOf(window)
      return {
        kernel: weightSpec('depthwise', [...window, channels, depthMultiplier], options, fanIn),
        ...(useBias && { bias: weightSpec('bias', [channels * depthMultiplier], options, fanIn) }),
      }
    },
    forward: ([x], { kernel, bias }, options) => {
      const [channels, multiplier] = kernel.shape.slice(rank)
      const shape = [...kernel.shape.slice(0, rank), 1, channels * multiplier] // the same order of elements
      const y = convolution(x, reshape(kernel, { shape }), attrsOf(rank, options, channels))
      return penalised(activated(bias ? add(y, bias) : y, options.activation), options.activityRegularizer)
    },
  })

/** Convolution of every channel of [length, channels] by itself. */
export const depthwiseConv1d = depthwiseOf(1)
/** Convolution of every channel of [height, width, channels] by itself. */
export const depthwiseConv2d = depthwiseOf(2)
