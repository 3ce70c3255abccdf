/** Convolution and its gradients, tap by tap. */
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { ConvolutionAttrs, convolutionPrimitives } from '../../../ops/convolution.ts'
import { convolutionAxes } from '../../../ops/convolution.ts'
import type { Kernels } from './context.ts'
import { eachIndex, eachInside } from './context.ts'

/** A convolution's sizes: f runs over filters, c over the channels of f's group. */
class Taps {
  readonly axes: readonly AxisWindow[]
  readonly batch: number
  readonly channels: number
  readonly filters: number
  readonly perGroup: number
  readonly #groups: number

  constructor(x: Shape, kernel: Shape, attrs: ConvolutionAttrs) {
    this.axes = convolutionAxes(x, kernel, attrs)
    this.batch = x[0]
    this.channels = x[x.length - 1]
    this.filters = kernel[kernel.length - 1]
    this.perGroup = this.channels / attrs.groups
    this.#groups = attrs.groups
  }

  /** First channel of the group that filter f belongs to. */
  start(f: number): number {
    return Math.floor(f / (this.filters / this.#groups)) * this.perGroup
  }

  /** Visits every pair of an output place and a place of its window: where their channels begin in x, kernel and y. */
  each(visit: (x: number, kernel: number, y: number) => void): void {
    const inputSize = sizeOf(this.axes.map((a) => a.input))
    const outputs = this.axes.map((a) => a.output)
    for (let n = 0; n < this.batch; n++) {
      eachIndex(outputs, (output, place) => {
        const y = (n * sizeOf(outputs) + place) * this.filters
        eachInside(this.axes, output, (inWindow, inInput) => {
          visit((n * inputSize + inInput) * this.channels, inWindow * this.perGroup * this.filters, y)
        })
      })
    }
  }
}

export const convolutionKernels: Kernels<typeof convolutionPrimitives> = {
  convolution([x, kernel], y, attrs) {
    y.fill(0)
    const taps = new Taps(x.shape, kernel.shape, attrs)
    const { filters, perGroup } = taps
    taps.each((i, k, o) => {
      for (let f = 0; f < filters; f++) {
        const start = i + taps.start(f)
        for (let c = 0; c < perGroup; c++) y[o + f] += x.data[start + c] * kernel.data[k + c * filters + f]
      }
    })
  },

  convolutionInputGradient([dy, kernel], dx, attrs) {
    dx.fill(0)
    const taps = new Taps(attrs.inputShape, kernel.shape, attrs)
    const { filters, perGroup } = taps
    taps.each((i, k, o) => {
      for (let f = 0; f < filters; f++) {
        const start = i + taps.start(f)
        for (let c = 0; c < perGroup; c++) dx[start + c] += dy.data[o + f] * kernel.data[k + c * filters + f]
      }
    })
  },

  convolutionKernelGradient([x, dy], dkernel, attrs) {
    dkernel.fill(0)
    const taps = new Taps(x.shape, attrs.kernelShape, attrs)
    const { filters, perGroup } = taps
    taps.each((i, k, o) => {
      for (let f = 0; f < filters; f++) {
        const start = i + taps.start(f)
        for (let c = 0; c < perGroup; c++) dkernel[k + c * filters + f] += x.data[start + c] * dy.data[o + f]
      }
    })
  },
}
