/** The most that the native engine can do: one large matrix product by oneDNN, its factors in the layouts that it likes best. */
import type { Engine } from '../src/compile/engine.ts'
import type { Program } from '../src/compile/program.ts'
import { compile } from '../src/compile/program.ts'
import { State } from '../src/compile/state.ts'
import { variable } from '../src/graph/node.ts'
import { matmul } from '../src/ops/matmul.ts'
import { sum } from '../src/ops/reduction.ts'
import type { Precision, Profile } from './protocol.ts'

const SIZE = 2048

/** Runs the product once; gives floating-point operations per second of its kernel alone. */
export function nativePeak(engine: Engine, precision: Precision): () => Promise<number> {
  const state = new State(engine)
  const ready = (async () => {
    for (const name of ['a', 'b'])
      await state.add(name, { shape: [SIZE, SIZE], dtype: 'float32' }, () => new Float32Array(SIZE * SIZE).fill(0.5))
    const [a, b] = ['a', 'b'].map((name) => variable(name, [SIZE, SIZE]))
    const program = compile(state, { outputs: { y: sum(matmul(a, b, {})) } }, { precision })
    await program.profile()
    return program
  })()
  let before = 0
  return async () => {
    const program = await ready
    await program.run({})
    const seconds = await secondsOfKernels(program)
    const taken = seconds - before
    before = seconds
    return (2 * SIZE ** 3) / taken
  }
}

/** Names of oneDNN's kernels, each once. */
async function kernelsOf(program: Program): Promise<string[]> {
  const stages = await program.profile()
  return [...new Set(stages.flatMap(({ kernel }) => kernel ?? []))].sort()
}

async function secondsOfKernels(program: Program): Promise<number> {
  const stages = await program.profile()
  return stages.reduce((total, { kernel, seconds }) => total + (kernel ? seconds : 0), 0)
}

/** Share of the wall time of some runs that oneDNN's kernels take, and which these are. */
export async function profileOf(program: Program, run: () => Promise<unknown>): Promise<Profile> {
  const before = await secondsOfKernels(program)
  const start = performance.now()
  let pending: Promise<unknown> = Promise.resolve()
  for (let i = 0; i < 10; i++) {
    const next = run()
    await pending // as `fit`, two steps under way
    pending = next
  }
  await pending
  const seconds = (performance.now() - start) / 1000
  return {
    kernelShare: ((await secondsOfKernels(program)) - before) / seconds,
    kernels: await kernelsOf(program),
  }
}
