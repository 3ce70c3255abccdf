/**
 * Transposed convolutions (Zeiler et al. 2010), written once for 1 to 3 spatial axes: every element adds its multiple of the
 * kernel to the result, strides apart. It is the input gradient of a convolution with the same kernel [...window, filters,
 * channels], whose result has the input's shape.
 */
import { FoveaError } from '../../base/errors.ts'
import type { Sizes } from '../../base/options.ts'
import { flag, integer, sizes } from '../../base/options.ts'
import type { Node } from '../../graph/node.ts'
import { sizeOf } from '../../graph/shape.ts'
import { convolutionInputGradient } from '../../ops/convolution.ts'
import { activationOption } from '../activations.ts'
import { defineLayer } from '../layer.ts'
import { activityRegularizerOption } from '../regularizers.ts'
import type { WindowPadding } from './borders.ts'
import { bordersOf, transposedPadding } from './borders.ts'
import { ended } from './ending.ts'
import type { Rank } from './per-axis.ts'
import { axesText, channelsOf, kernelText, ofRank, perAxis, samplesOf } from './per-axis.ts'
import { weightOptions, weightSpec } from './weights.ts'
import { dilationRate, groupsOption, perGroup, windowSize, windowSteps } from './windows.ts'

interface TransposedOptions {
  readonly strides: Sizes
  readonly padding: WindowPadding
  readonly outputPadding: Sizes | undefined
  readonly dilationRate: Sizes
  readonly groups: number
}

/** Along one axis: elements of the result, and what is cut off of (n - 1) * stride + extent. */
interface Cut {
  readonly size: number
  readonly before: number
  readonly after: number
}

interface Along {
  readonly n: number
  readonly stride: number
  /** Of the dilated window. */
  readonly extent: number
  /** Elements beyond, behind the last. */
  readonly extra: number | undefined
}

/** What each rule leaves of a whole result, as Keras has it. Without outputPadding 'same' gives n * stride elements. */
function cutOf(padding: 'valid' | 'same' | readonly [number, number], { n, stride, extent, extra }: Along): Cut {
  const whole = (n - 1) * stride + extent
  if (padding === 'same') {
    const size = extra === undefined ? n * stride : (n - 1) * stride + (extent % 2) + extra
    return { size, before: Math.max(0, Math.floor((whole - size) / 2)), after: 0 }
  }
  if (padding === 'valid') return { size: whole + (extra ?? Math.max(stride - extent, 0)), before: 0, after: 0 }
  return { size: whole - padding[0] - padding[1] + (extra ?? 0), before: padding[0], after: padding[1] }
}

function transposed(rank: Rank, x: Node, kernel: Node, options: TransposedOptions): Node {
  const { padding, groups } = options
  const [strides, dilation] = [perAxis(options.strides, rank), perAxis(options.dilationRate, rank)]
  const extra = options.outputPadding === undefined ? undefined : perAxis(options.outputPadding, rank)
  const borders = padding === 'valid' || padding === 'same' ? undefined : bordersOf(padding, rank)
  const cuts = strides.map((stride, axis): Cut => {
    const [n, extent] = [x.shape[axis + 1], (kernel.shape[axis] - 1) * dilation[axis] + 1]
    const { size, before } = cutOf(borders?.[axis] ?? (padding as 'valid' | 'same'), {
      ...{ n, stride, extent },
      extra: extra?.[axis],
    })
    const after = (n - 1) * stride + extent - before - size
    if (size < 1) throw new FoveaError('E_SHAPE', { what: "'padding' leaves nothing", got: `${n} elements` })
    if (-after < stride) return { size, before, after: Math.max(after, 0) }
    throw new FoveaError('E_OPTION', {
      what: "'outputPadding' adds too many elements, to which no element of the input belongs",
      expected: `fewer than the stride ${stride} behind the last window`,
      got: `${-after}`,
    })
  })
  const inputShape = [x.shape[0], ...cuts.map(({ size }) => size), kernel.shape[rank] * groups]
  const border = cuts.map(({ before, after }) => [before, after] as const)
  return convolutionInputGradient(x, kernel, { strides, dilation, padding: border, groups, inputShape })
}

const transposedOf = (rank: Rank) =>
  defineLayer(`conv${rank}dTranspose`, {
    className: `Conv${rank}DTranspose`,
    says: `Transposed convolution over ${samplesOf(rank)}: the way back through a convolution, to larger ones.`,
    options: {
      filters: integer({ says: 'number of output channels', min: 1 }),
      kernelSize: windowSize(rank),
      strides: windowSteps(rank),
      padding: transposedPadding(rank),
      outputPadding: ofRank(
        rank,
        sizes({
          says: `elements of ${axesText(rank)} that are added behind; with 'same', to (input - 1) * stride + window % 2`,
          min: 0,
          optional: true,
        }),
      ),
      dilationRate: dilationRate(rank),
      groups: groupsOption,
      activation: activationOption,
      useBias: flag({ says: 'add one number per filter', default: true }),
      ...weightOptions('kernel', `the kernel ${kernelText(rank, 'filters / groups', 'channels')}`, 'glorotUniform'),
      ...weightOptions('bias', 'the bias [filters]', 'zeros'),
      activityRegularizer: activityRegularizerOption,
    },
    weights: ({ filters, kernelSize, groups, useBias, ...options }, shape) => {
      const channels = channelsOf(shape, rank)
      const own = perGroup({ channels, filters }, groups)
      const seen = [...perAxis(kernelSize, rank), own.filters] // as PyTorch counts what an element takes part in
      return {
        kernel: weightSpec('kernel', [...seen, channels], options),
        ...(useBias && { bias: weightSpec('bias', [filters], options, sizeOf(seen)) }),
      }
    },
    forward: ([x], { kernel, bias }, options) => {
      const y = transposed(rank, x, kernel, options)
      return ended(y, bias, options)
    },
  })

/** Transposed convolution of [length, channels]. */
export const conv1dTranspose = transposedOf(1)
/** Transposed convolution of [height, width, channels]. */
export const conv2dTranspose = transposedOf(2)
/** Transposed convolution of [depth, height, width, channels]. */
export const conv3dTranspose = transposedOf(3)
