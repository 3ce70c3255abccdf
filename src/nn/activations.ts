/** Activations by Keras's names: a function of every value, with its options. */
import type { Named, NamedEntry, OptionTable, Settled } from '../base/options.ts'
import { integer, named, number, settleNamed } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { elementwiseOps, exp, expression, selu, sigmoid, tanh } from '../ops/elementwise.ts'
import { logSoftmaxOver, softmaxOver } from '../ops/normalization.ts'
import type { Scalar } from '../ops/scalar.ts'
import { argument, s } from '../ops/scalar.ts'
import { axesOf } from './axes.ts'

export interface ActivationRow<T extends OptionTable = OptionTable> extends NamedEntry<T> {
  readonly says: string
  readonly of: (x: Node, options: Settled<T>) => Node
}
const define = <const T extends OptionTable>(row: ActivationRow<T>): ActivationRow<T> => row
const plain = (says: string, of: (x: Node) => Node) => define({ says, options: {}, of })

const [value, result] = [argument(0), argument(1)]
/** `f` of every value; the slope is in terms of the value and the result. */
const of = (label: string, x: Node, f: Scalar, slope?: Scalar): Node => expression(label, [x], f, slope && [slope])

const alpha = (says: string) => number({ says, min: 0, ends: 'open', default: 1 })

interface Bend {
  readonly slope: number
  readonly threshold?: number
  readonly most?: number | undefined
}

/** x above the threshold, up to `most`; below it a straight line that is 0 at the threshold. */
function bent(label: string, x: Node, { slope, threshold = 0, most }: Bend): Node {
  const below = threshold === 0 ? value : s.sub(value, threshold)
  const f = s.select(s.less(threshold, value), value, s.mul(slope, below))
  const read = threshold === 0 && slope >= 0 ? result : value // of the same sign: x can be forgotten
  const rises = s.select(s.less(threshold, read), 1, slope)
  if (most === undefined) return of(label, x, f, rises)
  return of(label, x, s.min(f, most), s.select(s.less(read, most), rises, 0))
}

const axis = integer({
  says: 'axis over which the values are shared; -1 are the channels, 0, the batch, is refused',
  default: -1,
})

