/** The most that the wasm engine could do: nothing but multiply-adds in registers, on the same threads. */
import type { Engine, Layout } from '../src/compile/engine.ts'
import { planMemory } from '../src/compile/memory.ts'
import { arenaValue } from '../src/compile/step.ts'
import { f32x4, i32, v128 } from '../src/engines/wasm/instructions.ts'
import { defineKernel } from '../src/engines/wasm/kernel.ts'

/** Sums that do not wait for each other: more than any processor has multiply-adds under way at once. */
const SUMS = 12
const TURNS = 20_000
const UNITS = 64

const kernel = defineKernel<Record<never, never>>('peak', () => (f, [y], begin, end) => {
  const sums = Array.from({ length: SUMS }, () => f.local('v128'))
  const unit = f.local('i32')
  const turn = f.local('i32')
  const factor = f.local('v128')
  const step = sums.map((sum) => sum.set(f.multiplyAdd(sum.get, factor.get, factor.get)))
  return f.loop(unit, begin.get, end.get, 1, [
    factor.set(f32x4.const(0.5)),
    sums.map((sum) => sum.set(f32x4.const(1))),
    f.loop(turn, i32.const(0), i32.const(TURNS), 1, step),
    sums.map((sum, i) => v128.store(i32.add(y.get, i32.mul(unit.get, SUMS * 16)), sum.get, i * 16)),
  ])
})

/** Runs the loop once; gives floating-point operations per second. */
export function peakOf(engine: Engine): () => Promise<number> {
  const y = arenaValue({ shape: [UNITS * SUMS * 4], dtype: 'float32' })
  const stage = kernel({}, { reads: [], writes: [y.buffer], units: UNITS, work: 1e9 })
  const layout: Layout = {
    stages: [stage],
    memory: planMemory([stage], [], [], engine.memoryRules),
    inputs: {},
    outputs: {},
  }
  const executable = engine.load(layout, new Map())
  return async () => {
    await executable.ready
    const start = performance.now()
    await executable.run({})
    return (UNITS * TURNS * SUMS * 4 * 2) / ((performance.now() - start) / 1000)
  }
}
