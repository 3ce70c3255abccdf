/** The ops as a user calls them: conveniences in front of primitives where there are any. */

import { choice, either, flag, integer, list, number, optional } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { broadcastTo, reshape } from './broadcasting.ts'
import type { PublicOp } from './checked.ts'
import { checkedOps, maybeNode, nodeArgument, operandArgument } from './checked.ts'
import { convolution } from './convolution.ts'
import { clip, elementwiseOps, select } from './elementwise.ts'
import { gather, oneHot } from './indexing.ts'
import { matmul } from './matmul.ts'
import { concat, pad, slice, transpose } from './movement.ts'
import { batchNorm, logSoftmax, moments, softmax } from './normalization.ts'
import { averagePool, maxPool } from './pooling.ts'
import { argmax, max, mean, sum } from './reduction.ts'
import { randomNormal, randomUniform } from './sampling.ts'

const op = <F extends (...given: never[]) => unknown>(row: PublicOp<F>): PublicOp<F> => row

/** Elementwise ops in words; operands broadcast. */
const elementwiseWords: { readonly [N in keyof typeof elementwiseOps]: string } = {
  toFloat: 'The same number as float32: how bytes and class indices enter the arithmetic.',
  neg: '-x.',
  abs: '|x|.',
  sqrt: 'The square root of x.',
  exp: 'e^x.',
  log: 'The natural logarithm of x.',
  relu: 'max(x, 0).',
  sigmoid: '1 / (1 + e^-x).',
  tanh: 'The hyperbolic tangent of x.',
  selu: 'ELU with the scale and alpha of self-normalizing networks.',
  square: 'x^2.',
  rsqrt: '1 / sqrt(x).',
  relu6: 'x kept within 0 and 6.',
  leakyRelu: 'x above 0, 0.2 x below.',
  elu: 'x above 0, e^x - 1 below.',
  silu: 'x sigmoid(x).',
  hardSigmoid: 'x / 6 + 1/2 kept within 0 and 1.',
  hardSwish: 'x hardSigmoid(x).',
  softplus: 'log(1 + e^x).',
  mish: 'x tanh(softplus(x)).',
  erf: 'The error function of x.',
  gelu: 'x times the share of a normal distribution below x.',
  geluTanh: 'gelu by its approximation with tanh.',
  finite: '1 where x is a finite number, else 0.',
  add: 'a + b.',
  sub: 'a - b.',
  mul: 'a b.',
  div: 'a / b.',
  pow: 'a^b; NaN for a negative base with a broken exponent.',
  maximum: 'The larger of a and b; at a tie the gradient goes to a.',
  minimum: 'The smaller of a and b; at a tie the gradient goes to a.',
  less: '1 where a < b, else 0.',
  lessEqual: '1 where a <= b, else 0.',
  greater: '1 where a > b, else 0.',
  greaterEqual: '1 where a >= b, else 0.',
  equal: '1 where a = b, else 0.',
}

type ElementwiseRows = { readonly [N in keyof typeof elementwiseOps]: PublicOp<(typeof elementwiseOps)[N]> }
const elementwiseRows = Object.fromEntries(
  Object.entries(elementwiseOps).map(([name, call]) => {
    const names = call.length === 1 ? ['x'] : ['a', 'b']
    const takes = Object.fromEntries(names.map((argument) => [argument, operandArgument('values')]))
    return [name, { says: elementwiseWords[name as keyof typeof elementwiseOps], takes, call }]
  }),
) as unknown as ElementwiseRows

const x = nodeArgument('values')
const size = integer({ says: 'a size', min: 1 })
const count = integer({ says: 'a number of places', min: 0 })
const sizeList = (says: string) => list(size, { says })
const borders = list(list(count, { says: 'before and after', length: 2 }), { says: 'one pair per axis' })
const padding = either([choice(['valid', 'same'], { says: 'a rule' }), borders], {
  says: "border: none, TensorFlow's rule for output = ceil(input / stride), or [before, after] per spatial axis",
})
const strides = sizeList('steps of the window, one per spatial axis')
const axis = integer({ says: 'an axis; -1 is the last' })
const images = nodeArgument('[n, ...spatial, channels], 1 to 3 spatial axes')
const reduction = {
  axes: list(axis, { says: 'axes to reduce; all of them when absent', optional: true }),
  keepDims: flag({ says: 'keep reduced axes with size 1', default: false }),
}
const pooling = { window: sizeList('sizes of the window, one per spatial axis'), strides, padding }
const sampling = {
  shape: sizeList('the shape'),
  stream: integer({ says: 'number of the stream of random numbers', min: 0 }),
}
const key = nodeArgument('int32 [4]: seed low, seed high, step, place of the first row')
const nodes = list(nodeArgument('values'), { says: 'one node or more', length: { min: 1 } })

