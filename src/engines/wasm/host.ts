/** What the host's WebAssembly can do. */
import { assemble } from './assembler.ts'
import { FunctionWriter } from './function.ts'
import { f32x4, i32, v128 } from './instructions.ts'

function validates(fused: boolean): boolean {
  const f = new FunctionWriter(fused)
  const body = v128.store(i32.const(0), f.multiplyAdd(f32x4.const(1), f32x4.const(2), f32x4.const(3)))
  return WebAssembly.validate(assemble([f.finish('probe', body, { exported: true })], { shared: false }))
}

/** Vectors of four floats. */
export const hasSimd = (): boolean => validates(false)

/** Relaxed SIMD, whose multiply-add is one rounding and one instruction on every processor of the last ten years. */
export const hasFusedMultiplyAdd = (): boolean => validates(true)
