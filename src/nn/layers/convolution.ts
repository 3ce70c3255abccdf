import { FoveaError } from '../../base/errors.ts'
import type { Sizes } from '../../base/options.ts'
import { choice, flag, integer, sizes } from '../../base/options.ts'
import type { Shape } from '../../graph/shape.ts'
import { shapeText } from '../../graph/shape.ts'
import { reshape } from '../../ops/broadcasting.ts'
import { convolution } from '../../ops/convolution.ts'
import { add } from '../../ops/elementwise.ts'
import { activationOption, activations } from '../activations.ts'
import { initializerOption } from '../initializers.ts'
import { defineLayer } from '../layer.ts'
import { regularizerOption } from '../regularizers.ts'

/** One entry per spatial axis. */
export function perAxis(value: Sizes, rank: number, name: string): number[] {
  if (typeof value === 'number') return Array(rank).fill(value)
  if (value.length === rank) return [...value]
  throw new FoveaError('E_OPTION', {
    what: `'${name}' must have one entry per spatial axis`,
    expected: `${rank} entries`,
    got: `${value.length}`,
  })
}

/** Channels of an image; anything else is refused. */
function channelsOf(shape: Shape): number {
  if (shape.length === 3) return shape[2]
  throw new FoveaError('E_SHAPE', {
    what: 'wants images [height, width, channels]',
    got: shapeText(shape),
    hint: 'reshape the input, as in reshape({ targetShape: [28, 28, 1] })',
  })
}

/** Channels that each filter sees; the input is checked on the way. */
function perGroup(shape: Shape, groups: number, filters: number): number {
  const channels = channelsOf(shape)
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

const windowOptions = {
  kernelSize: sizes({ says: 'height and width of the window', min: 1 }),
  strides: sizes({ says: 'steps of the window', min: 1, default: 1 }),
  padding: choice(['valid', 'same'], {
    says: 'border: none, or so that output = ceil(input / stride)',
    default: 'valid',
  }),
  dilationRate: sizes({ says: 'distance between neighbours in the window', min: 1, default: 1 }),
}

interface WindowOptions {
  readonly strides: Sizes
  readonly padding: 'valid' | 'same'
  readonly dilationRate: Sizes
}

const attrsOf = ({ strides, padding, dilationRate }: WindowOptions, groups: number) => ({
  strides: perAxis(strides, 2, 'strides'),
  dilation: perAxis(dilationRate, 2, 'dilationRate'),
  padding,
  groups,
})

/** 2-D convolution (cross-correlation: the kernel is not flipped) of [height, width, channels]. */
export const conv2d = defineLayer('conv2d', {
  className: 'Conv2D',
  says: 'Convolution over images.',
  options: {
    filters: integer({ says: 'number of output channels', min: 1 }),
    ...windowOptions,
    groups: integer({
      says: 'channels are split into this many groups, each with its own filters',
      min: 1,
      default: 1,
    }),
    activation: activationOption,
    useBias: flag({ says: 'add one number per filter', default: true }),
    kernelInitializer: initializerOption(
      'first values of the kernel [height, width, channels / groups, filters]',
      'glorotUniform',
    ),
    biasInitializer: initializerOption('first values of the bias [filters]', 'zeros'),
    kernelRegularizer: regularizerOption('penalty on the kernel'),
    biasRegularizer: regularizerOption('penalty on the bias'),
  },
  weights: ({ filters, kernelSize, groups, useBias, ...options }, shape) => ({
    kernel: {
      shape: [...perAxis(kernelSize, 2, 'kernelSize'), perGroup(shape, groups, filters), filters],
      initializer: options.kernelInitializer,
      regularizer: options.kernelRegularizer,
    },
    ...(useBias && {
      bias: { shape: [filters], initializer: options.biasInitializer, regularizer: options.biasRegularizer },
    }),
  }),
  forward: ([x], { kernel, bias }, options) => {
    const y = convolution(x, kernel, attrsOf(options, options.groups))
    return activations[options.activation](bias ? add(y, bias) : y)
  },
})

/**
 * 2-D convolution of every channel by itself: channel c gives the outputs c * depthMultiplier and on. The kernel is
 * [height, width, channels, depthMultiplier], as Keras stores it.
 */
export const depthwiseConv2d = defineLayer('depthwiseConv2d', {
  className: 'DepthwiseConv2D',
  says: 'Convolution over images, every channel by itself.',
  options: {
    ...windowOptions,
    depthMultiplier: integer({ says: 'outputs per channel', min: 1, default: 1 }),
    activation: activationOption,
    useBias: flag({ says: 'add one number per output channel', default: true }),
    depthwiseInitializer: initializerOption(
      'first values of the kernel [height, width, channels, depthMultiplier]',
      'glorotUniform',
    ),
    biasInitializer: initializerOption('first values of the bias [channels * depthMultiplier]', 'zeros'),
    depthwiseRegularizer: regularizerOption('penalty on the kernel'),
    biasRegularizer: regularizerOption('penalty on the bias'),
  },
  weights: ({ kernelSize, depthMultiplier, useBias, ...options }, shape) => {
    const channels = channelsOf(shape)
    return {
      kernel: {
        shape: [...perAxis(kernelSize, 2, 'kernelSize'), channels, depthMultiplier],
        initializer: options.depthwiseInitializer,
        regularizer: options.depthwiseRegularizer,
      },
      ...(useBias && {
        bias: {
          shape: [channels * depthMultiplier],
          initializer: options.biasInitializer,
          regularizer: options.biasRegularizer,
        },
      }),
    }
  },
  forward: ([x], { kernel, bias }, options) => {
    const [height, width, channels, multiplier] = kernel.shape
    const grouped = reshape(kernel, { shape: [height, width, 1, channels * multiplier] }) // the same order of elements
    const y = convolution(x, grouped, attrsOf(options, channels))
    return activations[options.activation](bias ? add(y, bias) : y)
  },
})
