/** Convolutions that are a product of two matrices, and their gradients. */
import type { Value } from '../../../compile/step.ts'
import type { AxisWindow } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import { argument } from '../../../ops/scalar.ts'
import type { Context, NativeStage, Tail } from './context.ts'
import { product } from './matmul.ts'
import type { KernelGradient } from './plane.ts'
import { sumStage } from './reduction.ts'

/** Places of an image up to which windows of one are taken as rows of one matrix. */
const FEW = 4

/**
 * Is a convolution one product of matrices: its window the whole image, or a single place of images of few? oneDNN's convolutions go
 * image by image. One thread of AVX-512, batch 128, in float32 and bfloat16, 320 to 1280 channels on 1 x 1: 2.6 and 1.1 ms, the
 * product 0.5 and 0.26; the kernel's gradient 2.8 and 3.3 ms, 0.6 and 0.3. 64 to 384 on 2 x 2: 0.16 and 0.09 ms, 0.12 and 0.06. From
 * 4 x 4 on they are alike.
 */
export function isProduct(axes: readonly AxisWindow[], groups: number): boolean {
  const isPlain = axes.every((a) => a.before === 0 && a.after === 0 && a.dilation === 1)
  const isWhole = axes.every((a) => a.window === a.input)
  const isFew = axes.every((a) => a.window === 1 && a.stride === 1) && axes.reduce((n, a) => n * a.output, 1) <= FEW
  return groups === 1 && isPlain && (isWhole || isFew)
}

/** The same elements as rows of so many. */
const rowsOf = (value: Value, columns: number): Value => ({ ...value, shape: [sizeOf(value.shape) / columns, columns] })

/** x, the kernel and y or their gradients as matrices [m, k], [k, n] and [m, n]. */
function matrices(kernelShape: readonly number[]) {
  const n = kernelShape[kernelShape.length - 1]
  return { k: sizeOf(kernelShape) / n, n }
}

export function productForward(
  where: string,
  { x, kernel, output, tail }: { x: Value; kernel: Value; output: Value; tail: Tail | undefined },
  context: Context,
): readonly NativeStage[] {
  const { k, n } = matrices(kernel.shape)
  return product({ where, a: rowsOf(x, k), b: rowsOf(kernel, n), output, tail }, context)
}

export function productInputGradient(
  where: string,
  { dy, kernel, output, tail }: { dy: Value; kernel: Value; output: Value; tail: Tail | undefined },
  context: Context,
): readonly NativeStage[] {
  const { n } = matrices(kernel.shape)
  return product({ where, a: rowsOf(dy, n), b: rowsOf(kernel, n), attrs: { transposeB: true }, output, tail }, context)
}

/** The gradient of the kernel; the sum for the bias's, where that is asked for with it, is a loop of its own. */
export function productKernelGradient(
  where: string,
  { x, dy, output, bias }: KernelGradient,
  context: Context,
): readonly NativeStage[] {
  const { k, n } = matrices(output.shape)
  const gradient = product(
    { where, a: rowsOf(x, k), b: rowsOf(dy, n), attrs: { transposeA: true }, output, tail: undefined },
    context,
  )
  if (!bias) return gradient
  const run = { from: 0, to: dy.shape.length - 1 }
  const sums = [{ f: argument(0), to: bias }]
  return [...gradient, sumStage({ shape: dy.shape, run, inputs: [dy], sums, stored: [] }, context)]
}
