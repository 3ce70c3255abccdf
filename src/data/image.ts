/** Pictures and their arithmetic, in plain TypeScript: Node and every browser agree to the bit. */

import { imageFrom, overWhite } from '#platform'
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { arrayKind } from '../base/realm.ts'

/** Rows from the top, the channels of a pixel side by side: NHWC without the N. */
export interface Image<P extends Uint8Array | Float32Array = Uint8Array> {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly pixels: P
}

/** Pixels as canvases give them: red, green, blue and alpha of each side by side. `ImageData` is one. */
export interface RgbaPixels {
  readonly width: number
  readonly height: number
  readonly data: ArrayLike<number>
}

/**
 * A picture as a user may have it: as `decodeImage` gives it (1 channel for gray, 3 for red, green and blue, 4 with
 * alpha), an `ImageData`, and in a browser an `ImageBitmap`, a canvas, an image or video element, a `VideoFrame`.
 */
export type PictureSource =
  | (Omit<Image, 'pixels'> & { readonly pixels: Uint8Array | Uint8ClampedArray })
  | RgbaPixels
  | { readonly width: number; readonly height: number }
  | { readonly displayWidth: number; readonly displayHeight: number }

/** A picture of one or three channels of bytes; alpha is laid over white, as `decodeImage` does it. */
export function asImage(source: unknown, where: string): Image {
  const drawn = imageFrom(source)
  if (drawn) return drawn
  const { width, height, channels, pixels, data, colorSpace } = (source ?? {}) as Record<string, unknown>
  const [values, depth] = pixels === undefined ? [data, 4] : [pixels, channels]
  const bytes = bytesOf(values)
  if (!bytes || (colorSpace !== undefined && colorSpace !== 'srgb')) throw noPicture(source, where)
  const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) > 0
  const sizes = [height, width, depth]
  if (!sizes.every(isSize) || ![1, 3, 4].includes(depth as number)) {
    const expected = 'width and height from 1 on, channels 1, 3 or 4'
    throw new FoveaError('E_SHAPE', {
      what: 'no such picture',
      where,
      expected,
      got: show({ width, height, channels: depth }),
    })
  }
  const count = sizes.reduce((product, size) => product * size)
  if (bytes.length !== count) {
    const got = `${bytes.length}`
    throw new FoveaError('E_SHAPE', {
      what: 'not as many values as the picture has',
      where,
      expected: `${sizes.join(' x ')} = ${count}`,
      got,
    })
  }
  const image = { width: width as number, height: height as number, channels: depth as number, pixels: bytes }
  return depth === 4 ? { ...image, channels: 3, pixels: overWhite(bytes) } : image
}

/** Arrays of bytes of any realm, those of a canvas too. */
function bytesOf(values: unknown): Uint8Array | undefined {
  if (!ArrayBuffer.isView(values)) return undefined
  const kind = Object.prototype.toString.call(values)
  const isBytes = kind === '[object Uint8Array]' || kind === '[object Uint8ClampedArray]'
  return isBytes ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength) : undefined
}

function noPicture(source: unknown, where: string): FoveaError {
  const expected =
    '{ width, height, channels: 1, 3 or 4, pixels: bytes }, an ImageData in sRGB, or what a canvas can draw'
  const hint = "a file's bytes: decodeImage(bytes) first; bytes without a size: { width, height, data } for RGBA"
  return new FoveaError('E_MISMATCH', { what: 'this is not a picture', where, expected, got: show(source), hint })
}

export interface Resize {
  /** [height, width]. */
  readonly to: readonly [number, number]
  readonly by: 'nearest' | 'bilinear'
  /** When the picture shrinks, average all pixels that fall together, as Pillow does; false takes two per axis, as Keras does. */
  readonly antialias: boolean
  /** The part of the result that is wanted, [y, x] and [height, width]: nothing else is computed. By default all of it. */
  readonly part?: Record<'at' | 'size', readonly [number, number]>
}

/** The pixels of the input that make one pixel of the output along an axis: weights from `start` on; their sum is 1. */
export interface Taps {
  readonly start: number
  readonly weights: Float64Array
}

/**
 * Resizes with half-pixel centres: output pixel i is at (i + 0.5) * input / output - 0.5. Computed in float64, first
 * along the rows, then along the columns, or the other way round where that is far less work; uint8 results are rounded
 * once, halves up. Besides the result it holds a few rows of it, or of the input.
 */
