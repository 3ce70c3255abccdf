/** Convolutions by Winograd's way (native/src/winograd.vector.cc): a quarter of the multiplications, and transforms around them. */
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import type { Context, NativeStage } from './context.ts'
import { kept, scratch, stage, stageWithTail, tailFields } from './context.ts'
import type { Convolved, KernelGradient } from './plane.ts'

/** A convolution with stride 1 as the addon's loops see it: windows that slide over `source`, one for each place of `result`. */
interface Slide {
  readonly axes: readonly AxisWindow[]
  readonly groups: number
  /** [n, height, width, channels] */
  readonly source: Shape
  readonly result: Shape
  readonly before: readonly number[]
}

/** Those of the forward pass, which are those of the kernel's gradient as well. */
export const forwards = (axes: readonly AxisWindow[], groups: number, x: Shape, y: Shape): Slide => ({
  axes,
  groups,
  source: x,
  result: y,
  before: axes.map(({ before }) => before),
})
/** Those of the input's gradient: dy and the kernel turned round give dx. */
export const backwards = (axes: readonly AxisWindow[], groups: number, x: Shape, y: Shape): Slide => ({
  axes,
  groups,
  source: y,
  result: x,
  before: axes.map(({ before, window }) => window - 1 - before),
})

/** Tiles from which on the transform of the kernel is little beside the rest, and its values at the points where they stay. */
const LEAST_TILES = { computed: Number(process.env['W_TILES'] ?? 512), settled: 16 }
const MOST_WEIGHTS = Number(process.env['W_MOST'] ?? 128 * 128)

/**
 * The fields of the addon's operation, or undefined where oneDNN's plain convolution is to be taken: it multiplies window x window
 * times a result, this one 36 times a tile of 4 x 4 results (3 x 3) or 2 x 2 (5 x 5), which is 4 and 2.8 times less; but the
 * transforms of source and result weigh the more, the fewer channels there are.
 */
export function winogradFields({ axes, groups, source, result, before }: Slide, isSettled = false) {
  const [{ window }] = axes
  const [images, channels, filters] = [source[0], source[source.length - 1], result[result.length - 1]]
  const isPlain = axes.length === 2 && groups === 1 && axes.every((a) => a.stride === 1 && a.dilation === 1)
  if (!isPlain || (window !== 3 && window !== 5) || axes[1].window !== window || before.some((n) => n < 0))
    return undefined
  const [input, output] = [source.slice(1, 3), result.slice(1, 3)]
  const isSmall = window === 3 && [...input, ...output].every((size) => size === 2) && before.every((n) => n === 1)
  const [points, tile] = isSmall ? [3, 2] : [6, 7 - window]
  const tiles = output.map((size) => Math.ceil(size / tile)).reduce((a, b) => a * b, images)
  const saved = (images * output[0] * output[1] * window ** 2) / (tiles * points ** 2)
  const isWorth = saved > 2.5 && tiles >= LEAST_TILES[isSettled ? 'settled' : 'computed']
  if (!isWorth || channels < 16 || filters < 16 || channels * filters > MOST_WEIGHTS) return undefined
  return { kind: 'winograd', images, channels, filters, input, output, before, window, points }
}
type Fields = NonNullable<ReturnType<typeof winogradFields>>

/** A convolution: of x by the kernel, or of dy by the kernel turned round. Where the kernel stays, so do its values at the points. */
export function winogradResult(
  { where, turned, ...fields }: Fields & { readonly where: string; readonly turned: boolean },
  { source, kernel, bias, tail, output }: Convolved,
  context: Context,
): readonly NativeStage[] {
  const { channels, filters, window, points: along } = fields
  const once = context.isSettled(kernel)
  const shape = { channels, filters, window, points: along, turned, once }
  const evaluation = context.operation({
    kind: 'winogradKernel',
    where: `points of [${kernel.shape.join(', ')}]`,
    ...shape,
  })
  const [, bytes] = evaluation.operandBytes
  const points = once ? kept(bytes) : scratch(bytes)
  const operation = context.operation({
    ...fields,
    where,
    of: 'result',
    bias: bias !== undefined,
    ...(tail && { tail: tailFields(tail, output) }),
  })
  const work = scratch(operation.operandBytes[bias ? 3 : 2])
  return [
    stage(evaluation, [{ reads: kernel }, { writes: points }]),
    stageWithTail(operation, [source, points, bias], { tail, work, output }),
  ]
}

/** The gradient of the kernel, and of the bias where that is asked for. */
export function winogradGradient(
  fields: Fields & { readonly where: string },
  { x, dy, output, bias }: KernelGradient,
  context: Context,
): readonly NativeStage[] {
  const operation = context.operation({ ...fields, of: 'kernel', bias: bias !== undefined })
  const work = scratch(operation.operandBytes[operation.operandBytes.length - 1])
  const results = [output, ...(bias ? [bias] : []), work].map((writes) => ({ writes }))
  return [stage(operation, [{ reads: x }, { reads: dy }, ...results])]
}
