/** The part of the engine suite that is about graphs with more operands, results or parts than an engine takes in one step: the compiler asks what that is. */
import { suite, test } from 'node:test'
import type { Node } from '../../src/graph/node.ts'
import { input } from '../../src/graph/node.ts'
import type { Shape } from '../../src/graph/shape.ts'
import { sizeOf } from '../../src/graph/shape.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { add, maximum, mul } from '../../src/ops/elementwise.ts'
import { gradients } from '../../src/ops/gradient.ts'
import { concat } from '../../src/ops/movement.ts'
import { sum } from '../../src/ops/reduction.ts'
import type { Compared } from '../support/compared.ts'
import { ladder } from '../support/tensors.ts'
import { same } from '../support/windows.ts'

const many = (count: number, shape: Shape, name = 'x'): Node[] =>
  Array.from({ length: count }, (_, i) => input(`${name}${i}`, shape))
/** Numbers whose sums and products are exact in float32, so that their order is no matter. */
const sixteenths = (count: number, seed: number): Float32Array =>
  ladder(count, seed, [-0.5, 0.6]).map((x) => Math.round(16 * x) / 16)
const added = (nodes: readonly Node[]): Node => nodes.reduce((a, b) => add(a, b))

/** A chain of `length` pairs of functions, no two alike. */
function chain(x: Node, length: number, from = 0): Node {
  let y = x
  for (let i = 0; i < length; i++) y = maximum(mul(y, 1 + (from + i) / 1e6), -1 - (from + i) / 1e4)
  return y
}
const results = (count: number, make: (i: number) => Node): Record<string, Node> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`y${i}`, make(i)]))

interface Wide {
  readonly name: string
  readonly inputs: readonly Node[]
  readonly outputs: (inputs: readonly Node[]) => Readonly<Record<string, Node>>
}

const rows: readonly Wide[] = [
  { name: 'an expression of 300 operands', inputs: many(300, [3]), outputs: (x) => ({ y: added(x) }) },
  { name: 'a sum of 1100 numbers', inputs: many(1100, []), outputs: (x) => ({ y: added(x) }) },
  {
    name: '1100 results of one operand',
    inputs: many(1, [5]),
    outputs: ([x]) => results(1100, (i) => mul(add(x, i), 0.5)),
  },
  {
    name: '300 results with a row',
    inputs: [input('x0', [2, 5]), input('x1', [5])],
    outputs: ([x, row]) => results(300, (i) => mul(add(x, row), i)),
  },
  {
    name: 'results with 5000 different numbers',
    inputs: many(1, [7]),
    outputs: ([x]) => results(50, (i) => chain(x, 50, 50 * i)),
  },
  { name: 'one chain of 2000 functions', inputs: many(1, [7]), outputs: ([x]) => ({ y: chain(x, 1000) }) },
  { name: '300 parts of one tensor', inputs: many(300, [2, 1]), outputs: (x) => ({ y: concat(x, { axis: 1 }) }) },
  {
    name: 'a gradient from 300 uses',
    inputs: many(301, [3]),
    outputs: ([x, ...weights]) => ({ y: gradients(sum(added(weights.map((w) => mul(mul(x, x), w)))), [x])[0] }),
  },
  {
    name: 'a convolution and 300 biases',
    inputs: [input('x', [1, 4, 4, 3]), input('kernel', [3, 3, 3, 5]), ...many(300, [5])],
    outputs: ([x, kernel, ...biases]) => ({ y: biases.reduce((a, b) => add(a, b), convolution(x, kernel, same)) }),
  },
  {
    name: 'a convolution and 600 functions',
    inputs: [input('x', [1, 9, 9, 3]), input('kernel', [3, 3, 3, 37])],
    outputs: ([x, kernel]) => ({ y: chain(convolution(x, kernel, same), 300) }),
  },
  {
    name: 'a sum over an expression of 300 operands',
    inputs: many(300, [3, 37]),
    outputs: (x) => ({ y: sum(added(x), { axes: [0] }) }),
  },
]

export function wideSuite({ agrees }: Compared): void {
  suite('more than fits in one step', () => {
    for (const { name, inputs, outputs } of rows) {
      const values = inputs.map((x, i) => [x.attrs.name, sixteenths(sizeOf(x.shape), i + 1)])
      test(name, () => agrees(outputs(inputs), Object.fromEntries(values), 'elementwise'))
    }
  })
}
