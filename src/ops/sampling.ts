/**
 * Random numbers as ops. Their only source is a key, int32 [4]: seed low, seed high, step, and the place in the
 * global batch of the first row (axis 0) made here; with the stream they fix every element (see base/random.ts).
 */
import { FoveaError } from '../base/errors.ts'
import { integer, number } from '../base/options.ts'
import { stream as streamOf } from '../base/random.ts'
import type { StoredSpec } from '../graph/dtype.ts'
import type { Node, Op } from '../graph/node.ts'
import { defineOp, wantDType } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { shapeText } from '../graph/shape.ts'
import { nodeArgument, sizeList, values } from './arguments.ts'
import { op } from './checked.ts'
import { lessEqual, mul } from './elementwise.ts'

export interface SamplingAttrs {
  readonly shape: Shape
  /** A stream number of base/random.ts. */
  readonly stream: number
}

function infer([key]: readonly StoredSpec[], { shape }: SamplingAttrs): StoredSpec {
  wantDType([key], 'int32')
  if (key.shape.length !== 1 || key.shape[0] !== 4) {
    throw new FoveaError('E_SHAPE', {
      what: 'needs a key of four integers',
      expected: '[4]',
      got: shapeText(key.shape),
    })
  }
  return { shape, dtype: 'float32' }
}

const key = { shape: [4], dtype: 'int32', below: 1000 } as const
const samples = [
  { shapes: [key], attrs: { shape: [4, 8], stream: 7 } },
  { shapes: [key], attrs: { shape: [3, 5], stream: 2 ** 25 } },
  { shapes: [key], attrs: { shape: [31], stream: 0 } },
]

/** Uniform on [0, 1). */
export const randomUniform: Op<1, SamplingAttrs> = defineOp('randomUniform', 1, {
  infer,
  gradient: () => [undefined],
  role: 'uniform',
  samples,
})

/** Standard normal. */
export const randomNormal: Op<1, SamplingAttrs> = defineOp('randomNormal', 1, {
  infer,
  gradient: () => [undefined],
  samples,
})

/** Zeroes values by uniform numbers of x's shape, and scales the others so that the mean stays (Srivastava et al. 2014). */
export const dropped = (x: Node, uniform: Node, rate: number): Node =>
  mul(x, mul(lessEqual(rate, uniform), 1 / (1 - rate)))

export interface DropoutOptions {
  readonly rate: number
  readonly key: Node
  readonly stream?: number | undefined
}

/** The same by numbers of a key. */
function dropout(x: Node, { rate, key, stream = 0 }: DropoutOptions): Node {
  if (rate === 0) return x
  return dropped(x, randomUniform(key, { shape: x.shape, stream: streamOf('dropout', stream) }), rate)
}

/** What engines compute. */
export const samplingPrimitives = { randomUniform, randomNormal } as const

const key4 = nodeArgument('int32 [4]: seed low, seed high, step, place of the first row')
const takes = { key: key4 }
const attrs = {
  shape: sizeList('the shape'),
  stream: integer({ says: 'number of the stream of random numbers', min: 0 }),
}

/** What users call. */
export const samplingPublic = {
  randomUniform: op({ says: 'Uniform on [0, 1).', takes, attrs, call: randomUniform }),
  randomNormal: op({ says: 'Standard normal.', takes, attrs, call: randomNormal }),
  dropout: op({
    says: 'Zeroes values with probability rate and scales the others by 1 / (1 - rate). For training: leave it out of predictions.',
    takes: { x: values },
    attrs: {
      rate: number({ says: 'probability that a value is zeroed', min: 0, max: 1, ends: 'right-open' }),
      key: key4,
      stream: integer({ says: 'another number for every dropout that has the same key', min: 0, default: 0 }),
    },
    call: dropout,
  }),
} as const
