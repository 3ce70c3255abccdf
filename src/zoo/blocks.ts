/** What the networks are wired of: a chain of layers, and a convolution with batch normalisation. */
import { choice, number } from '../base/options.ts'
import type { Activation } from '../nn/activations.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { layers } from '../nn/layers/index.ts'

const { activation, add, batchNormalization, conv2d, dense, depthwiseConv2d, dropout } = layers
const { globalAveragePooling2d, maxPooling2d, multiply } = layers

/** x through one layer after the other. */
export const through = (x: Tensor, ...stack: readonly Layer[]): Tensor => stack.reduce((y, layer) => layer(y), x)

type Size = number | readonly [number, number]

export interface ConvBn {
  readonly filters: number
  readonly kernelSize: Size
  readonly strides?: number
  /** Half the kernel when absent, so that stride 1 keeps the size. PyTorch's borders: the same on both sides. */
  readonly padding?: Size | undefined
  readonly groups?: number | undefined
  /** 'linear' leaves the activation out. */
  readonly activation?: Activation
  readonly epsilon?: number
  readonly momentum?: number
}

const half = (kernel: Size): Size => (typeof kernel === 'number' ? kernel >> 1 : [kernel[0] >> 1, kernel[1] >> 1])

/** The rest of a convolution: normalised over the batch, then a function of it. */
export const normalised = ({
  activation: f = 'relu',
  epsilon = 1e-5,
  momentum = 0.9,
}: Pick<ConvBn, 'activation' | 'epsilon' | 'momentum'> = {}): Layer[] => [
  batchNormalization({ epsilon, momentum }),
  ...(f === 'linear' ? [] : [activation({ activation: f })]),
]

/** A convolution alone, without bias, where a normalisation follows or came before. */
export const plainConv = (
  filters: number,
  kernelSize: Size,
  strides = 1,
  { padding = half(kernelSize), groups = 1 }: Pick<ConvBn, 'padding' | 'groups'> = {},
): Layer => conv2d({ filters, kernelSize, strides, padding, groups, useBias: false, kernelInitializer: 'heNormal' })

/** A convolution without bias, batch normalisation, an activation. */
export const convBn = ({ filters, kernelSize, strides, padding, groups, ...rest }: ConvBn): Layer[] => [
  plainConv(filters, kernelSize, strides, { padding, groups }),
  ...normalised(rest),
]

/** The same of every channel by itself. */
export const depthwiseBn = ({
  kernelSize,
  strides = 1,
  padding = half(kernelSize),
  ...rest
}: Omit<ConvBn, 'filters' | 'groups'>): Layer[] => [
  depthwiseConv2d({ kernelSize, strides, padding, useBias: false, depthwiseInitializer: 'heNormal' }),
  ...normalised(rest),
]

/** A convolution with bias and relu, as networks before batch normalisation have it. */
export const conv = (
  filters: number,
  kernelSize: Size,
  { strides = 1, padding = half(kernelSize), groups = 1 }: { strides?: number; padding?: Size; groups?: number } = {},
): Layer => conv2d({ filters, kernelSize, strides, padding, groups, activation: 'relu', kernelInitializer: 'heNormal' })

/** The mean of every channel, dropout where there is any, and a logit per class. */
export const pooledClasses = (classes: number, rate = 0): Layer[] => [
  globalAveragePooling2d(),
  ...dropping(rate),
  dense({ units: classes, name: 'predictions' }),
]

/** Pooling whose last window may begin within and end outside: the size is rounded up, as in Caffe. */
export const ceilPool = (poolSize = 3): Layer =>
  maxPooling2d({
    poolSize,
    strides: 2,
    padding: [
      [0, 1],
      [0, 1],
    ],
  })

/** Filters as MobileNet and EfficientNet round them: a multiple of 8 that is not more than a tenth below. */
export function divisible(filters: number): number {
  const rounded = Math.max(8, Math.floor((filters + 4) / 8) * 8)
  return rounded < 0.9 * filters ? rounded + 8 : rounded
}

interface Squeezed {
  readonly units: number
  readonly activation: Activation
  /** What makes factors of the channels. */
  readonly gate: Activation
}

/** Squeeze-and-excite (Hu et al. 2018): every channel times a factor that follows from the means of all. */
function excited(x: Tensor, { units, activation: f, gate }: Squeezed): Tensor {
  const factors = through(
    x,
    globalAveragePooling2d({ keepDims: true }),
    conv2d({ filters: units, kernelSize: 1, activation: f }),
    conv2d({ filters: x.shape[2], kernelSize: 1, activation: gate }),
  )
  return multiply()(x, factors)
}

interface Inverted extends Pick<ConvBn, 'activation' | 'epsilon' | 'momentum'> {
  readonly expanded: number
  readonly filters: number
  readonly kernelSize: number
  readonly strides: number
  readonly squeezed?: Squeezed | undefined
}

/** Inverted residual (Sandler et al. 2018): 1 x 1 to more channels, depthwise, 1 x 1 to few; x is added where it fits. */
export function inverted(x: Tensor, { expanded, filters, kernelSize, strides, squeezed, ...norm }: Inverted): Tensor {
  const wide = expanded === x.shape[2] ? x : through(x, ...convBn({ filters: expanded, kernelSize: 1, ...norm }))
  const seen = through(wide, ...depthwiseBn({ kernelSize, strides, ...norm }))
  const gated = squeezed ? excited(seen, squeezed) : seen
  const y = through(gated, ...convBn({ filters, kernelSize: 1, ...norm, activation: 'linear' }))
  return strides === 1 && filters === x.shape[2] ? add()(y, x) : y
}

/** Where the paper and torchvision differ. */
export const variantOption = {
  variant: choice(['paper', 'torchvision'], {
    says: 'which description is followed where the paper and torchvision differ',
    default: 'paper',
  }),
}

/** Dropout, where a share is dropped. */
export const dropping = (rate: number): Layer[] => (rate > 0 ? [dropout({ rate })] : [])

/** The option `dropout`; `what` is dropped. */
export const dropoutOption = (what: string, rate: number) =>
  number({ says: `share of ${what} that a step drops`, min: 0, max: 1, ends: 'right-open', default: rate })
