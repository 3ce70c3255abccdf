/** Reductions over a run of neighbouring axes. */
import type { AxisRun } from '../../../ops/broadcasting.ts'
import { around } from '../../../ops/broadcasting.ts'
import type { reductionPrimitives } from '../../../ops/reduction.ts'
import type { Kernels, Tensor } from './context.ts'

/** Calls `visit` for each reduced element with a reader of its run. */
function eachRun(x: Tensor, run: AxisRun, visit: (y: number, at: (i: number) => number, count: number) => void): void {
  const [outer, count, inner] = around(x.shape, run)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) visit(o * inner + i, (r) => x.data[(o * count + r) * inner + i], count)
  }
}

export const reductionKernels: Kernels<typeof reductionPrimitives> = {
  sum([x], y, run) {
    eachRun(x, run, (o, at, count) => {
      y[o] = 0
      for (let i = 0; i < count; i++) y[o] += at(i)
    })
  },

  max([x], y, run) {
    eachRun(x, run, (o, at, count) => {
      y[o] = -Infinity
      for (let i = 0; i < count; i++) y[o] = Math.max(y[o], at(i))
    })
  },

  argmax([x], y, run) {
    eachRun(x, run, (o, at, count) => {
      y[o] = 0
      for (let i = 1; i < count; i++) if (at(i) > at(y[o])) y[o] = i
    })
  },
}
