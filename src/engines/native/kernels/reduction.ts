/** Reductions over a run of neighbouring axes: [outer, count, inner] along the middle. */

import type { Value } from '../../../compile/step.ts'
import type { Shape } from '../../../graph/shape.ts'
import type { AxisRun } from '../../../ops/broadcasting.ts'
import { around } from '../../../ops/broadcasting.ts'
import type { reductionPrimitives } from '../../../ops/reduction.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import { argument } from '../../../ops/scalar.ts'
import type { ExpressionFields } from '../expression.ts'
import { expressionFields } from '../expression.ts'
import type { Context, Kernels, Lower, NativeStage } from './context.ts'
import { scratch, simple, stage } from './context.ts'

const fieldsOf = (shape: Shape, run: AxisRun) => {
  const [outer, count, inner] = around(shape, run)
  return { outer, count, inner }
}

const sum: Lower<AxisRun> = ({ inputs, output, attrs, head, context }) => {
  const { shape } = head?.spec ?? inputs[0]
  const sums = [{ f: head?.f ?? argument(0), to: output }]
  return [sumStage({ shape, run: attrs, inputs, sums, stored: [] }, context)]
}

interface Result {
  readonly f: Scalar
  readonly to: Value
}

export function sumStage({ shape, run, inputs, sums, stored }: SumLoop, context: Context): NativeStage {
  const results = [...sums, ...stored]
  const dtypes = [...sums.map(() => 'float32' as const), ...stored.map(({ to }) => to.dtype)]
  const expressions = results.map(({ f }) => f)
  const sizes = fieldsOf(shape, run)
  const head = expressionFields(shape, inputs, expressions, dtypes, sums.length)
  const operation = context.operation({
    kind: 'sum',
    where: `sum [${shape.join(', ')}]`,
    ...sizes,
    sums: sums.length,
    head: { ...inPieces(head, sizes.count * sizes.inner), streamed: true },
  })
  const partials = scratch(operation.operandBytes[inputs.length + sums.length])
  const written = [...sums.map(({ to }) => to), partials, ...stored.map(({ to }) => to)]
  return stage(operation, [...inputs.map((reads) => ({ reads })), ...written.map((writes) => ({ writes }))])
}

/** A row that is longer than the pieces which are summed is no row to them. */
function inPieces(head: ExpressionFields, piece: number): ExpressionFields {
  const strides = head.sizes.map((_, axis) => (axis === head.sizes.length - 1 ? 1 : 0))
  const width = head.sizes[head.sizes.length - 1]
  if (piece % width === 0) return head
  return { ...head, inputs: head.inputs.map((x) => (x.walk === 'column' ? { ...x, walk: 'general', strides } : x)) }
}

/** Sums over the same elements in one loop. */
export interface SumLoop {
  readonly shape: Shape
  readonly run: AxisRun
  readonly inputs: readonly Value[]
  readonly sums: readonly Result[]
  /** What is computed in the same loop and stored. */
  readonly stored: readonly Result[]
}

const extreme =
  (place: boolean): Lower<AxisRun> =>
  (step) => {
    const { inputs, attrs, output } = step
    const [x] = inputs
    const where = `${place ? 'argmax' : 'max'} [${x.shape.join(', ')}]`
    return [
      simple(step, { kind: 'extreme', where, place, dtype: x.dtype, ...fieldsOf(x.shape, attrs) }, inputs, output),
    ]
  }

const max = extreme(false)
const argmax = extreme(true)

export const reductionKernels: Kernels<typeof reductionPrimitives> = { sum, max, argmax }
