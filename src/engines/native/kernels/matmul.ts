/** Matrix products by oneDNN. */
import type { MatmulAttrs } from '../../../ops/matmul.ts'
import type { Lower } from './context.ts'
import { scratch, stage, tailFields } from './context.ts'
import { packed, splitBias } from './product.ts'

export const matmul: Lower<MatmulAttrs> = (step) => {
  const { inputs, output, attrs, context, tail } = step
  const [a, b] = inputs
  const { transposeA = false, transposeB = false } = attrs
  const [m, n] = output.shape
  const { bias, rest } = splitBias(tail, output)
  const operation = context.operation({
    kind: 'matmul',
    where: `matmul [${a.shape.join(', ')}] [${b.shape.join(', ')}]`,
    m,
    n,
    k: a.shape[transposeA ? 0 : 1],
    transposeA,
    transposeB,
    dtype: a.dtype,
    result: output.dtype,
    bias: bias !== undefined,
    // packing at every step costs more than it saves: of [4096, 512] 1.0 to 2.1 ms, in bfloat16 a cast for both ways 0.4
    packs: context.isSettled(context.uncast(b)),
    ...(rest && { tail: tailFields(rest, output.shape, output.dtype) }),
  })
  const factor = packed(operation, b, context)
  return [
    ...factor.stages,
    stage(operation, [
      { reads: a },
      { reads: factor.value },
      ...(bias ? [{ reads: bias }] : []),
      { writes: output },
      { writes: scratch(operation.scratch) },
      ...(rest?.extras ?? []).map((reads) => ({ reads })),
    ]),
  ]
}
