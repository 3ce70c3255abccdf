/** Movement: every op of it is a copy along strides, or a few. */
import type { Value } from '../../../compile/step.ts'
import type { AttrsOf } from '../../../graph/node.ts'
import type { Shape } from '../../../graph/shape.ts'
import { broadcastStrides, joinAxes, sizeOf, stridesOf } from '../../../graph/shape.ts'
import type { broadcastTo as broadcastToOp } from '../../../ops/broadcasting.ts'
import type {
  concatOp,
  movementPrimitives,
  pad as padOp,
  slice as sliceOp,
  transpose as transposeOp,
} from '../../../ops/movement.ts'
import type { Context, Kernels, Lower, NativeStage } from './context.ts'
import { stage } from './context.ts'

interface Walk {
  readonly sizes: Shape
  readonly source: readonly number[]
  readonly target: readonly number[]
  readonly sourceOffset?: number
  readonly targetOffset?: number
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, n, i) => sum + n * b[i], 0)

/** Neighbouring axes that both sides walk as one become one: long rows are copied fast. */
function joined({ sizes, source, target }: Walk): Walk {
  const { sizes: kept, strides } = joinAxes(sizes, [source, target])
  return kept.length === 0
    ? { sizes: [1], source: [1], target: [1] }
    : { sizes: kept, source: strides[0], target: strides[1] }
}

function copy(context: Context, x: Value, y: Value, walk: Walk, isPart = false): NativeStage {
  const { sourceOffset = 0, targetOffset = 0 } = walk
  const where = `copy [${x.shape.join(', ')}]`
  const once = y.buffer.home.in === 'program'
  const places = { ...joined(walk), sourceOffset, targetOffset }
  const made = context.operation({ kind: 'copy', where, dtype: x.dtype, ...places, once })
  const result = stage(made, [{ reads: x }, { writes: y }])
  return isPart ? { ...result, reads: [...result.reads, y.buffer] } : result // the values in the result stay
}

const transpose: Lower<AttrsOf<typeof transposeOp>> = ({ inputs: [x], output, attrs, context }) => {
  const strides = stridesOf(x.shape)
  const source = attrs.permutation.map((axis) => strides[axis])
  return [copy(context, x, output, { sizes: output.shape, source, target: stridesOf(output.shape) })]
}

const pad: Lower<AttrsOf<typeof padOp>> = ({ inputs: [x], output, attrs, context }) => {
  const target = stridesOf(output.shape)
  const targetOffset = dot(
    attrs.padding.map(([before]) => before),
    target,
  )
  const { value = 0 } = attrs
  const fields = { kind: 'fill', where: `pad [${x.shape.join(', ')}]`, dtype: x.dtype, value }
  const filled = context.operation({ ...fields, elements: sizeOf(output.shape) })
  return [
    stage(filled, [{ writes: output }]),
    copy(context, x, output, { sizes: x.shape, source: stridesOf(x.shape), target, targetOffset }, true),
  ]
}

const slice: Lower<AttrsOf<typeof sliceOp>> = ({ inputs: [x], output, attrs, context }) => {
  const source = stridesOf(x.shape)
  const sourceOffset = dot(attrs.begin, source)
  return [copy(context, x, output, { sizes: output.shape, source, target: stridesOf(output.shape), sourceOffset })]
}

const concat: Lower<AttrsOf<typeof concatOp>> = ({ inputs, output, attrs, context }) => {
  const target = stridesOf(output.shape)
  let begin = 0
  return inputs.map((x, i) => {
    const targetOffset = begin * target[attrs.axis]
    begin += x.shape[attrs.axis]
    return copy(context, x, output, { sizes: x.shape, source: stridesOf(x.shape), target, targetOffset }, i > 0)
  })
}

const broadcastTo: Lower<AttrsOf<typeof broadcastToOp>> = ({ inputs: [x], output, context }) => {
  const { shape } = output
  return [
    copy(context, x, output, { sizes: shape, source: broadcastStrides(x.shape, shape), target: stridesOf(shape) }),
  ]
}

export const movementKernels: Kernels<typeof movementPrimitives> = { transpose, pad, slice, concat, broadcastTo }
