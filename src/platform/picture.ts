/** What both platforms agree on before and after their own decoder has run. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'

/** A decoded picture: rows from the top, red, green and blue of each pixel side by side. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly channels: 3
  readonly pixels: Uint8Array
}

/** More pixels than this are refused before they are decoded: 100 megapixels are 300 MB. */
export const maxPixels = 100_000_000

/** The file formats that Node and browsers both decode, by their first bytes ('.' is any byte). */
const signatures = {
  JPEG: /^\xff\xd8\xff/,
  PNG: /^\x89PNG/,
  WebP: /^RIFF....WEBP/s,
  GIF: /^GIF8[79]a/,
  AVIF: /^....ftypavi[fs]/s,
}

/** Refuses, before any decoder sees it, what is none of the pictures that Fovea reads (an SVG or a PDF, say). */
export function checkFormat(bytes: Uint8Array, name: string): void {
  if (Object.prototype.toString.call(bytes) !== '[object Uint8Array]' || typeof name !== 'string') {
    const expected = "a file's bytes as a Uint8Array, and a text"
    throw new FoveaError('E_OPTION', { what: 'no picture', where: 'decodeImage', expected, got: show(bytes) })
  }
  const start = String.fromCharCode(...bytes.subarray(0, 12))
  if (Object.values(signatures).some((signature) => signature.test(start))) return
  throw new FoveaError('E_FILE', {
    what: 'not a picture that Fovea reads',
    where: name,
    expected: Object.keys(signatures).join(', '),
    got: bytes.length === 0 ? 'an empty file' : `first bytes ${hex(bytes.subarray(0, 8))}`,
  })
}

/** Refuses a picture of more than `maxPixels`. */
export function checkSize(width: number, height: number, name: string): void {
  if (width * height <= maxPixels) return
  throw new FoveaError('E_LIMIT', {
    what: 'the picture is too large',
    where: name,
    expected: `at most ${maxPixels / 1e6} megapixels`,
    got: `${width} x ${height}`,
  })
}

/** The error for a picture that its decoder gave up on. */
export function damaged(name: string, cause: unknown): FoveaError {
  const got = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
  return new FoveaError('E_FILE', { what: 'the picture is damaged', where: name, got, cause })
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