export function resize<P extends Uint8Array | Float32Array>(
  image: Image<P>,
  { to, by, antialias, part = { at: [0, 0], size: to } }: Resize,
): Image<P> {
  const sizes = [...to, image.width, image.height, ...part.size]
  const isInside = part.at.every(
    (start, axis) => Number.isInteger(start) && start >= 0 && start + part.size[axis] <= to[axis],
  )
  if (!sizes.every((size) => Number.isInteger(size) && size > 0) || !isInside) {
    const got = `[${image.height}, ${image.width}] to [${to.join(', ')}]`
    throw new FoveaError('E_SHAPE', { what: 'resize: sizes must be integers >= 1', got })
  }
  const { channels } = image
  const [height, width] = part.size
  const taps = (axis: 0 | 1): Taps[] => {
    const input = axis === 0 ? image.height : image.width
    return tapsOf(input, to[axis], { by, antialias, from: part.at[axis], count: part.size[axis] })
  }
  const columns = taps(1)
  const stride = width * channels
  const bytes = arrayKind(image.pixels) === 'Uint8Array'
  const pixels = bytes ? new Uint8Array(height * stride) : new Float32Array(height * stride)
  const store = (y: number, row: Float64Array) => {
    if (bytes) roundTo(pixels, y * stride, row)
    else pixels.set(row, y * stride)
  }
  const wide = image.width * channels
  const along = channels === 3 ? alongRowOfThree : alongRow
  if (downFirst(image, { to, by, antialias })) {
    const row = new Float64Array(stride)
    sumRows(taps(0), {
      stride: wide,
      make: (y, sums) => sums.set(image.pixels.subarray(y * wide, (y + 1) * wide)),
      take: (y, sums) => {
        along({ from: sums, at: 0, channels }, columns, row)
        store(y, row)
      },
    })
  } else {
    sumRows(taps(0), {
      stride,
      make: (y, row) => along({ from: image.pixels, at: y * wide, channels }, columns, row),
      take: store,
    })
  }
  return { width, height, channels, pixels: pixels as P }
}

/**
 * Is it far less work to go along the columns first? A picture that shrinks to fewer, longer rows would get all of its rows
 * lengthened. By the numbers of products, of the whole result, so that each of its parts is computed as the whole is.
 */
function downFirst({ width, height }: Image<Uint8Array | Float32Array>, { to, by, antialias }: Omit<Resize, 'part'>) {
  const products = (input: number, output: number): number =>
    by === 'nearest' ? output : 2 * (antialias ? Math.max(input, output) : output)
  const [down, along] = [products(height, to[0]), products(width, to[1])]
  const alongThenDown = Math.min(height, down) * along + down * to[1]
  const downThenAlong = down * width + to[0] * along
  return downThenAlong < alongThenDown / 2
}

/** A row of numbers: `from` has it from `at` on. */
interface Row {
  readonly from: Uint8Array | Float32Array | Float64Array
  readonly at: number
  readonly channels: number
}

/** A row of the output from a row of the input. */
function alongRow({ from, at: first, channels }: Row, columns: readonly Taps[], row: Float64Array): void {
  let out = 0
  for (const { start, weights } of columns) {
    for (let c = 0; c < channels; c++, out++) {
      let at = first + start * channels + c
      let sum = 0
      for (let k = 0; k < weights.length; k++, at += channels) sum += weights[k] * from[at]
      row[out] = sum
    }
  }
}

/** The same sums for colour, where three channels share a weight: resize is 1.4 times as fast. */
function alongRowOfThree({ from, at: first }: Row, columns: readonly Taps[], row: Float64Array): void {
  let out = 0
  for (const { start, weights } of columns) {
    let at = first + start * 3
    let red = 0
    let green = 0
    let blue = 0
    for (let k = 0; k < weights.length; k++, at += 3) {
      const weight = weights[k]
      red += weight * from[at]
      green += weight * from[at + 1]
      blue += weight * from[at + 2]
    }
    row[out++] = red
    row[out++] = green
    row[out++] = blue
  }
}

/** Numbers from 0 to 255 as bytes, halves up: a byte cuts off. With `Math.round` resize takes 1.5 times as long. */
function roundTo(bytes: Uint8Array | Float32Array, at: number, row: Float64Array): void {
  for (let x = 0; x < row.length; x++) bytes[at + x] = row[x] + 0.5
}

interface RowSums {
  readonly stride: number
  /** Fills a row of the input. */
  readonly make: (y: number, row: Float64Array) => void
  /** Is given each row of the output, in order. */
  readonly take: (y: number, sums: Float64Array) => void
}

