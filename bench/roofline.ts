/** Floating-point operations of a program: what a machine's peak is divided by. */
import type { Step } from '../src/compile/step.ts'

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)

/** Operations of matrix products and convolutions; a multiply-add counts as two, everything else as nothing. */
export function flopsOf(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => sum + (step.kind === 'kernel' ? flopsOfKernel(step) : 0), 0)
}

function flopsOfKernel({ op, inputs, outputs }: Extract<Step, { kind: 'kernel' }>): number {
  const [a, b] = inputs
  const [y] = outputs
  if (op.opName === 'matmul') return (2 * product(a.shape) * product(y.shape)) / y.shape[0]
  const kernel = { convolution: b, convolutionInputGradient: b, convolutionKernelGradient: y }[op.opName]
  if (!kernel) return 0
  const output = { convolution: y, convolutionInputGradient: a, convolutionKernelGradient: b }[op.opName]
  const filters = kernel.shape[kernel.shape.length - 1]
  return (2 * product(output?.shape ?? []) * product(kernel.shape)) / filters
}
