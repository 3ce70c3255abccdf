/** What makes a network's input of a picture: plain data, saved with the network, so that the two cannot disagree. */

import { FoveaError } from '../base/errors.ts'
import {
  choice,
  custom,
  either,
  flag,
  integer,
  list,
  number,
  type Options,
  type Settled,
  settle,
} from '../base/options.ts'
import { isListOf } from '../base/realm.ts'
import type { DType } from '../graph/dtype.ts'
import { type Shape, sameShape, shapeText } from '../graph/shape.ts'
import {
  asImage,
  borderColour,
  crop,
  type Image,
  invert,
  type PictureSource,
  resize,
  toColour,
  toGrayscale,
} from './image.ts'

/** No network looks at longer sides or more pixels; a file that says so is wrong. */
const longest = 16_384
const most = 100_000_000
const isSide = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) > 0 && (n as number) <= longest

/** A number for all channels, or one for each. */
export type PerChannel = number | readonly number[]
export const perChannelForms = [
  number({ says: 'for all' }),
  list(number({ says: 'for one' }), { says: 'one per channel', length: { min: 1 } }),
] as const
const perChannelKind = either(perChannelForms, { says: 'a number, or one per channel' }).kind
const isFactor = (n: unknown): boolean => typeof n === 'number' && Math.abs(n) <= 1e30
const perChannel = (v: unknown): PerChannel | undefined => {
  if (Array.isArray(v)) return isListOf<number>(v, isFactor) ? Object.freeze([...v]) : undefined
  return isFactor(v) ? (v as number) : undefined
}

/** Factors that leave no channel empty: by 0 every picture would be alike. */
const hasZero = (scale: PerChannel): boolean => (Array.isArray(scale) ? scale : [scale]).includes(0)

export const preprocessingOptions = {
  size: custom<readonly [number, number]>({
    says: 'what the network needs: [height, width]',
    accepts: '[height, width], integers from 1 to 16384, at most 100 megapixels',
    as: list(integer({ says: 'a side', min: 1, max: longest }), { says: 'height and width', length: 2 }).kind,
    check: (v) => {
      if (!isListOf<number>(v, isSide) || v.length !== 2 || v[0] * v[1] > most) return undefined
      return Object.freeze([v[0], v[1]] as const)
    },
  }),
  channels: choice([1, 3], { says: '1 for gray by Rec. 601, 3 for red, green and blue' }),
  fit: choice(['stretch', 'contain', 'cover'], {
    says: "a picture of another shape is stretched, fitted in completely (the rest gets the border's colour), or cut to its middle",
    default: 'stretch',
  }),
  ink: choice(['any', 'light', 'dark'], {
    says: 'what the network has learned: light ink on dark ground (as MNIST), dark on light, or any',
    default: 'any',
  }),
  antialias: flag({ says: 'average all pixels when a picture shrinks', default: true }),
  scale: custom<PerChannel>({
    says: 'for networks that learned from float32: a byte v becomes v * scale + offset; bytes stay bytes where neither is given',
    accepts: 'a number other than 0, or one per channel',
    as: perChannelKind,
    check: (v) => {
      const scale = perChannel(v)
      return scale === undefined || hasZero(scale) ? undefined : scale
    },
    optional: true,
  }),
  offset: custom<PerChannel>({
    says: 'what is added after scaling',
    accepts: 'a number, or one per channel',
    as: perChannelKind,
    check: perChannel,
    optional: true,
  }),
}

/** As a user writes it. */
export type PreprocessingOptions = Options<typeof preprocessingOptions>
/** With every default filled in. */
export type Preprocessing = Settled<typeof preprocessingOptions>

/** Checks preprocessing and fills its defaults. The result cannot be changed. */
export function settlePreprocessing(given: unknown): Preprocessing {
  const settled = settle(preprocessingOptions, given, 'preprocessing')
  for (const name of ['scale', 'offset'] as const) {
    const value = settled[name]
    if (!Array.isArray(value) || value.length === settled.channels) continue
    const expected = `a number, or ${settled.channels}: one per channel`
    throw new FoveaError('E_OPTION', {
      what: `'${name}' is wrong`,
      where: 'preprocessing',
      expected,
      got: `${value.length}`,
    })
  }
  return Object.freeze(settled)
}

/** Does it make float32, scaled and shifted, or bytes? */
export const makesFloats = ({ scale, offset }: Pick<Preprocessing, 'scale' | 'offset'>): boolean =>
  scale !== undefined || offset !== undefined

/** What a model or a dataset takes by one name; the dtype where it is known. */
export interface PictureField {
  readonly shape: Shape
  readonly dtype?: DType | undefined
}

