/** Movement: the same numbers in other places. */
import { broadcastStrides, stridesOf } from '../../../graph/shape.ts'
import type { movementPrimitives } from '../../../ops/movement.ts'
import type { Kernels } from './context.ts'
import { eachIndex } from './context.ts'

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, n, i) => sum + n * b[i], 0)

export const movementKernels: Kernels<typeof movementPrimitives> = {
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
}
