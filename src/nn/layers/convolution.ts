/** Convolutions (cross-correlation: the kernel is not flipped), written once for 1 to 3 spatial axes. */
import { flag, integer } from '../../base/options.ts'
import type { Shape } from '../../graph/shape.ts'
import { sizeOf } from '../../graph/shape.ts'
import { convolution } from '../../ops/convolution.ts'
import { activationOption } from '../activations.ts'
import { defineLayer } from '../layer.ts'
import { activityRegularizerOption } from '../regularizers.ts'
import { ended } from './ending.ts'
import type { Rank } from './per-axis.ts'
import { channelsOf, kernelText, perAxis, samplesOf } from './per-axis.ts'
import { weightOptions, weightSpec } from './weights.ts'
import { convolutionAttrs, groupsOption, perGroup, windowOptions } from './windows.ts'

const convolutionOf = (rank: Rank) =>
  defineLayer(`conv${rank}d`, {
    className: `Conv${rank}D`,
    says: `Convolution over ${samplesOf(rank)}.`,
    options: {
      filters: integer({ says: 'number of output channels', min: 1 }),
      ...windowOptions(rank),
      groups: groupsOption,
      activation: activationOption,
      useBias: flag({ says: 'add one number per filter', default: true }),
      ...weightOptions('kernel', `the kernel ${kernelText(rank, 'channels / groups', 'filters')}`, 'glorotUniform'),
      ...weightOptions('bias', 'the bias [filters]', 'zeros'),
      activityRegularizer: activityRegularizerOption,
    },
    weights: ({ filters, kernelSize, groups, useBias, ...options }, shape: Shape) => {
      const { channels } = perGroup({ channels: channelsOf(shape, rank), filters }, groups)
      const seen = [...perAxis(kernelSize, rank), channels]
      return {
        kernel: weightSpec('kernel', [...seen, filters], options),
        ...(useBias && { bias: weightSpec('bias', [filters], options, sizeOf(seen)) }),
      }
    },
    forward: ([x], { kernel, bias }, options) => {
      const y = convolution(x, kernel, convolutionAttrs(rank, options))
      return ended(y, bias, options)
    },
  })

/** Convolution of [length, channels]. */
export const conv1d = convolutionOf(1)
/** Convolution of [height, width, channels]. */
export const conv2d = convolutionOf(2)
/** Convolution of [depth, height, width, channels]. */
export const conv3d = convolutionOf(3)
