/**
 * Convolution as the field means it: cross-correlation, the kernel is never flipped. Activations are
 * [n, ...spatial, channels], kernels [...window, channels / groups, filters], rank 1 to 3.
 */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { integer, sizes } from '../base/options.ts'
import type { StoredSpec } from '../graph/dtype.ts'
import type { Node, Op, SlidingWindow, Stored } from '../graph/node.ts'
import { defineOp, wantAlike } from '../graph/node.ts'
import type { AxisWindow, Padding, Shape } from '../graph/shape.ts'
import { sameShape, shapeText, sizeOf, slide } from '../graph/shape.ts'
import { images, nodeArgument, perSpatialAxis, strides, windowPadding } from './arguments.ts'
import { op } from './checked.ts'
import { pad, slice } from './movement.ts'

export interface ConvolutionAttrs {
  /** One entry per spatial axis. */
  readonly strides: readonly number[]
  readonly dilation: readonly number[]
  readonly padding: Padding
  readonly groups: number
}

/** What a convolution does along every spatial axis, from the shapes of its input and kernel; checked. */
export function convolutionAxes(x: Shape, kernel: Shape, attrs: ConvolutionAttrs): AxisWindow[] {
  const rank = x.length - 2
  if (rank < 1 || rank > 3 || kernel.length !== x.length) {
    throw new FoveaError('E_SHAPE', {
      what: 'needs [n, ...spatial, channels] and [...window, channels / groups, filters] with 1 to 3 spatial axes',
      got: `${shapeText(x)} and ${shapeText(kernel)}`,
    })
  }
  const [channels, perGroup, filters] = [x[rank + 1], kernel[rank], kernel[rank + 1]]
  const { groups } = attrs
  const stranger = Object.entries({ channels, filters }).find(
    ([, n]) => !(Number.isInteger(groups) && n % groups === 0),
  )
  if (stranger) {
    const [what, n] = stranger
    throw new FoveaError('E_SHAPE', {
      what: `${what} must be a multiple of groups`,
      got: `${n} ${what}, ${groups} groups`,
    })
  }
  if (perGroup * groups !== channels) {
    const each = groups === 1 ? '' : ` / ${groups} groups`
    throw new FoveaError('E_SHAPE', {
      what: `the kernel does not fit the channels of ${shapeText(x)}`,
      expected: `[...window, ${channels / groups}, filters], ${channels} channels${each}`,
      got: shapeText(kernel),
    })
  }
  return slide(x.slice(1, -1), { ...attrs, window: kernel.slice(0, rank) })
}

/** The shape of a convolution's output. */
const outputShape = (x: Shape, kernel: Shape, attrs: ConvolutionAttrs): Shape => [
  x[0],
  ...convolutionAxes(x, kernel, attrs).map((axis) => axis.output),
  kernel[kernel.length - 1],
]

function wantOutput(dy: StoredSpec, x: Shape, kernel: Shape, attrs: ConvolutionAttrs): void {
  const expected = outputShape(x, kernel, attrs)
  if (sameShape(dy.shape, expected)) return
  throw new FoveaError('E_SHAPE', {
    what: 'dy has another shape than the output',
    expected: shapeText(expected),
    got: shapeText(dy.shape),
  })
}

/** The part of a window along an axis that ever meets the input; the rest lies on the border wherever the window stands. */
function metBy(axis: AxisWindow): { readonly first: number; readonly size: number; readonly pads: [number, number] } {
  const { input, output, window, stride, dilation, before, after } = axis
  const isMet = (_: unknown, tap: number): boolean => {
    const offset = tap * dilation - before
    const place = Math.max(0, Math.ceil(-offset / stride)) // the first at which the tap is not in front of the input
    return place < output && place * stride + offset < input
  }
  const met = Array.from({ length: window }, isMet)
  const first = Math.min(Math.max(0, met.indexOf(true)), Math.floor(before / dilation))
  const size = met.lastIndexOf(true) - first + 1
  const front = before - first * dilation
  const end = (output - 1) * stride + (size - 1) * dilation + 1 - front
  const isExact = size > 0 && end + stride > input // no further place of the shorter window would fit
  return isExact
    ? { first, size, pads: [front, Math.max(0, end - input)] }
    : { first: 0, size: window, pads: [before, after] }
}

/** The same convolution without the parts of its kernel that only meet the border: where, and how. Undefined where there are none. */
function withoutIdle<A extends ConvolutionAttrs>(x: Shape, kernel: Shape, attrs: A) {
  const axes = convolutionAxes(x, kernel, attrs)
  const met = axes.map(metBy)
  if (met.every(({ size }, i) => size === axes[i].window)) return undefined
  const ends = kernel.slice(-2)
  return {
    box: { begin: [...met.map(({ first }) => first), 0, 0], size: [...met.map(({ size }) => size), ...ends] },
    attrs: { ...attrs, padding: met.map(({ pads }) => pads) },
  }
}

