/** A small LeNet by ops alone, with its training step: what tests of plans, threads and memory run. */
import type { Goals } from '../../src/compile/goals.ts'
import type { State } from '../../src/compile/state.ts'
import type { Node } from '../../src/graph/node.ts'
import { input, nameOf, variable } from '../../src/graph/node.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { reshape } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { add, finite, mul, neg, relu, select, sub } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { oneHot } from '../../src/ops/indexing.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { logSoftmax } from '../../src/ops/normalization.ts'
import { maxPool } from '../../src/ops/pooling.ts'
import { mean, sum } from '../../src/ops/reduction.ts'
import { ladder, seedOf } from './tensors.ts'
import { pool, same } from './windows.ts'

export interface Network {
  readonly weights: readonly Node[]
  readonly logits: Node
  readonly loss: Node
  /** One step of gradient descent; a loss that is not finite changes nothing. */
  readonly training: Goals
}

export function lenet(batch: number, { filters = [6, 10], units = 24, side = 12, classes = 10 } = {}): Network {
  const [first, second] = filters
  const flat = (side / 4) ** 2 * second
  const weights = [
    variable('kernel1', [5, 5, 1, first]),
    variable('bias1', [first]),
    variable('kernel2', [5, 5, first, second]),
    variable('bias2', [second]),
    variable('kernel3', [flat, units]),
    variable('bias3', [units]),
    variable('kernel4', [units, classes]),
    variable('bias4', [classes]),
  ]
  const [k1, b1, k2, b2, k3, b3, k4, b4] = weights
  const image = mul(input('image', [batch, side, side, 1], 'uint8'), 1 / 255)
  const hidden1 = maxPool(relu(add(convolution(image, k1, same), b1)), pool)
  const hidden2 = maxPool(relu(add(convolution(hidden1, k2, same), b2)), pool)
  const hidden3 = relu(add(matmul(reshape(hidden2, { shape: [batch, flat] }), k3), b3))
  const logits = add(matmul(hidden3, k4), b4)
  const target = oneHot(input('label', [batch], 'int32'), { depth: classes })
  const loss = mean(neg(sum(mul(target, logSoftmax(logits)), { axes: [-1] })))
  const flows = gradients(loss, weights)
  const ok = finite(loss)
  const updates = weights.map((w, i) => [w, select(ok, sub(w, mul(flows[i], 0.05)), w)] as const)
  return { weights, logits, loss, training: { outputs: { loss }, updates } }
}

/** First values, the same ones for every engine. */
export async function addWeights(state: State, weights: readonly Node[]): Promise<void> {
  for (const w of weights) {
    const size = 1 / Math.sqrt(sizeOf(w.shape) / w.shape[w.shape.length - 1])
    await state.add(nameOf(w), w, () => ladder(sizeOf(w.shape), seedOf(nameOf(w)), [-size, size]))
  }
}
