/** Pictures and their arithmetic, in plain TypeScript: Node and every browser agree to the bit. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'

/** Rows from the top, the channels of a pixel side by side: NHWC without the N. */
export interface Image<P extends Uint8Array | Float32Array = Uint8Array> {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly pixels: P
}

/** Throws E_OPTION unless it is a picture whose pixels are as many as it says. */
export function wantImage(image: Image): void {
  const { width, height, channels, pixels } = (image ?? {}) as Partial<Image>
  const sizes = [width, height, channels]
  const isRight = sizes.every((n) => Number.isSafeInteger(n) && (n as number) > 0) && ArrayBuffer.isView(pixels)
  if (isRight && pixels.length === (sizes as number[]).reduce((a, b) => a * b)) return
  const expected = '{ width, height, channels, pixels: a Uint8Array of that many }, as decodeImage gives it'
  throw new FoveaError('E_OPTION', { what: 'no picture', where: 'preprocess', expected, got: show(image) })
}

export interface Resize {
  /** [height, width]. */
  readonly to: readonly [number, number]
  readonly by: 'nearest' | 'bilinear'
  /** When the picture shrinks, average all pixels that fall together, as Pillow does; false takes two per axis, as Keras does. */
  readonly antialias: boolean
}

/** The pixels of the input that make one pixel of the output along an axis: weights from `start` on; their sum is 1. */
interface Taps {
  readonly start: number
  readonly weights: readonly number[]
}

/**
 * Resizes with half-pixel centres: output pixel i lies at (i + 0.5) * input / output - 0.5. Computed in float64, first
 * along the rows, then along the columns; uint8 results are rounded once, halves up.
 */
export function resize<P extends Uint8Array | Float32Array>(image: Image<P>, { to, by, antialias }: Resize): Image<P> {
  const [height, width] = to
  if (![...to, image.width, image.height].every((size) => Number.isInteger(size) && size > 0)) {
    const got = `[${image.height}, ${image.width}] to [${to.join(', ')}]`
    throw new FoveaError('E_SHAPE', { what: 'resize: sizes must be integers >= 1', got })
  }
  const { channels, pixels } = image
  const columns = tapsOf(image.width, width, { by, antialias })
  const rows = tapsOf(image.height, height, { by, antialias })
  const narrow = new Float64Array(image.height * width * channels)
  for (let y = 0, out = 0; y < image.height; y++) {
    for (const { start, weights } of columns) {
      for (let c = 0; c < channels; c++, out++) {
        let at = (y * image.width + start) * channels + c
        for (let k = 0; k < weights.length; k++, at += channels) narrow[out] += weights[k] * pixels[at]
      }
    }
  }
  const stride = width * channels
  const result = new Float64Array(height * stride)
  rows.forEach(({ start, weights }, y) => {
    for (let k = 0; k < weights.length; k++) {
      for (let x = 0; x < stride; x++) result[y * stride + x] += weights[k] * narrow[(start + k) * stride + x]
    }
  })
  const rounded = pixels instanceof Uint8Array ? Uint8Array.from(result, Math.round) : Float32Array.from(result)
  return { width, height, channels, pixels: rounded as P }
}

function tapsOf(input: number, output: number, { by, antialias }: Omit<Resize, 'to'>): Taps[] {
  const scale = input / output
  const reach = antialias ? Math.max(1, scale) : 1 // half the width of the triangle of weights
  return Array.from({ length: output }, (_, i) => {
    const centre = (i + 0.5) * scale
    if (by === 'nearest') return { start: Math.floor(centre), weights: [1] }
    const start = Math.max(0, Math.floor(centre - reach + 0.5))
    const end = Math.min(input, Math.floor(centre + reach + 0.5))
    const weights = Array.from({ length: end - start }, (_, k) =>
      Math.max(0, 1 - Math.abs(start + k + 0.5 - centre) / reach),
    )
    const sum = weights.reduce((total, weight) => total + weight, 0)
    return { start, weights: weights.map((weight) => weight / sum) }
  })
}

/** One channel by the weights of ITU-R 601 (0.299, 0.587, 0.114) in 16-bit integers: the bits of Pillow's mode L. */
export function toGrayscale(image: Image): Image {
  if (image.channels === 1) return image
  if (image.channels !== 3) {
    throw new FoveaError('E_SHAPE', { what: 'toGrayscale wants 1 or 3 channels', got: `${image.channels}` })
  }
  const { width, height, pixels } = image
  const gray = new Uint8Array(width * height)
  for (let i = 0; i < gray.length; i++) {
    gray[i] = (19595 * pixels[3 * i] + 38470 * pixels[3 * i + 1] + 7471 * pixels[3 * i + 2] + 0x8000) >> 16
  }
  return { width, height, channels: 1, pixels: gray }
}

/** Three equal channels from one. */
export function toColour(image: Image): Image {
  if (image.channels === 3) return image
  if (image.channels !== 1) {
    throw new FoveaError('E_SHAPE', { what: 'toColour wants 1 or 3 channels', got: `${image.channels}` })
  }
  const pixels = Uint8Array.from({ length: image.pixels.length * 3 }, (_, i) => image.pixels[Math.floor(i / 3)])
  return { ...image, channels: 3, pixels }
}

/** Light becomes dark. */
export function invert(image: Image): Image {
  return { ...image, pixels: image.pixels.map((value) => 255 - value) }
}

/** The part of `size` [height, width] whose upper left corner is at `at` [y, x]; outside the image it has the colour `fill`. */
export function crop(
  image: Image,
  {
    at: [top, left],
    size: [height, width],
    fill,
  }: Record<'at' | 'size', readonly [number, number]> & { fill: readonly number[] },
): Image {
  const { channels } = image
  const pixels = new Uint8Array(height * width * channels)
  for (let y = 0, out = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = y + top >= 0 && y + top < image.height && x + left >= 0 && x + left < image.width
      const from = ((y + top) * image.width + x + left) * channels
      for (let c = 0; c < channels; c++, out++) pixels[out] = inside ? image.pixels[from + c] : fill[c]
    }
  }
  return { width, height, channels, pixels }
}

/** The median of each channel over the outermost pixels: the ground that the subject lies on. */
export function borderColour({ width, height, channels, pixels }: Image): number[] {
  const border: number[] = []
  for (let y = 0; y < height; y++) {
    const step = y === 0 || y === height - 1 ? 1 : Math.max(1, width - 1)
    for (let x = 0; x < width; x += step) border.push((y * width + x) * channels)
  }
  return Array.from({ length: channels }, (_, c) => {
    const values = Uint8Array.from(border, (at) => pixels[at + c]).sort()
    return values[values.length >> 1]
  })
}
