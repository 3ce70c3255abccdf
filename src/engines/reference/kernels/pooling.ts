/** Pooling, window by window. */
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { AveragePoolAttrs, poolingPrimitives } from '../../../ops/pooling.ts'
import { poolAxes } from '../../../ops/pooling.ts'
import type { Kernels } from './context.ts'
import { eachIndex, eachInside } from './context.ts'

/** Calls `visit` for every window of every image and channel: where its result is, and the input places it covers, in order. */
function eachWindow(x: Shape, axes: readonly AxisWindow[], visit: (output: number, covered: number[]) => void): void {
  const channels = x[x.length - 1]
  const inputSize = sizeOf(axes.map((a) => a.input))
  const outputs = axes.map((a) => a.output)
  for (let n = 0; n < x[0]; n++) {
    eachIndex(outputs, (output, place) => {
      for (let c = 0; c < channels; c++) {
        const covered: number[] = []
        eachInside(axes, output, (_, at) => covered.push((n * inputSize + at) * channels + c))
        visit((n * sizeOf(outputs) + place) * channels + c, covered)
      }
    })
  }
}

/** What a mean divides by where a border counts. */
const countOf = ({ countPadding, window }: AveragePoolAttrs): number | undefined =>
  countPadding ? sizeOf(window) : undefined

export const poolingKernels: Kernels<typeof poolingPrimitives> = {
  maxPool([x], y, attrs) {
    eachWindow(x.shape, poolAxes(x.shape, attrs), (output, covered) => {
      y[output] = covered.reduce((most, at) => Math.max(most, x.data[at]), -Infinity)
    })
  },

  maxPoolGradient([x, y, dy], dx, attrs) {
    dx.fill(0)
    eachWindow(x.shape, poolAxes(x.shape, attrs), (output, covered) => {
      const first = covered.find((at) => x.data[at] === y.data[output])
      if (first !== undefined) dx[first] += dy.data[output]
    })
  },

  maxPoolTake([x, y, g], z, attrs) {
    eachWindow(x.shape, poolAxes(x.shape, attrs), (output, covered) => {
      const first = covered.find((at) => x.data[at] === y.data[output])
      z[output] = first === undefined ? 0 : g.data[first]
    })
  },

  averagePool([x], y, attrs) {
    eachWindow(x.shape, poolAxes(x.shape, attrs), (output, covered) => {
      y[output] = covered.reduce((sum, at) => sum + x.data[at], 0) / (countOf(attrs) ?? covered.length)
    })
  },

  averagePoolGradient([dy], dx, { inputShape, ...attrs }) {
    dx.fill(0)
    eachWindow(inputShape, poolAxes(inputShape, attrs), (output, covered) => {
      for (const at of covered) dx[at] += dy.data[output] / (countOf(attrs) ?? covered.length)
    })
  },
}
