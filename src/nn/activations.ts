/** Activations by Keras's names. */

import { choice } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { elementwiseOps, exp, relu, selu, sigmoid, tanh } from '../ops/elementwise.ts'
import { logSoftmax, softmax } from '../ops/normalization.ts'

export const activations = {
  linear: (x: Node): Node => x,
  relu,
  sigmoid,
  tanh,
  selu,
  relu6: elementwiseOps.relu6,
  leakyRelu: elementwiseOps.leakyRelu,
  elu: elementwiseOps.elu,
  silu: elementwiseOps.silu,
  hardSigmoid: elementwiseOps.hardSigmoid,
  hardSwish: elementwiseOps.hardSwish,
  softplus: elementwiseOps.softplus,
  mish: elementwiseOps.mish,
  gelu: elementwiseOps.gelu,
  geluTanh: elementwiseOps.geluTanh,
  exponential: exp,
  softmax,
  logSoftmax,
} as const satisfies Record<string, (x: Node) => Node>

export type ActivationName = keyof typeof activations
export const activationNames = Object.keys(activations) as ActivationName[]

/** The option `activation` of a layer. */
export const activationOption = choice(activationNames, { says: 'function applied to the result', default: 'linear' })

/** What a layer gives that applies a function at the end: the value before it can be asked for too. */
export const activated = (x: Node, activation: ActivationName): { output: Node; preactivation: Node } => ({
  output: activations[activation](x),
  preactivation: x,
})