const plain = { strides: [1, 1], dilation: [1, 1], padding: 'valid', groups: 1 } as const
/** Settings of x, kernel and attributes that the samples of all three ops are made of. */
const settings: { x: Shape; kernel: Shape; attrs: ConvolutionAttrs }[] = [
  { x: [2, 6, 5, 3], kernel: [3, 3, 3, 4], attrs: plain },
  { x: [2, 7, 6, 2], kernel: [3, 2, 2, 5], attrs: { ...plain, padding: 'same' } },
  { x: [1, 8, 7, 4], kernel: [3, 3, 4, 8], attrs: { ...plain, strides: [2, 3], padding: 'same' } },
  { x: [1, 9, 8, 2], kernel: [2, 3, 2, 3], attrs: { ...plain, dilation: [2, 2], padding: 'same' } },
  {
    x: [2, 5, 5, 4],
    kernel: [3, 3, 2, 6],
    attrs: {
      ...plain,
      groups: 2,
      padding: [
        [1, 0],
        [0, 2],
      ],
    },
  },
  { x: [1, 6, 6, 3], kernel: [3, 3, 1, 3], attrs: { ...plain, groups: 3, strides: [2, 2], padding: 'same' } },
  { x: [2, 7, 11, 7], kernel: [3, 3, 1, 7], attrs: { ...plain, groups: 7, padding: 'same' } },
  { x: [1, 6, 9, 3], kernel: [3, 2, 1, 6], attrs: { ...plain, groups: 3, strides: [2, 3], padding: 'same' } },
  { x: [1, 7, 8, 8], kernel: [3, 3, 1, 8], attrs: { ...plain, groups: 8, dilation: [2, 2], padding: 'same' } },
  { x: [2, 5, 4, 6], kernel: [1, 1, 6, 9], attrs: plain },
  { x: [3, 12, 14, 1], kernel: [5, 5, 1, 20], attrs: { ...plain, padding: 'same' } },
  { x: [2, 1, 1, 3], kernel: [3, 3, 3, 4], attrs: { ...plain, padding: 'same' } },
  { x: [2, 2, 1, 4], kernel: [5, 4, 1, 4], attrs: { ...plain, groups: 4, strides: [2, 1], padding: 'same' } },
  { x: [1, 3, 2, 2], kernel: [3, 3, 2, 3], attrs: { ...plain, dilation: [3, 2], padding: 'same' } },
  { x: [2, 11, 3], kernel: [4, 3, 5], attrs: { strides: [2], dilation: [1], padding: 'same', groups: 1 } },
  {
    x: [1, 4, 5, 6, 2],
    kernel: [2, 3, 3, 2, 4],
    attrs: { strides: [1, 2, 1], dilation: [1, 1, 1], padding: 'same', groups: 1 },
  },
]

const windowOf = ({ shape }: StoredSpec, { strides, dilation }: ConvolutionAttrs): SlidingWindow => ({
  size: shape.slice(0, -2),
  strides,
  dilation,
})

/** y[n, o, f] = sum over window positions k and channels c of x[n, o * stride + k * dilation - before, c] kernel[k, c, f]. */
export const convolution: Op<2, ConvolutionAttrs & Stored> = defineOp('convolution', 2, {
  infer: ([x, kernel], attrs) => {
    wantAlike([x, kernel])
    return { shape: outputShape(x.shape, kernel.shape, attrs), dtype: attrs.dtype ?? 'float32' }
  },
  gradient: (dy, _, [x, kernel], attrs) => [
    convolutionInputGradient(dy, kernel, { ...attrs, inputShape: x.shape }),
    convolutionKernelGradient(x, dy, { ...attrs, kernelShape: kernel.shape }),
  ],
  simplify: ([x, kernel], attrs) => {
    const less = withoutIdle(x.shape, kernel.shape, attrs)
    return less && convolution(x, slice(kernel, less.box), less.attrs)
  },
  fuses: { tail: true },
  precision: { reads: 'bfloat16', gives: 'any' },
  multiplyAdds: ([, kernel], y) => sizeOf(y.shape) * sizeOf(kernel.shape.slice(0, -1)),
  window: ([, kernel], attrs) => windowOf(kernel, attrs),
  samples: settings.map(({ x, kernel, attrs }) => ({ shapes: [x, kernel], attrs })),
})

