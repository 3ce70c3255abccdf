/** Matrix products by oneDNN; of one row by settled weights by our own. */

import type { Value } from '../../../compile/step.ts'
import type { MatmulAttrs, matmulPrimitives } from '../../../ops/matmul.ts'
import type { Context, Kernels, Lower, NativeStage, Tail } from './context.ts'
import { scratch, stage, tailFields, tailStage } from './context.ts'
import { oneRow } from './one-row.ts'
import { packed, resultOf, splitBias } from './product.ts'

interface Factors {
  readonly where: string
  /** [m, k] and [k, n], or these transposed. */
  readonly a: Value
  readonly b: Value
  readonly attrs?: MatmulAttrs
  /** m rows of n, whatever its axes. */
  readonly output: Value
  readonly tail: Tail | undefined
}

/** The stages of a product. */
export function product({ where, a, b, attrs = {}, output, tail }: Factors, context: Context): readonly NativeStage[] {
  const { transposeA = false, transposeB = false } = attrs
  const [m, k] = transposeA ? [a.shape[1], a.shape[0]] : a.shape
  const n = b.shape[transposeB ? 0 : 1]
  const { bias, rest } = splitBias(tail, output)
  const isPlain = !transposeA && !transposeB && [a, b, output].every(({ dtype }) => dtype === 'float32')
  if (m === 1 && isPlain && context.isSettled(b))
    return oneRow({ where, x: a, weights: b, bias, tail: rest, output }, context)
  const result = resultOf(rest, output)
  const own = result === output ? rest : undefined
  const operation = context.operation({
    kind: 'matmul',
    where,
    m,
    n,
    k,
    transposeA,
    transposeB,
    dtype: a.dtype,
    result: result.dtype,
    bias: bias !== undefined,
    // packing at every step costs more than it saves: of [4096, 512] 1.0 to 2.1 ms, in bfloat16 a cast for both ways 0.4
    packs: context.isSettled(context.uncast(b)),
    ...(own && { tail: tailFields(own, output) }),
  })
  const factor = packed(operation, b, context)
  return [
    ...factor.stages,
    stage(operation, [
      { reads: a },
      { reads: factor.value },
      ...(bias ? [{ reads: bias }] : []),
      { writes: result },
      { writes: scratch(operation.scratch) },
      ...(own?.extras ?? []).map((reads) => ({ reads })),
    ]),
    ...(rest && !own ? [tailStage(rest, result, output, context)] : []),
  ]
}

const matmul: Lower<MatmulAttrs> = ({ inputs: [a, b], attrs, output, tail, context }) =>
  product({ where: `matmul [${a.shape.join(', ')}] [${b.shape.join(', ')}]`, a, b, attrs, output, tail }, context)

export const matmulKernels: Kernels<typeof matmulPrimitives> = { matmul }
