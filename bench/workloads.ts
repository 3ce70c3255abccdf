/** What is measured: networks, and their floating-point operations. */
import type { Step } from '../src/compile/step.ts'
import { layers, type Model, sequential, zoo } from '../src/index.ts'

const { conv2d, maxPooling2d, flatten, dense } = layers

/** A small network of VGG's kind (Simonyan and Zisserman 2015) for 32 x 32 colour pictures. */
function vggCifar(): Model {
  const pair = (filters: number) => [
    conv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu' }),
    conv2d({ filters, kernelSize: 3, padding: 'same', activation: 'relu' }),
    maxPooling2d(),
  ]
  const head = [flatten(), dense({ units: 256, activation: 'relu' }), dense({ units: 10 })]
  return sequential({ name: 'vggCifar', inputShape: [32, 32, 3] }, [...pair(32), ...pair(64), ...pair(128), ...head])
}

export const workloads: Readonly<Record<string, () => Model>> = {
  lenet: () => zoo.lenet(),
  mnistCnn: () => zoo.mnistCnn(),
  vggCifar,
}

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