/** The words of Keras and the field. Options change a function; without them it is the one that the name stands for. */
export const activations = {
  linear: plain('x itself.', (x) => x),
  relu: define({
    says: 'max(x, 0); with options a slope below the threshold, and a largest value.',
    options: {
      maxValue: number({ says: 'largest value; none when absent', min: 0, optional: true }),
      negativeSlope: number({ says: 'slope below the threshold', min: 0, default: 0 }),
      threshold: number({ says: 'values up to it are not passed on', min: 0, default: 0 }),
    },
    conflict: ({ maxValue, threshold }) =>
      maxValue !== undefined && maxValue < threshold
        ? { what: "'maxValue' is below 'threshold'", got: `${maxValue} and ${threshold}` }
        : undefined,
    of: (x, { maxValue, negativeSlope, threshold }) => {
      if (maxValue === 6 && negativeSlope === 0 && threshold === 0) return elementwiseOps.relu6(x)
      if (negativeSlope === 0 && threshold === 0 && maxValue === undefined) return elementwiseOps.relu(x)
      return bent('relu', x, { slope: negativeSlope, threshold, most: maxValue })
    },
  }),
  sigmoid: plain('1 / (1 + e^-x).', sigmoid),
  tanh: plain('The hyperbolic tangent of x.', tanh),
  selu: plain('ELU with the scale and alpha of self-normalizing networks (Klambauer et al. 2017).', selu),
  relu6: plain('x kept within 0 and 6.', elementwiseOps.relu6),
  /** One default for the function and the layer. Keras's function has 0.2, its layer 0.3, PyTorch 0.01. */
  leakyRelu: define({
    says: 'x above 0, negativeSlope x below.',
    options: { negativeSlope: number({ says: 'slope below 0', default: 0.2 }) },
    of: (x, { negativeSlope }) =>
      negativeSlope === 0.2 ? elementwiseOps.leakyRelu(x) : bent('leakyRelu', x, { slope: negativeSlope }),
  }),
  /** Clevert et al. 2016. */
  elu: define({
    says: 'x above 0, alpha (e^x - 1) below.',
    options: { alpha: alpha('how far below 0 it goes') },
    of: (x, { alpha }) => {
      if (alpha === 1) return elementwiseOps.elu(x)
      const below = s.mul(alpha, s.sub(s.exp(s.min(value, 0)), 1))
      return of(
        'elu',
        x,
        s.select(s.less(0, value), value, below),
        s.select(s.less(0, result), 1, s.add(result, alpha)),
      )
    },
  }),
  /** Barron 2017: an ELU whose slope has no step, whatever alpha is. */
  celu: define({
    says: 'x above 0, alpha (e^(x / alpha) - 1) below.',
    options: { alpha: alpha('how far below 0 it goes') },
    of: (x, { alpha }) => {
      const below = s.mul(alpha, s.sub(s.exp(s.div(s.min(value, 0), alpha)), 1))
      const slope = s.select(s.less(0, result), 1, s.add(s.div(result, alpha), 1))
      return of('celu', x, s.select(s.less(0, value), value, below), slope)
    },
  }),
  silu: plain('x sigmoid(x), also called swish.', elementwiseOps.silu),
  hardSigmoid: define({
    says: 'A straight line kept within 0 and 1.',
    options: {
      slope: number({
        says: 'slope; 1 / 6 as in Keras 3 and PyTorch, 0.2 in Keras 2 and ONNX',
        min: 0,
        default: 1 / 6,
      }),
      offset: number({ says: 'value at 0', default: 0.5 }),
    },
    of: (x, { slope, offset }) => {
      if (slope === 1 / 6 && offset === 0.5) return elementwiseOps.hardSigmoid(x)
      const line = s.add(s.mul(slope, value), offset)
      const isInside = s.mul(s.less(0, result), s.less(result, 1))
      return of('hardSigmoid', x, s.min(s.max(line, 0), 1), s.mul(isInside, slope))
    },
  }),
  hardSwish: plain('x hardSigmoid(x).', elementwiseOps.hardSwish),
  hardTanh: define({
    says: 'x kept within two bounds.',
    options: {
      minValue: number({ says: 'the lower bound', default: -1 }),
      maxValue: number({ says: 'the upper bound', default: 1 }),
    },
    conflict: ({ minValue, maxValue }) =>
      minValue < maxValue
        ? undefined
        : { what: "'minValue' is not below 'maxValue'", got: `${minValue} and ${maxValue}` },
    of: (x, { minValue: low, maxValue: high }) =>
      of('hardTanh', x, s.min(s.max(value, low), high), s.mul(s.less(low, result), s.less(result, high))),
  }),
  softplus: plain('log(1 + e^x).', elementwiseOps.softplus),
  softsign: plain('x / (1 + |x|).', (x) => {
    const grown = s.add(1, s.abs(value))
    return of('softsign', x, s.div(value, grown), s.div(1, s.mul(grown, grown)))
  }),
  mish: plain('x tanh(softplus(x)).', elementwiseOps.mish),
  gelu: plain('x times the share of a normal distribution below x.', elementwiseOps.gelu),
  geluTanh: plain('gelu by its approximation with tanh.', elementwiseOps.geluTanh),
  exponential: plain('e^x.', exp),
  softmax: define({
    says: 'exp(x) / sum(exp(x)) over an axis.',
    options: { axis },
    of: (x, { axis }) => softmaxOver(x, axesOf(axis, x.shape.length)[0]),
  }),
  logSoftmax: define({
    says: 'x - log(sum(exp(x))) over an axis.',
    options: { axis },
    of: (x, { axis }) => logSoftmaxOver(x, axesOf(axis, x.shape.length)[0]),
  }),
} as const

export type ActivationName = keyof typeof activations
export const activationNames = Object.keys(activations) as ActivationName[]

/** An activation: its name, or `{ type, ...options }` such as `{ type: 'leakyRelu', negativeSlope: 0.1 }`. Plain JSON. */
export type Activation = Named<typeof activations>

/** The row of an activation, applied with settled options. */
const applied = (type: ActivationName, x: Node, options: Settled<OptionTable>): Node =>
  (activations[type] as unknown as ActivationRow).of(x, options)

/** x through an activation. */
export function activate(x: Node, activation: Activation): Node {
  const { type, options } = settleNamed(activations, activation, 'activation')
  return applied(type, x, options)
}

/** An activation as an option of a layer: a function applied to the result unless more is said. */
export const activationOption = named(activations, {
  says: 'function applied to the result',
  what: 'activation',
  default: 'linear',
})

/** What a layer gives that applies a function at the end: the value before it can be asked for too. */
export const activated = (x: Node, activation: Activation): { output: Node; preactivation: Node } => ({
  output: activate(x, activation),
  preactivation: x,
})