/** From dy and the kernel, the gradient for the input (a transposed convolution). */
export const convolutionInputGradient: Op<2, ConvolutionAttrs & Stored & { readonly inputShape: Shape }> = defineOp(
  'convolutionInputGradient',
  2,
  {
    infer: ([dy, kernel], attrs) => {
      wantAlike([dy, kernel])
      wantOutput(dy, attrs.inputShape, kernel.shape, attrs)
      return { shape: attrs.inputShape, dtype: attrs.dtype ?? 'float32' }
    },
    gradient: (g, _, [dy, kernel], { inputShape: _inputShape, ...attrs }) => [
      convolution(g, kernel, attrs),
      convolutionKernelGradient(g, dy, { ...attrs, kernelShape: kernel.shape }),
    ],
    simplify: ([dy, kernel], attrs) => {
      const less = withoutIdle(attrs.inputShape, kernel.shape, attrs)
      return less && convolutionInputGradient(dy, slice(kernel, less.box), less.attrs)
    },
    fuses: { tail: true },
    precision: { reads: 'bfloat16', gives: 'any' },
    multiplyAdds: ([dy, kernel]) => sizeOf(dy.shape) * sizeOf(kernel.shape.slice(0, -1)),
    window: ([, kernel], attrs) => ({ ...windowOf(kernel, attrs), isTransposed: true }),
    samples: settings.map(({ x, kernel, attrs }) => ({
      shapes: [outputShape(x, kernel, attrs), kernel],
      attrs: { ...attrs, inputShape: x },
    })),
  },
)

/** From the input and dy, the gradient for the kernel. */
export const convolutionKernelGradient: Op<2, ConvolutionAttrs & { readonly kernelShape: Shape }> = defineOp(
  'convolutionKernelGradient',
  2,
  {
    infer: ([x, dy], attrs) => {
      wantAlike([x, dy])
      wantOutput(dy, x.shape, attrs.kernelShape, attrs)
      return { shape: attrs.kernelShape, dtype: 'float32' }
    },
    gradient: (g, _, [x, dy], { kernelShape: _kernelShape, ...attrs }) => [
      convolutionInputGradient(dy, g, { ...attrs, inputShape: x.shape }),
      convolution(x, g, attrs),
    ],
    simplify: ([x, dy], attrs) => {
      const less = withoutIdle(x.shape, attrs.kernelShape, attrs)
      if (!less) return undefined
      const { begin, size } = less.box
      const padding = attrs.kernelShape.map((n, axis) => [begin[axis], n - begin[axis] - size[axis]] as const)
      return pad(convolutionKernelGradient(x, dy, { ...less.attrs, kernelShape: size }), { padding })
    },
    precision: { reads: 'bfloat16' },
    role: 'kernelGradient',
    samples: settings.map(({ x, kernel, attrs }) => ({
      shapes: [x, outputShape(x, kernel, attrs)],
      attrs: { ...attrs, kernelShape: kernel },
    })),
  },
)

/** What engines compute. */
export const convolutionPrimitives = { convolution, convolutionInputGradient, convolutionKernelGradient } as const

const windowAttrs = {
  strides,
  dilation: sizes({
    says: 'distance between neighbours in the window, one number or one per spatial axis',
    min: 1,
    default: 1,
  }),
  padding: windowPadding,
  groups: integer({
    says: 'channels are split into so many groups, each with its own filters',
    min: 1,
    default: 1,
  }),
}

const convolved = (x: Node, kernel: Node, options: Options<typeof windowAttrs> = {}): Node => {
  const { strides = 1, dilation = 1, padding = 'valid', groups = 1 } = options
  const axes = { strides: perSpatialAxis(strides, x), dilation: perSpatialAxis(dilation, x) }
  return convolution(x, kernel, { ...axes, padding: padding as Padding, groups })
}

/** Convolution for users: of any rank, or of one. */
const publicOf = (rank?: 1 | 2 | 3) =>
  op({
    says: `Convolution of ${rank ?? 'any number of'} spatial ${rank === 1 ? 'axis' : 'axes'}; the kernel is not flipped.`,
    takes: { x: images, kernel: nodeArgument('[...window, channels / groups, filters]') },
    attrs: windowAttrs,
    call: (x: Node, kernel: Node, options?: Options<typeof windowAttrs>): Node => {
      if (rank === undefined || x.shape.length === rank + 2) return convolved(x, kernel, options)
      const expected = `[n, ${rank} spatial, channels]`
      throw new FoveaError('E_SHAPE', {
        what: 'of another rank',
        where: `conv${rank}d`,
        expected,
        got: shapeText(x.shape),
      })
    },
  })

/** What users call. */
export const convolutionPublic = {
  convolution: publicOf(),
  conv1d: publicOf(1),
  conv2d: publicOf(2),
  conv3d: publicOf(3),
} as const