/** Settled preprocessing that makes what the only field takes, in its form and in its numbers. */
export function preprocessingFor(
  given: unknown,
  fields: Readonly<Record<string, PictureField>>,
  where: string,
): Preprocessing {
  const settled = settlePreprocessing(given)
  const made = [...settled.size, settled.channels]
  const all = Object.values(fields)
  if (all.length !== 1 || !sameShape(made, all[0].shape)) {
    const expected = all.map(({ shape }) => shapeText(shape)).join(' and ')
    throw new FoveaError('E_MISMATCH', {
      what: 'the preprocessing does not make what the input takes',
      where,
      expected,
      got: shapeText(made),
    })
  }
  const { dtype } = all[0]
  if (dtype === undefined || makesFloats(settled) === (dtype !== 'uint8')) return settled
  const hint =
    dtype === 'uint8'
      ? 'leave scale and offset out: bytes are scaled inside the model'
      : 'say how a byte becomes a number of the data, as in { scale: 1 / 255 } or { scale: 1 / 127.5, offset: -1 }'
  const got = makesFloats(settled) ? 'float32' : 'bytes'
  throw new FoveaError('E_MISMATCH', {
    what: 'the preprocessing does not make the numbers that the model learns from',
    where,
    expected: dtype,
    got,
    hint,
  })
}

/** Pictures for networks that learned from MNIST or its like: light ink on dark ground, 28 x 28. */
export const digitPictures: Preprocessing = settlePreprocessing({ size: [28, 28], channels: 1, ink: 'light' })

/**
 * The numbers of one sample [height, width, channels]: bytes, or float32 where `scale` or `offset` say how bytes become
 * numbers. The steps: alpha over white; gray or colour; ink; fit and resize; scale. The rule for ink: the ground is the
 * median gray of the outermost pixels, light from 128 on; a picture on the other ground than the network's is inverted.
 * A picture of the network's own size and ground comes through unchanged. Only what is left of the picture is computed.
 * Throws E_OPTION for wrong preprocessing, E_MISMATCH and E_SHAPE for what is no picture.
 */
export function preprocess(picture: PictureSource, how: PreprocessingOptions): Uint8Array | Float32Array {
  const settled = settlePreprocessing(how)
  const { size, channels, ink } = settled
  const image = asImage(picture, 'preprocess')
  const coloured = channels === 1 ? toGrayscale(image) : toColour(image)
  const inked = ink === 'any' || ink === inkOf(image) ? coloured : invert(coloured)
  const pixels = fitted(inked, size, settled)
  return makesFloats(settled) ? scaled(pixels, settled) : pixels
}

function inkOf(image: Image): 'light' | 'dark' {
  return borderColour(toGrayscale(image))[0] < 128 ? 'light' : 'dark'
}

/** Resizes what is seen of the picture into the middle of `size` [height, width]; the rest gets the border's colour. */
function fitted(image: Image, size: readonly [number, number], { fit, antialias }: Preprocessing): Uint8Array {
  const to = sizeBefore(image, size, fit)
  const cut = [0, 1].map((axis) => (to[axis] - size[axis]) >> 1) as [number, number] // below 0: a margin
  const at = cut.map((n) => Math.max(0, n)) as [number, number]
  const seen = size.map((n, axis) => Math.min(n, to[axis])) as [number, number]
  const part = resize(image, { to, by: 'bilinear', antialias, part: { at, size: seen } })
  const margin = cut.map((n) => Math.min(0, n)) as [number, number]
  return crop(part, { at: margin, size, fill: borderColour(image) }).pixels
}

/** The whole picture's size, [height, width], before the middle is cut out or framed. */
function sizeBefore(
  image: Image,
  [height, width]: readonly [number, number],
  fit: Preprocessing['fit'],
): [number, number] {
  if (fit === 'stretch') return [height, width]
  const [y, x] = [height / image.height, width / image.width]
  const scale = fit === 'contain' ? Math.min(y, x) : Math.max(y, x)
  return [Math.max(1, Math.round(image.height * scale)), Math.max(1, Math.round(image.width * scale))]
}

function scaled(pixels: Uint8Array, { channels, scale = 1, offset = 0 }: Preprocessing): Float32Array {
  const each = (value: PerChannel): readonly number[] =>
    typeof value === 'number' ? Array(channels).fill(value) : value
  const [factors, offsets] = [each(scale), each(offset)]
  return Float32Array.from(pixels, (byte, i) => byte * factors[i % channels] + offsets[i % channels])
}
