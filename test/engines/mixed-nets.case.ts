/** The part of the bfloat16 suite that is about whole nets, against float32 and against the reference engine. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Numbers } from '../../src/compile/engine.ts'
import type { Goals } from '../../src/compile/goals.ts'
import type { Node } from '../../src/graph/node.ts'
import { input, makeNode } from '../../src/graph/node.ts'
import type { Shape } from '../../src/graph/shape.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { reshape } from '../../src/ops/broadcasting.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { add, less, mul, relu, select, sub, tanh } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { matmul } from '../../src/ops/matmul.ts'
import { batchNorm, groupNorm, layerNorm, logSoftmax, moments } from '../../src/ops/normalization.ts'
import { averagePool, maxPool } from '../../src/ops/pooling.ts'
import { mean, sum } from '../../src/ops/reduction.ts'
import { randomUniform } from '../../src/ops/sampling.ts'
import { localResponseNorm } from '../../src/ops/window-sum.ts'
import { mixed, ULP } from '../support/bfloat16.ts'
import type { Compared } from '../support/compared.ts'
import { lenet } from '../support/network.ts'
import { assertClose, bytesOf, evaluate, ladder, seedOf, valuesFor } from '../support/tensors.ts'
import { overlapping, pool, same } from '../support/windows.ts'

interface Net {
  /** How far from float32. Where rounding turns a relu or a maximum, a gradient is another one: a share s of those gives sqrt(2 s). */
  readonly off: number
  readonly goals: Partial<Goals>
  readonly values: Readonly<Record<string, Numbers>>
}

/** Loss and gradients; weights are inputs here. */
function netOf(
  off: number,
  shapes: Readonly<Record<string, Shape>>,
  loss: (x: Record<string, Node>) => Node | [Node, Node],
): Net {
  const nodes = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]))
  const made = loss({ ...nodes, key: input('key', [4], 'int32') })
  const [total, logits] = Array.isArray(made) ? made : [made]
  const names = Object.keys(shapes).filter((name) => name !== 'x' && name !== 'target')
  const flows = gradients(
    total,
    names.map((name) => nodes[name]),
  )
  const outputs = { loss: total, ...Object.fromEntries(names.map((name, i) => [`d${name}`, flows[i]])) }
  const values = Object.entries(shapes).map(([name, shape]) => {
    const size = name === 'x' ? 1 : 1.5 / Math.sqrt(sizeOf(shape.slice(0, -1)))
    return [name, name === 'target' ? targets(shape) : ladder(sizeOf(shape), seedOf(name), [-size, size])]
  })
  const key = Int32Array.of(5, 6, 7, 0)
  return {
    off,
    goals: { outputs, ...(logits && { float32: [logits] }) },
    values: { ...Object.fromEntries(values), key },
  }
}
const targets = ([rows, classes]: Shape): Float32Array =>
  Float32Array.from({ length: rows * classes }, (_, i) => (i % classes === Math.floor(i / classes) % classes ? 1 : 0))

const crossEntropy = (logits: Node, target: Node): Node =>
  mean(mul(sum(mul(target, logSoftmax(logits)), { axes: [-1] }), -1))

const [SMOOTH, KINKED] = [4 * ULP, 0.15]

