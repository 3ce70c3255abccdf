/** Every op as a loop that reads like its formula, in float64. The truth inside; never in a hurry. */

import { normalPair, philox, uniformFromBits } from '../../base/random.ts'
import type { StoredSpec } from '../../graph/dtype.ts'
import type { AttrsOf } from '../../graph/node.ts'
import type { AxisWindow, Shape } from '../../graph/shape.ts'
import { broadcastStrides, sizeOf, stridesOf } from '../../graph/shape.ts'
import type { ConvolutionAttrs } from '../../ops/convolution.ts'
import { convolutionAxes } from '../../ops/convolution.ts'
import type { KernelName, KernelOps } from '../../ops/index.ts'
import { poolAxes } from '../../ops/pooling.ts'

/** A tensor of the reference engine: always float64, whatever the dtype on the surface. */
export interface Tensor {
  readonly shape: Shape
  readonly data: Float64Array
}

type Kernel<A> = (inputs: readonly Tensor[], y: Float64Array, attrs: A, spec: StoredSpec) => void
export type Kernels = { readonly [N in KernelName]: Kernel<AttrsOf<KernelOps[N]>> }

/** Calls `visit` with every index of `shape`, row-major; the same array each time. */
function eachIndex(shape: Shape, visit: (index: number[], flat: number) => void): void {
  const index = shape.map(() => 0)
  const total = sizeOf(shape)
  for (let flat = 0; flat < total; flat++) {
    visit(index, flat)
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0
  }
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, n, i) => sum + n * b[i], 0)

/** Calls `visit` for each place of a window that lies inside the input: its place in the window and in the input. */
function eachInside(
  axes: readonly AxisWindow[],
  output: readonly number[],
  visit: (inWindow: number, inInput: number) => void,
): void {
  const inputStrides = stridesOf(axes.map((a) => a.input))
  eachIndex(
    axes.map((a) => a.window),
    (place, flat) => {
      let at = 0
      for (let axis = 0; axis < axes.length; axis++) {
        const { stride, dilation, before, input } = axes[axis]
        const i = output[axis] * stride + place[axis] * dilation - before
        if (i < 0 || i >= input) return
        at += i * inputStrides[axis]
      }
      visit(flat, at)
    },
  )
}

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

/** Splits a shape at a run of axes: [outer, run, inner]. */
function around(shape: Shape, { from, to }: { from: number; to: number }): [number, number, number] {
  return [sizeOf(shape.slice(0, from)), sizeOf(shape.slice(from, to)), sizeOf(shape.slice(to))]
}

/** Calls `visit` for each reduced element with a reader of its run. */
function eachRun(
  x: Tensor,
  run: { from: number; to: number },
  visit: (y: number, at: (i: number) => number, count: number) => void,
): void {
  const [outer, count, inner] = around(x.shape, run)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) visit(o * inner + i, (r) => x.data[(o * count + r) * inner + i], count)
  }
}

function eachRow(x: Tensor, visit: (row: Float64Array, start: number) => void): void {
  const size = x.shape[x.shape.length - 1]
  for (let start = 0; start < x.data.length; start += size) visit(x.data.subarray(start, start + size), start)
}

/** Words of Philox for element `i` of an output whose rows begin at the key's row of the global batch. */
function bits(
  { data: [low, high, step, row] }: Tensor,
  { shape, stream }: { shape: Shape; stream: number },
  i: number,
): number {
  const element = row * (sizeOf(shape) / (shape[0] ?? 1)) + i
  const block = Math.floor(element / 4)
  return philox([block >>> 0, Math.floor(block / 2 ** 32), step >>> 0, stream >>> 0], [low >>> 0, high >>> 0])[
    element % 4
  ]
}

