/** A row times a matrix that stays as it is: the dense layers of one picture (native/src/one-row.cc). */
import type { Value } from '../../../compile/step.ts'
import type { Context, NativeStage, Tail } from './context.ts'
import { kept, stage, stageWithTail, tailFields } from './context.ts'

interface Row {
  readonly where: string
  readonly x: Value
  /** [k, n] */
  readonly weights: Value
  readonly bias: Value | undefined
  readonly tail: Tail | undefined
  readonly output: Value
}

/** The weights are packed once for all runs. */
export function oneRow({ where, x, weights, bias, tail, output }: Row, context: Context): readonly NativeStage[] {
  const [k, n] = weights.shape
  const packing = context.operation({ kind: 'rowWeights', where: `packing of [${k}, ${n}]`, k, n })
  const blocks = kept(packing.operandBytes[1])
  const fields = { kind: 'oneRow', where, k, n, bias: bias !== undefined }
  const operation = context.operation({ ...fields, ...(tail && { tail: tailFields(tail, output) }) })
  return [
    stage(packing, [{ reads: weights }, { writes: blocks }]),
    stageWithTail(operation, [x, blocks, bias], { tail, output }),
  ]
}