/** Rows of the output as sums of rows of the input, of which none is made twice and few are held at a time. */
function sumRows(rows: readonly Taps[], how: RowSums): void {
  if (rows.every(({ weights }) => weights.length <= 3)) gather(rows, how)
  else scatter(rows, how)
}

/** Where few rows make one: they are held as long as one needs them. */
function gather(rows: readonly Taps[], { stride, make, take }: RowSums): void {
  const held = Array.from({ length: 4 }, () => ({ y: -1, row: new Float64Array(stride) }))
  const sums = new Float64Array(stride)
  rows.forEach(({ start, weights }, out) => {
    const summed: Float64Array[] = []
    for (let y = start; y < start + weights.length; y++) {
      const slot = held[y % held.length]
      if (slot.y !== y) make(y, slot.row)
      slot.y = y
      summed.push(slot.row)
    }
    weigh(summed, weights, sums)
    take(out, sums)
  })
}

/** Where many rows make one: each goes at once to the sums that it belongs to, never more than a few. */
function scatter(rows: readonly Taps[], { stride, make, take }: RowSums): void {
  const row = new Float64Array(stride)
  const open: Float64Array[] = [] // of the outputs from `done` on
  const spare: Float64Array[] = []
  let done = 0
  for (let y = rows[0].start; done < rows.length; y++) {
    make(y, row)
    for (let out = done; out < rows.length && rows[out].start <= y; out++) {
      open[out - done] ??= spare.pop()?.fill(0) ?? new Float64Array(stride)
      addTo(open[out - done], row, rows[out].weights[y - rows[out].start])
    }
    for (; done < rows.length && rows[done].start + rows[done].weights.length <= y + 1; done++) {
      const [sums] = open.splice(0, 1)
      take(done, sums)
      spare.push(sums)
    }
  }
}

/** The weighted sum of one to three rows, in one pass. */
function weigh([a, b, c]: readonly Float64Array[], [u, v, w]: Float64Array, sums: Float64Array): void {
  if (c) for (let x = 0; x < sums.length; x++) sums[x] = u * a[x] + v * b[x] + w * c[x]
  else if (b) for (let x = 0; x < sums.length; x++) sums[x] = u * a[x] + v * b[x]
  else for (let x = 0; x < sums.length; x++) sums[x] = u * a[x]
}

function addTo(sums: Float64Array, row: Float64Array, weight: number): void {
  for (let x = 0; x < sums.length; x++) sums[x] += weight * row[x]
}

interface Axis extends Pick<Resize, 'by' | 'antialias'> {
  /** The outputs that are wanted. */
  readonly from: number
  readonly count: number
}

/** What each output along an axis is made of: half-pixel centres, a triangle of weights or the nearest. */
export function tapsOf(input: number, output: number, { by, antialias, from, count }: Axis): Taps[] {
  const scale = input / output
  const reach = antialias ? Math.max(1, scale) : 1 // half the width of the triangle of weights
  return Array.from({ length: count }, (_, i) => {
    const centre = (from + i + 0.5) * scale
    if (by === 'nearest') return { start: Math.floor(centre), weights: Float64Array.of(1) }
    const start = Math.max(0, Math.floor(centre - reach + 0.5))
    const end = Math.min(input, Math.floor(centre + reach + 0.5))
    const weights = new Float64Array(end - start)
    for (let k = 0; k < weights.length; k++) weights[k] = Math.max(0, 1 - Math.abs(start + k + 0.5 - centre) / reach)
    const sum = weights.reduce((total, weight) => total + weight, 0)
    return { start, weights: weights.map((weight) => weight / sum) }
  })
}

/** One channel by the weights of ITU-R 601 (0.299, 0.587, 0.114) in 16-bit integers: the bits of Pillow's mode L. */
export function toGrayscale(image: Image): Image {
  if (image.channels === 1) return image
  if (image.channels !== 3) {
    throw new FoveaError('E_SHAPE', { what: 'toGrayscale needs 1 or 3 channels', got: `${image.channels}` })
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
    throw new FoveaError('E_SHAPE', { what: 'toColour needs 1 or 3 channels', got: `${image.channels}` })
  }
  const pixels = new Uint8Array(image.pixels.length * 3)
  for (let i = 0; i < image.pixels.length; i++) pixels.fill(image.pixels[i], 3 * i, 3 * i + 3)
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

/** The median of each channel over the outermost pixels: the background of the subject. */
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
