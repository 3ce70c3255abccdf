/** A transform: one thing that can be done to a sample when it is read, as a row of the table in `index.ts`. */
import { FoveaError } from '../../base/errors.ts'
import type { OptionTable, Settled } from '../../base/options.ts'
import type { TensorSpec, TypedArray } from '../../graph/dtype.ts'
import { shapeText } from '../../graph/shape.ts'
import type { Draws } from '../draws.ts'
import type { Preprocessing } from '../preprocessing.ts'
import type { Filling } from './fill.ts'
import type { Matrix } from './geometry.ts'

/** A transform for samples of one shape and dtype: a function that writes, or a matrix that others can be joined with. */
export type Prepared = Pixels | Geometry

export interface Pixels {
  /** Shape and dtype of what it makes. */
  readonly spec: TensorSpec
  /**
   * Writes all of `into`, which holds no part of `from`. Without `draws`, outside training, what is random is at its
   * middle: the middle is cropped.
   */
  readonly apply: (from: TypedArray, into: TypedArray, draws: Draws | undefined) => void
}

/** What moves the places of a picture and keeps its size. Outside training it does nothing. */
export interface Geometry {
  readonly spec: TensorSpec
  /** Of one sample. Transforms that follow each other are one matrix, and the picture is interpolated once. */
  readonly matrix: (draws: Draws) => Matrix
  /** Those with another filling are not joined; absent where no pixel is between others or beyond the border. */
  readonly filling?: Filling
}

export interface TransformRow<T extends OptionTable = OptionTable> {
  /** One line for help texts and docs. */
  readonly says: string
  readonly options: T
  /** All that can be known before there is a sample; throws E_SHAPE or E_DTYPE for samples that it is not for. */
  readonly prepare: (spec: TensorSpec, options: Settled<T>) => Prepared
  /** What pictures are prepared by after it, where it says so; else by nothing, where it changes shape or dtype. */
  readonly preprocessing?: (before: Preprocessing, options: Settled<T>) => Preprocessing
}

/** Lets TypeScript infer the options of a row. */
export const defineTransform = <const T extends OptionTable>(row: TransformRow<T>): TransformRow<T> => row

/** Height, width and channels of pictures [height, width, channels]; others are refused. */
export function pictureShape({ shape }: TensorSpec, where: string): readonly [number, number, number] {
  const [height, width, channels] = shape
  if (shape.length === 3) return [height, width, channels]
  throw new FoveaError('E_SHAPE', {
    what: 'needs pictures',
    where,
    expected: '[height, width, channels]',
    got: shapeText(shape),
  })
}

/** The same of pictures of bytes. */
export function bytePictureShape(spec: TensorSpec, where: string): readonly [number, number, number] {
  const shape = pictureShape(spec, where)
  if (spec.dtype === 'uint8') return shape
  const hint = 'put it before what makes other numbers, such as rescale'
  throw new FoveaError('E_DTYPE', { what: 'needs pictures of bytes', where, expected: 'uint8', got: spec.dtype, hint })
}

/** A transform of pictures of bytes that changes pixels where they are, in training only; throws for other samples. */
export function recolour(
  spec: TensorSpec,
  where: string,
  change: (from: Uint8Array, into: Uint8Array, draws: Draws) => void,
): Pixels {
  pictureShape(spec, where)
  if (spec.dtype !== 'uint8') {
    const hint = 'put it before what makes other numbers, such as rescale'
    throw new FoveaError('E_DTYPE', {
      what: 'needs pictures of bytes',
      where,
      expected: 'uint8',
      got: spec.dtype,
      hint,
    })
  }
  return {
    spec,
    apply(from, into, draws) {
      if (draws) change(from as Uint8Array, into as Uint8Array, draws)
      else into.set(from)
    },
  }
}

/** The same for red, green and blue. */
export function recolourRgb(...[spec, where, change]: Parameters<typeof recolour>): Pixels {
  const [, , channels] = pictureShape(spec, where)
  if (channels === 3) return recolour(spec, where, change)
  throw new FoveaError('E_SHAPE', {
    what: 'needs red, green and blue',
    where,
    expected: '[height, width, 3]',
    got: shapeText(spec.shape),
  })
}
