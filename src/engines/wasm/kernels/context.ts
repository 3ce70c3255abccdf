/** What lowering a kernel step is given, and how kernels compute the elementwise tail that was fused into them. */
import type { TypedStep, Value } from '../../../compile/step.ts'
import { arenaValue } from '../../../compile/step.ts'
import type { AttrsOf } from '../../../graph/node.ts'
import type { Shape } from '../../../graph/shape.ts'
import { sameShape, sizeOf } from '../../../graph/shape.ts'
import type { Scalar } from '../../../ops/scalar.ts'
import { argument } from '../../../ops/scalar.ts'
import type { Code } from '../assembler.ts'
import { render } from '../expression.ts'
import type { FunctionWriter, Local } from '../function.ts'
import { i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { elementwiseStage } from './elementwise.ts'

export type Lowering<A> = TypedStep<A>

/** A lowering for each op of a table: forget one and it does not compile. */
export type Kernels<Ops> = { readonly [N in keyof Ops]: Lower<AttrsOf<Ops[N]>> }
export type Lower<A> = (step: Lowering<A>) => readonly WasmStage[]

/** Floats that live within a step. */
export const scratch = (...shape: number[]): Value => arenaValue({ shape, dtype: 'float32' })

/** How an operand follows a whole: one number, one per column, or element by element. */
export type Follows = 'scalar' | 'column' | 'whole'

export const followsOf = (x: Shape, whole: Shape): Follows =>
  sizeOf(x) === 1 ? 'scalar' : sameShape(x, whole) ? 'whole' : 'column'

/** A tail as kernels see it: data for the key, and the buffers it reads. */
export interface TailShape {
  readonly f: Scalar
  readonly extras: readonly Follows[]
}

export const tailShape = ({ tail, output }: Lowering<unknown>): TailShape | undefined =>
  tail && { f: tail.f, extras: tail.extras.map((x) => followsOf(x.shape, output.shape)) }

export const tailBuffers = ({ tail }: Lowering<unknown>) => tail?.extras.map((x) => x.buffer) ?? []

/** The tail of `result`, which goes to byte `place` of the output, in the column that starts at byte `column` of a row. */
export function renderTail(
  f: FunctionWriter,
  tail: TailShape | undefined,
  result: Local,
  extras: readonly Local[],
  { place, column, offset }: { place: Code; column: Code; offset: { place: number; column: number } },
): { code: Code; result: Local } {
  if (!tail) return { code: [], result }
  const { code, results } = render(f, [tail.f], (index) => {
    if (index === 0) return result.get
    const base = extras[index - 1].get
    const kind = tail.extras[index - 1]
    if (kind === 'scalar') return v128.loadSplat(base)
    return kind === 'column'
      ? v128.load(i32.add(base, column), offset.column)
      : v128.load(i32.add(base, place), offset.place)
  })
  return { code, result: results[0] }
}

/** The tail as a loop of its own over a result that is already in the output. */
export function tailStages({ tail, output }: Lowering<unknown>): readonly WasmStage[] {
  if (!tail) return []
  const inputs = [output, ...tail.extras]
  const expressions = [tail.f]
  return [elementwiseStage({ kind: 'elementwise', shape: output.shape, inputs, expressions, outputs: [output] })]
}

export const identity = argument(0)
