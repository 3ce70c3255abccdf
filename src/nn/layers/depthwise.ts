/** Convolutions of every channel by itself, alone or with a mixture of the channels at every place behind. */
import { flag, integer } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { sizeOf } from '../../graph/shape.ts'
import { reshape } from '../../ops/broadcasting.ts'
import { convolution } from '../../ops/convolution.ts'
import { activationOption } from '../activations.ts'
import { defineLayer } from '../layer.ts'
import { activityRegularizerOption } from '../regularizers.ts'
import { ended } from './ending.ts'
import type { Rank } from './per-axis.ts'
import { channelsOf, kernelText, perAxis, samplesOf } from './per-axis.ts'
import { weightOptions, weightSpec } from './weights.ts'
import { convolutionAttrs, windowOptions } from './windows.ts'

const depthMultiplier = integer({ says: 'outputs per channel', min: 1, default: 1 })

/** The options of a kernel [...window, channels, depthMultiplier], as Keras stores it. */
const depthwiseOptions = (rank: Rank) =>
  weightOptions('depthwise', `the kernel ${kernelText(rank, 'channels', 'depthMultiplier')}`, 'glorotUniform')

type Windows = Omit<Parameters<typeof convolutionAttrs>[1], 'groups'>

/** Channel c gives the outputs c * depthMultiplier and on. */
function depthwise(rank: Rank, x: Node, kernel: Node, options: Windows): Node {
  const [channels, multiplier] = kernel.shape.slice(rank)
  const shape = [...kernel.shape.slice(0, rank), 1, channels * multiplier] // the same order of elements
  return convolution(x, reshape(kernel, { shape }), convolutionAttrs(rank, { ...options, groups: channels }))
}

const depthwiseOf = (rank: Rank) =>
  defineLayer(`depthwiseConv${rank}d`, {
    className: `DepthwiseConv${rank}D`,
    says: `Convolution over ${samplesOf(rank)}, every channel by itself.`,
    options: {
      ...windowOptions(rank),
      depthMultiplier,
      activation: activationOption,
      useBias: flag({ says: 'add one number per output channel', default: true }),
      ...depthwiseOptions(rank),
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
      const y = depthwise(rank, x, kernel, options)
      return ended(y, bias, options)
    },
  })

/** Convolution of every channel of [length, channels] by itself. */
export const depthwiseConv1d = depthwiseOf(1)
/** Convolution of every channel of [height, width, channels] by itself. */
export const depthwiseConv2d = depthwiseOf(2)

/** Depthwise, then 1x1 (Chollet 2017); nothing is added or applied between the two. */
const separableOf = (rank: Rank) =>
  defineLayer(`separableConv${rank}d`, {
    className: `SeparableConv${rank}D`,
    says: `Convolution over ${samplesOf(rank)}: every channel by itself, then a mixture of the channels at every place.`,
    options: {
      filters: integer({ says: 'number of output channels', min: 1 }),
      ...windowOptions(rank),
      depthMultiplier,
      activation: activationOption,
      useBias: flag({ says: 'add one number per filter', default: true }),
      ...depthwiseOptions(rank),
      ...weightOptions(
        'pointwise',
        `the kernel [${'1, '.repeat(rank)}channels * depthMultiplier, filters]`,
        'glorotUniform',
      ),
      ...weightOptions('bias', 'the bias [filters]', 'zeros'),
      activityRegularizer: activityRegularizerOption,
    },
    weights: ({ filters, kernelSize, depthMultiplier, useBias, ...options }, shape) => {
      const [channels, window] = [channelsOf(shape, rank), perAxis(kernelSize, rank)]
      const mixed = channels * depthMultiplier
      return {
        depthwiseKernel: weightSpec('depthwise', [...window, channels, depthMultiplier], options, sizeOf(window)),
        pointwiseKernel: weightSpec('pointwise', [...perAxis(1, rank), mixed, filters], options),
        ...(useBias && { bias: weightSpec('bias', [filters], options, mixed) }),
      }
    },
    forward: ([x], { depthwiseKernel, pointwiseKernel, bias }, options) => {
      const places = { kernelSize: 1, strides: 1, padding: 'valid', dilationRate: 1, groups: 1 } as const
      const apart = depthwise(rank, x, depthwiseKernel, options)
      const y = convolution(apart, pointwiseKernel, convolutionAttrs(rank, places))
      return ended(y, bias, options)
    },
  })

/** Every channel of [length, channels] by itself, then a mixture of the channels. */
export const separableConv1d = separableOf(1)
/** Every channel of [height, width, channels] by itself, then a mixture of the channels. */
export const separableConv2d = separableOf(2)
