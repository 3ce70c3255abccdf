/** Partial sums added up: some in order, then the sums of these. */
import type { Buffer } from '../../../compile/step.ts'
import type { Code } from '../assembler.ts'
import { f32x4, i32, v128 } from '../instructions.ts'
import type { WasmStage } from '../kernel.ts'
import { defineKernel } from '../kernel.ts'
import { FLOAT, storeFloats, VECTOR } from '../vectors.ts'
import { grid, inPieces, PIECES, zeroed } from './register-tiles.ts'

interface TotalsShape {
  readonly parts: number
  /** Floats in each part. */
  readonly floats: number
}

/** A vector per unit. */
const kernel = defineKernel<TotalsShape>('totals', ({ parts, floats }) => (f, [partial, y], begin, end) => {
  const unit = f.local('i32')
  const [from, to] = [f.local('i32'), f.local('i32')]
  const sums = grid(f, 1, 1)
  const [[sum]] = sums
  const add = (n: number): Code =>
    f.times(n, () => [sum.set(f32x4.add(sum.get, v128.load(from.get))), from.set(i32.add(from.get, floats * FLOAT))])
  const { totals, code } = inPieces(f, parts, sums, add, PIECES)
  const last = Math.ceil(floats / 4) - 1
  const store = (lanes: number) => storeFloats(to.get, totals[0][0], lanes)
  return f.loop(unit, begin.get, end.get, 1, [
    from.set(i32.add(partial.get, i32.mul(unit.get, VECTOR))),
    to.set(i32.add(y.get, i32.mul(unit.get, VECTOR))),
    zeroed(totals),
    code,
    floats % 4 === 0 ? store(4) : f.if(i32.lessUnsigned(unit.get, i32.const(last)), store(4), store(floats % 4)),
  ])
})

/** y = the sum of `parts` runs of `floats`. */
export function totals(shape: TotalsShape, partial: Buffer, y: Buffer): WasmStage {
  return kernel(shape, {
    reads: [partial],
    writes: [y],
    units: Math.ceil(shape.floats / 4),
    work: 4 * shape.parts,
  })
}
