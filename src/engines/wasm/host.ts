/** What the host's WebAssembly can do. */
import { FoveaError } from '../../base/errors.ts'
import { messageOf } from '../../base/realm.ts'
import { assemble } from './assembler.ts'
import { FunctionWriter } from './function.ts'
import { f32x4, i32, v128 } from './instructions.ts'

function probe(fused: boolean): Uint8Array<ArrayBuffer> {
  const f = new FunctionWriter(fused)
  const body = v128.store(i32.const(0), f.multiplyAdd(f32x4.const(1), f32x4.const(2), f32x4.const(3)))
  return assemble([f.finish('probe', body, { exported: true })], { shared: false })
}

/** Some hosts have no WebAssembly at all: `node --jitless`, browsers that are locked down. */
const validates = (fused: boolean): boolean => typeof WebAssembly === 'object' && WebAssembly.validate(probe(fused))

/** Vectors of four floats. */
export const hasSimd = (): boolean => validates(false)

/** Relaxed SIMD, whose multiply-add is one rounding and one instruction on every processor of the last ten years. */
export const hasFusedMultiplyAdd = (): boolean => validates(true)

/** Throws E_ENGINE where the host validates WebAssembly but may not compile it, as under a page's Content-Security-Policy. */
export function checkCompiles(): void {
  try {
    new WebAssembly.Module(probe(false))
  } catch (cause) {
    throw compilingForbidden(messageOf(cause))
  }
}

/** `got`: what the host says. */
export const compilingForbidden = (got: string): FoveaError =>
  new FoveaError('E_ENGINE', {
    what: 'compiling WebAssembly is forbidden here',
    where: 'wasm',
    got,
    hint:
      "a page's Content-Security-Policy, and one that comes with the worker's script, must have 'wasm-unsafe-eval' in script-src " +
      "(in default-src where there is none); the engine 'reference' needs no WebAssembly, and is slow",
  })
