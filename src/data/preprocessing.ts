/** What makes a network's input of a picture: plain data, saved with the network, so that the two cannot disagree. */
import { choice, custom, flag, integer, list, type Options, type Settled, settle } from '../base/options.ts'
import { borderColour, crop, type Image, invert, resize, toColour, toGrayscale, wantImage } from './image.ts'

export const preprocessingOptions = {
  size: custom<readonly [number, number]>({
    says: 'what the network wants: [height, width]',
    accepts: '[height, width], integers from 1 to 16384',
    as: list(integer({ says: 'a side', min: 1, max: 16_384 }), { says: 'height and width', length: 2 }).kind,
    check: (v) => (Array.isArray(v) && v.length === 2 && v.every(isSize) ? [v[0], v[1]] : undefined),
  }),
  channels: choice([1, 3], { says: '1 for gray by Rec. 601, 3 for red, green and blue' }),
  fit: choice(['stretch', 'contain', 'cover'], {
    says: "another form is stretched, fits in whole (the rest gets the border's colour) or is cut to the middle",
    default: 'stretch',
  }),
  ink: choice(['any', 'light', 'dark'], {
    says: 'what the network has learned: light ink on dark ground (as MNIST), dark on light, or any',
    default: 'any',
  }),
  antialias: flag({ says: 'average all pixels when a picture shrinks', default: true }),
}

/** No network looks at larger pictures; a file that says so is wrong. */
const largest = 16_384
const isSize = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) > 0 && (n as number) <= largest

export type Preprocessing = Settled<typeof preprocessingOptions>

/** Pictures for networks that learned from MNIST or its like: light ink on dark ground, 28 x 28. */
export const digitPictures: Preprocessing = {
  size: [28, 28],
  channels: 1,
  fit: 'stretch',
  ink: 'light',
  antialias: true,
}

/**
 * The pixels of one sample [height, width, channels]. The steps: gray or colour; ink; fit and resize. The rule for ink:
 * the ground is the median gray of the outermost pixels, light from 128 on; a picture on the other ground than the
 * network's is inverted. A picture of the network's own size and ground comes through unchanged.
 */
export function preprocess(image: Image, preprocessing: Options<typeof preprocessingOptions>): Uint8Array {
  wantImage(image)
  const { size, channels, fit, ink, antialias } = settle(preprocessingOptions, preprocessing, 'preprocess')
  const coloured = channels === 1 ? toGrayscale(image) : toColour(image)
  const inked = ink === 'any' || ink === inkOf(image) ? coloured : invert(coloured)
  const scaled = resize(inked, { to: fitted(image, size, fit), by: 'bilinear', antialias })
  const at = [(scaled.height - size[0]) >> 1, (scaled.width - size[1]) >> 1] as const
  return crop(scaled, { at, size, fill: borderColour(inked) }).pixels
}

function inkOf(image: Image): 'light' | 'dark' {
  return borderColour(toGrayscale(image))[0] < 128 ? 'light' : 'dark'
}

/** The size to resize to before the middle is cut out or padded: [height, width]. */
function fitted(image: Image, [height, width]: readonly [number, number], fit: Preprocessing['fit']): [number, number] {
  if (fit === 'stretch') return [height, width]
  const [y, x] = [height / image.height, width / image.width]
  const scale = fit === 'contain' ? Math.min(y, x) : Math.max(y, x)
  return [Math.max(1, Math.round(image.height * scale)), Math.max(1, Math.round(image.width * scale))]
}