export const kernels: Kernels = {
  matmul([a, b], y, { transposeA = false, transposeB = false }, { shape: [m, n] }) {
    const k = transposeA ? a.shape[0] : a.shape[1]
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let l = 0; l < k; l++) {
          sum += a.data[transposeA ? l * m + i : i * k + l] * b.data[transposeB ? j * k + l : l * n + j]
        }
        y[i * n + j] = sum
      }
    }
  },

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

  averagePool([x], y, attrs) {
    eachWindow(x.shape, poolAxes(x.shape, attrs), (output, covered) => {
      y[output] = covered.reduce((sum, at) => sum + x.data[at], 0) / covered.length
    })
  },

  averagePoolGradient([dy], dx, { inputShape, ...attrs }) {
    dx.fill(0)
    eachWindow(inputShape, poolAxes(inputShape, attrs), (output, covered) => {
      for (const at of covered) dx[at] += dy.data[output] / covered.length
    })
  },

  softmax([x], y) {
    eachRow(x, (row, start) => {
      const most = row.reduce((a, b) => Math.max(a, b), -Infinity)
      const total = row.reduce((sum, value) => sum + Math.exp(value - most), 0)
      row.forEach((value, i) => {
        y[start + i] = Math.exp(value - most) / total
      })
    })
  },

  logSoftmax([x], y) {
    eachRow(x, (row, start) => {
      const most = row.reduce((a, b) => Math.max(a, b), -Infinity)
      const total = row.reduce((sum, value) => sum + Math.exp(value - most), 0)
      row.forEach((value, i) => {
        y[start + i] = value - most - Math.log(total)
      })
    })
  },

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

  transpose([x], y, { permutation }, { shape }) {
    const strides = stridesOf(x.shape)
    const steps = permutation.map((axis) => strides[axis])
    eachIndex(shape, (index, flat) => {
      y[flat] = x.data[dot(index, steps)]
    })
  },

  pad([x], y, { padding, value = 0 }, { shape }) {
    y.fill(value)
    const strides = stridesOf(shape)
    eachIndex(x.shape, (index, flat) => {
      y[
        dot(
          index.map((i, axis) => i + padding[axis][0]),
          strides,
        )
      ] = x.data[flat]
    })
  },

  slice([x], y, { begin, size }) {
    const strides = stridesOf(x.shape)
    eachIndex(size, (index, flat) => {
      y[flat] =
        x.data[
          dot(
            index.map((i, axis) => i + begin[axis]),
            strides,
          )
        ]
    })
  },

  concat(inputs, y, { axis }, { shape }) {
    const strides = stridesOf(shape)
    let start = 0
    for (const x of inputs) {
      eachIndex(x.shape, (index, flat) => {
        y[dot(index, strides) + start * strides[axis]] = x.data[flat]
      })
      start += x.shape[axis]
    }
  },

  broadcastTo([x], y, { shape }) {
    const strides = broadcastStrides(x.shape, shape)
    eachIndex(shape, (index, flat) => {
      y[flat] = x.data[dot(index, strides)]
    })
  },

  gather([table, indices], y) {
    const size = sizeOf(table.shape.slice(1))
    indices.data.forEach((row, i) => {
      for (let j = 0; j < size; j++) y[i * size + j] = row >= 0 && row < table.shape[0] ? table.data[row * size + j] : 0
    })
  },

  gatherGradient([dy, indices], dtable, { rows }) {
    dtable.fill(0)
    const size = dtable.length / rows
    indices.data.forEach((row, i) => {
      if (row < 0 || row >= rows) return
      for (let j = 0; j < size; j++) dtable[row * size + j] += dy.data[i * size + j]
    })
  },

  oneHot([indices], y, { depth }) {
    indices.data.forEach((index, i) => {
      for (let j = 0; j < depth; j++) y[i * depth + j] = index === j ? 1 : 0
    })
  },

  randomUniform([key], y, attrs) {
    for (let i = 0; i < y.length; i++) y[i] = uniformFromBits(bits(key, attrs, i))
  },

  randomNormal([key], y, attrs) {
    for (let i = 0; i < y.length; i++) {
      const even = i - ((key.data[3] * (y.length / (attrs.shape[0] ?? 1)) + i) % 2)
      y[i] = normalPair(bits(key, attrs, even), bits(key, attrs, even + 1))[i - even]
    }
  },
}