export const publicOps = {
  ...elementwiseRows,
  select: op({
    says: 'a where the condition is not 0, else b.',
    takes: { condition: operandArgument('what decides'), a: operandArgument('values'), b: operandArgument('values') },
    call: select,
  }),
  clip: op({
    says: 'x kept within min and max; the gradient passes inside and at both ends.',
    takes: { x: operandArgument('values'), min: number({ says: 'lower end' }), max: number({ says: 'upper end' }) },
    call: clip,
  }),
  matmul: op({
    says: 'The product of two matrices: [m, k] x [k, n] -> [m, n].',
    takes: { a: nodeArgument('a matrix'), b: nodeArgument('a matrix') },
    attrs: {
      transposeA: flag({ says: 'a is given as [k, m]', default: false }),
      transposeB: flag({ says: 'b is given as [n, k]', default: false }),
    },
    call: matmul,
  }),
  convolution: op({
    says: 'Convolution of any rank; the kernel is not flipped.',
    takes: { x: images, kernel: nodeArgument('[...window, channels / groups, filters]') },
    attrs: {
      strides,
      dilation: sizeList('distance between neighbours in the window, one per spatial axis'),
      padding,
      groups: integer({ says: 'channels are split into so many groups, each with its own filters', min: 1 }),
    },
    call: convolution,
  }),
  maxPool: op({ says: 'The largest value of every window.', takes: { x: images }, attrs: pooling, call: maxPool }),
  averagePool: op({
    says: 'The mean of every window; a border never counts.',
    takes: { x: images },
    attrs: pooling,
    call: averagePool,
  }),
  softmax: op({ says: 'exp(x) / sum(exp(x)) over the last axis.', takes: { x }, call: softmax }),
  logSoftmax: op({ says: 'x - log(sum(exp(x))) over the last axis.', takes: { x }, call: logSoftmax }),
  moments: op({
    says: 'Mean and (biased) variance: { mean, variance }.',
    takes: { x },
    attrs: reduction,
    call: moments,
  }),
  batchNorm: op({
    says: 'gamma (x - mean) / sqrt(variance + epsilon) + beta, by parameters that broadcast over x.',
    takes: { x },
    attrs: {
      mean: nodeArgument('the mean'),
      variance: nodeArgument('the variance'),
      gamma: maybeNode('factor; 1 when absent'),
      beta: maybeNode('what is added; 0 when absent'),
      epsilon: number({ says: 'added to the variance', min: 0 }),
    },
    call: batchNorm,
  }),
  sum: op({ says: 'The sum over axes.', takes: { x }, attrs: reduction, call: sum }),
  mean: op({ says: 'The mean over axes.', takes: { x }, attrs: reduction, call: mean }),
  max: op({ says: 'The largest value over axes; ties share the gradient.', takes: { x }, attrs: reduction, call: max }),
  argmax: op({
    says: 'The index of the first largest value along one axis, as int32.',
    takes: { x, axis: optional(axis, 'the axis; the last when absent') },
    call: argmax as (x: Node, axis?: number) => Node,
  }),
  reshape: op({
    says: 'The same values in row-major order under another shape.',
    takes: { x },
    attrs: { shape: list(integer({ says: 'a size', min: -1 }), { says: 'the sizes; one of them may be -1' }) },
    call: reshape,
  }),
  transpose: op({
    says: 'Axes in another order: axis i of the result is axis permutation[i] of x.',
    takes: { x },
    attrs: { permutation: list(count, { says: 'every axis once' }) },
    call: transpose,
  }),
  pad: op({
    says: 'Zeros, or one other value, before and after along every axis.',
    takes: { x },
    attrs: { padding: borders, value: number({ says: 'what fills it; 0 when absent', optional: true }) },
    call: pad,
  }),
  slice: op({
    says: 'A box of x: size elements from begin along every axis.',
    takes: { x },
    attrs: { begin: list(count, { says: 'the first place, one per axis' }), size: sizeList('how many, one per axis') },
    call: slice,
  }),
  concat: op({
    says: 'Inputs one after the other along an axis.',
    takes: { inputs: nodes },
    attrs: { axis: optional(axis, 'the axis; the last when absent') },
    call: concat,
  }),
  broadcastTo: op({
    says: 'Repeated along axes of size 1 and new leading axes.',
    takes: { x },
    attrs: { shape: sizeList('the shape') },
    call: broadcastTo,
  }),
  gather: op({
    says: 'Rows of a table along its first axis; zeros for an index outside.',
    takes: { table: nodeArgument('float32 [rows, ...]'), indices: nodeArgument('int32 of any shape') },
    call: gather,
  }),
  oneHot: op({
    says: 'A row of zeros with a 1 at each index: [...i] -> [...i, depth].',
    takes: { indices: nodeArgument('int32 of any shape') },
    attrs: { depth: integer({ says: 'length of a row', min: 1 }) },
    call: oneHot,
  }),
  randomUniform: op({ says: 'Uniform on [0, 1).', takes: { key }, attrs: sampling, call: randomUniform }),
  randomNormal: op({ says: 'Standard normal.', takes: { key }, attrs: sampling, call: randomNormal }),
} as const

export const ops = checkedOps(publicOps)
