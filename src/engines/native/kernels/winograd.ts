/** Convolutions by Winograd's way (native/src/winograd.vector.cc): a quarter of the multiplications, and transforms around them. */
import type { Value } from '../../../compile/step.ts'
import { arenaValue } from '../../../compile/step.ts'
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import { argument } from '../../../ops/scalar.ts'
import type { Context, NativeStage, Tail } from './context.ts'
import { kept, scratch, stage, stageWithTail, tailFields, tailStage } from './context.ts'
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

/**
 * Tiles from which on it is the faster one, on two threads: [16, 4, 4, 256] by 256 filters takes 0.8 ms in place of 1.0 with the
 * kernel at the points as it comes and 0.4 in place of 0.8 with one that stays, but the kernel's gradient 2.1 in place of 1.0; with
 * 64 tiles these are 1.9 for 3.2 and 3.4 for 3.5, with 128 tiles 3.5 for 6.4 and 4.2 for 7.5, of 64 filters 0.2 for 0.3 and 0.35
 * for 0.5. Small pictures: [16, 2, 2, 512] by 512 takes 0.8 for 2.1 ms, and 1.5 for 2.4.
 */
const LEAST_TILES = { settled: 16, computed: 64, gradient: 128 }
const LEAST_PICTURES = 16
/** Bytes of a kernel at the points, which are memory of the step: a 3 x 3 kernel of 512 by 512 has 38 million. */
const MOST_BYTES = 40e6

/**
 * The fields of the addon's operation, or undefined where oneDNN's plain convolution is to be taken: it multiplies window x window
 * times a result, this one 36 times a tile of 4 x 4 results (3 x 3) or 2 x 2 (5 x 5), which is 4 and 2.8 times less, and 9 times a
 * picture of 2 x 2 results (3 x 3), 4 times less; but the transforms of source and result weigh the more, the fewer channels there
 * are. `use`: a kernel that stays, one that is transformed in every step, or the gradient of one.
 */
function winogradFields({ axes, groups, source, result, before }: Slide, use: keyof typeof LEAST_TILES) {
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
  const isWorth = saved > 2.5 && tiles >= (isSmall ? LEAST_PICTURES : LEAST_TILES[use])
  if (!isWorth || channels < 16 || filters < 16 || points ** 2 * channels * filters * 4 > MOST_BYTES) return undefined
  return { kind: 'winograd', images, channels, filters, input, output, before, window, points }
}
type Fields = NonNullable<ReturnType<typeof winogradFields>>

/**
 * Channels and filters from which on it is worth to compute what is stored as bfloat16 this way, in float32 between two loops that
 * convert; on processors without tiles, where oneDNN multiplies at most twice as many numbers of bfloat16 as of float32.
 */
const LEAST_LOW_CHANNELS = 64

/** The same where numbers are float32, or bfloat16 and that is worth it. */
export function winogradOf(
  slide: Slide,
  use: keyof typeof LEAST_TILES,
  values: readonly Value[],
  { hasTiles }: Context,
): Fields | undefined {
  const isFull = values.every(({ dtype }) => dtype === 'float32')
  const fields = isFull || !hasTiles ? winogradFields(slide, use) : undefined
  if (isFull || !fields) return fields
  return use !== 'settled' && Math.min(fields.channels, fields.filters) >= LEAST_LOW_CHANNELS ? fields : undefined
}

/** A value as float32, and the loop that makes it so. */
function widened(value: Value, context: Context): { readonly full: Value; readonly stages: readonly NativeStage[] } {
  if (value.dtype === 'float32') return { full: value, stages: [] }
  const full = arenaValue({ shape: value.shape, dtype: 'float32' })
  return { full, stages: [tailStage(itself, value, full, context)] }
}
const itself: Tail = { f: argument(0), extras: [] }

/** A convolution: of x by the kernel, or of dy by the kernel turned round. Where the kernel stays, so do its values at the points. */
export function winogradResult(
  { where, turned, ...fields }: Fields & { readonly where: string; readonly turned: boolean },
  { source, kernel: given, bias, tail, output }: Convolved,
  context: Context,
): readonly NativeStage[] {
  const { channels, filters, window, points: along } = fields
  const { full: kernel, stages: kernelStages } = widened(given, context)
  const { full: x, stages: sourceStages } = widened(source, context)
  const isLow = output.dtype !== 'float32'
  const y = isLow ? arenaValue({ shape: output.shape, dtype: 'float32' }) : output
  const ending = isLow ? undefined : tail
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
    ...(ending && { tail: tailFields(ending, y) }),
  })
  const work = scratch(operation.operandBytes[bias ? 3 : 2])
  return [
    ...kernelStages,
    ...sourceStages,
    stage(evaluation, [{ reads: kernel }, { writes: points }]),
    stageWithTail(operation, [x, points, bias], { tail: ending, work, output: y }),
    ...(isLow ? [tailStage(tail ?? itself, y, output, context)] : []),
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
  const [source, flow] = [widened(x, context), widened(dy, context)]
  const results = [output, ...(bias ? [bias] : []), work].map((writes) => ({ writes }))
  return [
    ...source.stages,
    ...flow.stages,
    stage(operation, [{ reads: source.full }, { reads: flow.full }, ...results]),
  ]
}
