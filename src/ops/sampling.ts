/**
 * Random numbers as ops. Their only source is a key, int32 [4]: seed low, seed high, step, and the place in the
 * global batch of the first row (axis 0) made here; with the stream they fix every element (see base/random.ts).
 */
import { FoveaError } from '../base/errors.ts'
import { integer } from '../base/options.ts'
import type { StoredSpec } from '../graph/dtype.ts'
import type { Op } from '../graph/node.ts'
import { defineOp, wantDType } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { shapeText } from '../graph/shape.ts'
import { nodeArgument, sizeList } from './arguments.ts'
import { op } from './checked.ts'

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

/** What engines compute. */
export const samplingPrimitives = { randomUniform, randomNormal } as const

const takes = { key: nodeArgument('int32 [4]: seed low, seed high, step, place of the first row') }
const attrs = {
  shape: sizeList('the shape'),
  stream: integer({ says: 'number of the stream of random numbers', min: 0 }),
}

/** What users call. */
export const samplingPublic = {
  randomUniform: op({ says: 'Uniform on [0, 1).', takes, attrs, call: randomUniform }),
  randomNormal: op({ says: 'Standard normal.', takes, attrs, call: randomNormal }),
} as const