const nets: Readonly<Record<string, () => Net>> = {
  lenet: () => {
    const { weights, loss } = lenet(5)
    const outputs = Object.fromEntries(
      gradients(loss, weights).map((node, i) => [`d${weights[i].attrs['name']}`, node]),
    )
    const renamed = new Map(weights.map((w) => [w, input(String(w.attrs['name']), w.shape)]))
    const again = (node: Node): Node => {
      const known =
        renamed.get(node) ?? (node.inputs.length > 0 ? makeNode(node.op, node.inputs.map(again), node.attrs) : node)
      renamed.set(node, known)
      return known
    }
    const values = weights.map((w) => {
      const size = 1.5 / Math.sqrt(sizeOf(w.shape.slice(0, -1)))
      return [w.attrs['name'], ladder(sizeOf(w.shape), seedOf(String(w.attrs['name'])), [-size, size])]
    })
    const image = valuesFor({ shape: [5, 12, 12, 1], dtype: 'uint8' }, 3)
    return {
      off: KINKED,
      goals: { outputs: Object.fromEntries(Object.entries({ loss, ...outputs }).map(([name, y]) => [name, again(y)])) },
      values: { ...Object.fromEntries(values), image, label: Int32Array.of(0, 3, 9, 1, 5) },
    }
  },
  'dropout and overlapping pools': () =>
    netOf(
      KINKED,
      { x: [4, 9, 8, 3], k1: [3, 3, 3, 8], b1: [8], k2: [3, 3, 8, 12], w: [72, 6], target: [4, 6] },
      ({ x, k1, b1, k2, w, target, key }) => {
        const first = maxPool(relu(add(convolution(x, k1, same), b1)), overlapping)
        const drawn = randomUniform(key, { shape: first.shape, stream: 3 })
        const dropped = mul(first, select(less(drawn, 0.25), 0, 1 / 0.75))
        const second = averagePool(relu(convolution(dropped, k2, same)), { ...pool, padding: 'same' })
        return crossEntropy(matmul(reshape(second, { shape: [4, 72] }), w), target)
      },
    ),
  'residual with batch normalisation': () =>
    netOf(
      KINKED,
      {
        x: [4, 6, 6, 3],
        k1: [3, 3, 3, 8],
        g1: [8],
        b1: [8],
        k2: [3, 3, 8, 8],
        g2: [8],
        b2: [8],
        w: [8, 5],
        target: [4, 5],
      },
      ({ x, k1, g1, b1, k2, g2, b2, w, target }) => {
        const normalized = (y: Node, gamma: Node, beta: Node) =>
          batchNorm(y, { ...moments(y, { axes: [0, 1, 2] }), gamma: add(gamma, 1), beta, epsilon: 1e-3 })
        const first = relu(normalized(convolution(x, k1, same), g1, b1))
        const second = relu(add(first, normalized(convolution(first, k2, same), g2, b2)))
        return crossEntropy(matmul(mean(second, { axes: [1, 2] }), w), target)
      },
    ),
  'depthwise, and logits that the loss alone reads': () =>
    netOf(
      KINKED,
      { x: [6, 7, 7, 4], k1: [3, 3, 1, 8], k2: [1, 1, 8, 5], w: [245, 3], target: [6, 3] },
      ({ x, k1, k2, w, target }) => {
        const hidden = relu(convolution(relu(convolution(x, k1, { ...same, groups: 4 })), k2, same))
        const logits = matmul(reshape(hidden, { shape: [6, 245] }), w)
        const error = sub(logits, target)
        return [mean(mul(error, error)), logits]
      },
    ),
  smooth: () =>
    netOf(
      SMOOTH,
      {
        x: [4, 6, 6, 3],
        k1: [3, 3, 3, 8],
        g1: [8],
        b1: [8],
        k2: [3, 3, 8, 6],
        w1: [54, 12],
        w2: [12, 5],
        target: [4, 5],
      },
      ({ x, k1, g1, b1, k2, w1, w2, target }) => {
        const first = convolution(x, k1, same)
        const by = { ...moments(first, { axes: [0, 1, 2] }), gamma: add(g1, 1), beta: b1, epsilon: 1e-3 }
        const second = tanh(convolution(tanh(batchNorm(first, by)), k2, same))
        const pooled = averagePool(second, { ...pool, padding: 'same' })
        const third = tanh(matmul(reshape(pooled, { shape: [4, 54] }), w1))
        return crossEntropy(matmul(third, w2), target)
      },
    ),
  'each sample by itself': () =>
    netOf(
      1.5 * SMOOTH, // three normalisations, whose gradients are differences
      { x: [4, 6, 6, 3], k1: [3, 3, 3, 8], g1: [8], b1: [8], k2: [3, 3, 8, 8], g2: [8], w: [8, 5], target: [4, 5] },
      ({ x, k1, g1, b1, k2, g2, w, target }) => {
        const first = groupNorm(convolution(x, k1, same), { groups: 4, gamma: add(g1, 1), beta: b1, epsilon: 1e-3 })
        const second = layerNorm(convolution(tanh(first), k2, same), { gamma: add(g2, 1), epsilon: 1e-3 })
        const third = localResponseNorm(second, { size: 5, alpha: 1, beta: 0.75, k: 1 })
        return crossEntropy(matmul(mean(tanh(third), { axes: [1, 2] }), w), target)
      },
    ),
}

export function mixedNetsSuite({ engine, truth, agreesWithin }: Compared): void {
  suite('nets', () => {
    for (const [name, make] of Object.entries(nets)) {
      test(`${name}: as the reference rounds`, () => {
        const { goals, values } = make()
        return agreesWithin(goals, values, { tolerance: 8 * ULP, options: mixed })
      })
      test(`${name}: within bfloat16 of float32, and the same bytes again`, async () => {
        const { goals, values, off } = make()
        const wanted = await evaluate(truth, goals, values)
        const got = await evaluate(engine, goals, values, mixed)
        for (const key of Object.keys(wanted)) assertClose(got[key], wanted[key], off, key)
        assert.notDeepEqual(got, wanted)
        assert.deepEqual(bytesOf(await evaluate(engine, goals, values, mixed)), bytesOf(got))
      })
    }
  })
}
