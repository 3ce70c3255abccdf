/** Matrix products by oneDNN; of one row by settled weights by our own. */
import type { MatmulAttrs, matmulPrimitives } from '../../../ops/matmul.ts'
import type { Kernels, Lower } from './context.ts'
import { scratch, stage, tailFields, tailStage } from './context.ts'
import { oneRow } from './one-row.ts'
import { packed, resultOf, splitBias } from './product.ts'

const matmul: Lower<MatmulAttrs> = (step) => {
  const { inputs, output, attrs, context, tail } = step
  const [a, b] = inputs
  const { transposeA = false, transposeB = false } = attrs
  const [m, n] = output.shape
  const { bias, rest } = splitBias(tail, output)
  const where = `matmul [${a.shape.join(', ')}] [${b.shape.join(', ')}]`
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
    k: a.shape[transposeA ? 0 : 1],
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

export const matmulKernels: Kernels<typeof matmulPrimitives> = { matmul }
