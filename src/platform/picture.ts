/** What both platforms agree on before and after their own decoder has run. */

import { FoveaError } from '../base/errors.ts'
import { messageOf } from '../base/realm.ts'
import { claimedSize, unusualKind } from './picture-format.ts'

/** A decoded picture: rows from the top, red, green and blue of each pixel side by side. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly channels: 3
  readonly pixels: Uint8Array
}

/** More pixels than this are refused before they are decoded: 100 megapixels are 300 MB. */
export const maxPixels = 100_000_000
/** No JPEG, GIF or canvas has longer sides. */
export const maxSide = 65_535

/** Refuses a picture of more than `maxPixels`, or with a side of more than `maxSide`. */
export function checkSize(width: number, height: number, name: string): void {
  if (width * height <= maxPixels && Math.max(width, height) <= maxSide) return
  throw new FoveaError('E_LIMIT', {
    what: 'the picture is too large',
    where: name,
    expected: `at most ${maxPixels / 1e6} megapixels, no side longer than ${maxSide}`,
    got: `${width} x ${height}`,
  })
}

/** The same by what the first bytes of a file say, where a decoder would decode it before it tells the size. */
export function checkClaim(bytes: Uint8Array, name: string): void {
  const claim = claimedSize(bytes)
  if (claim) checkSize(...claim, name)
}

/** The error for a picture that its decoder gave up on; `bytes` tell whether it is of a kind that few decoders read. */
export function damaged(name: string, bytes: Uint8Array, cause: unknown): FoveaError {
  const got = messageOf(cause).split('\n')[0]
  const kind = unusualKind(bytes)
  if (!kind) return new FoveaError('E_FILE', { what: 'the picture is damaged', where: name, got, cause })
  const hint = 'save it again as a PNG or as a plain JPEG'
  return new FoveaError('E_FILE', { what: `the decoder here does not read ${kind}`, where: name, got, hint, cause })
}

/** Red, green and blue over white, from [pixels, 4] with alpha last: rounded once, as Pillow does. */
export function overWhite(rgba: ArrayLike<number>): Uint8Array {
  const pixels = new Uint8Array((rgba.length / 4) * 3)
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const alpha = rgba[from + 3]
    const ground = 255 * (255 - alpha)
    for (let c = 0; c < 3; c++) pixels[to + c] = Math.round((rgba[from + c] * alpha + ground) / 255)
  }
  return pixels
}

/** Red, green and blue from [pixels, 4] cyan, magenta, yellow and black, without any profile, as Pillow does. */
export function fromCmyk(cmyk: Uint8Array): Uint8Array {
  const pixels = new Uint8Array((cmyk.length / 4) * 3)
  for (let from = 0, to = 0; from < cmyk.length; from += 4, to += 3) {
    const light = 255 - cmyk[from + 3]
    for (let c = 0; c < 3; c++) pixels[to + c] = Math.round(((255 - cmyk[from + c]) * light) / 255)
  }
  return pixels
}
