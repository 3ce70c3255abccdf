/** Nodes in bfloat16, and how far results in it may be apart. */
import type { CompileOptions } from '../../src/compile/program.ts'
import { isFloat } from '../../src/graph/dtype.ts'
import type { Node } from '../../src/graph/node.ts'
import { reshape } from '../../src/ops/broadcasting.ts'
import { cast, toFloat } from '../../src/ops/elementwise.ts'
import { pad, slice } from '../../src/ops/movement.ts'

/** Half a unit in the last place of bfloat16, by size: what a sum that was added up in another order may differ by. */
export const ULP = 2 ** -9
export const mixed: CompileOptions = { precision: 'mixed_bfloat16' }

export const low = (x: Node): Node => (x.dtype === 'float32' ? cast(x, 'bfloat16') : x)
/** Stored as bfloat16 where nothing can be fused: moved there and back. */
export function stored(x: Node): Node {
  const padding = x.shape.map(() => [1, 0] as const)
  return slice(pad(low(x), { padding }), { begin: x.shape.map(() => 1), size: x.shape })
}
/** What was stored as bfloat16, as it was stored: a tail would not come past the view. */
export const seen = (y: Node): Node => (isFloat(y.dtype) ? toFloat(reshape(y, { shape: [...y.shape, 1] })) : y)
