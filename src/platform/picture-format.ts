/**
 * What the bytes of a picture say before a decoder sees them: the format, the size it claims, and the parts that
 * decoders do not agree on. Every length that a file states is checked before it is followed.
 */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { arrayKind } from '../base/realm.ts'

/** The file formats that Node and browsers both decode, by their first bytes ('.' is any byte). */
const signatures = {
  JPEG: ['\xff\xd8\xff'],
  PNG: ['\x89PNG'],
  WebP: ['RIFF....WEBP'],
  GIF: ['GIF87a', 'GIF89a'],
  AVIF: ['....ftypavif', '....ftypavis'],
}
type Format = keyof typeof signatures

/** Formats that not both of them decode, to be refused by their names. */
const foreign = {
  BMP: ['BM'],
  TIFF: ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'],
  HEIC: ['....ftyphei', '....ftyphev', '....ftypmif1', '....ftypmsf1'],
  'JPEG XL': ['\xff\x0a', '\0\0\0\x0cJXL '],
  'JPEG 2000': ['\0\0\0\x0cjP  ', '\xff\x4f\xff\x51'],
  SVG: ['<svg', '<?xml'],
  ICO: ['\0\0\x01\0', '\0\0\x02\0'],
  Photoshop: ['8BPS'],
  PDF: ['%PDF'],
  ZIP: ['PK\x03\x04'],
}

const latin = (bytes: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(start, end))

function nameOf<N extends string>(table: Readonly<Record<N, readonly string[]>>, bytes: Uint8Array): N | undefined {
  const start = latin(bytes, 0, 12)
  const begins = (signature: string): boolean =>
    signature.length <= start.length && Array.from(signature).every((sign, i) => sign === '.' || sign === start[i])
  return (Object.keys(table) as N[]).find((name) => table[name].some(begins))
}

/** Refuses, before any decoder sees it, what is none of the pictures that Fovea reads (an SVG or a PDF, say). */
export function checkFormat(bytes: Uint8Array, name: string): void {
  if (arrayKind(bytes) !== 'Uint8Array' || typeof name !== 'string') {
    const expected = "a file's bytes as a Uint8Array, and a text"
    throw new FoveaError('E_OPTION', {
      what: 'this is not a picture',
      where: 'decodeImage',
      expected,
      got: show(bytes),
    })
  }
  if (nameOf(signatures, bytes)) return
  const other = nameOf(foreign, bytes)
  throw new FoveaError('E_FILE', {
    what: 'not a picture that Fovea reads',
    where: name,
    expected: Object.keys(signatures).join(', '),
    got: other ? `a ${other} file` : bytes.length === 0 ? 'an empty file' : `first bytes ${hex(bytes.subarray(0, 8))}`,
  })
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')

/** A stretch of a file: a PNG's chunk, a JPEG's segment, a box. `data` is where its content begins. */
interface Piece {
  readonly kind: string
  readonly start: number
  readonly data: number
  readonly end: number
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The chunks of a PNG, up to the first that its file does not hold whole. */
function* pngChunks(bytes: Uint8Array): Generator<Piece> {
  const view = viewOf(bytes)
  for (let start = 8; start + 12 <= bytes.length; ) {
    const end = start + 12 + view.getUint32(start)
    if (end > bytes.length) return
    yield { kind: latin(bytes, start + 4, start + 8), start, data: start + 8, end }
    start = end
  }
}

/** The segments of a JPEG before its samples: `kind` is the marker in hexadecimal. */
function* jpegSegments(bytes: Uint8Array): Generator<Piece> {
  const view = viewOf(bytes)
  for (let at = 2; ; ) {
    at = bytes.indexOf(0xff, at)
    if (at < 0) return
    const start = at
    while (bytes[at] === 0xff) at++
    const marker = bytes[at++]
    if (marker === 0xda || marker === 0xd9) return
    if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd8)) continue // stands alone
    if (at + 2 > bytes.length || at + view.getUint16(at) > bytes.length) return
    const end = at + Math.max(2, view.getUint16(at))
    yield { kind: marker.toString(16), start, data: at + 2, end }
    at = end
  }
}

/** The boxes between two places of an AVIF file. */
function* boxes(bytes: Uint8Array, from: number, to: number): Generator<Piece> {
  const view = viewOf(bytes)
  for (let start = from; start + 8 <= to; ) {
    const length = view.getUint32(start)
    const end = length === 0 ? to : start + length
    if (length === 1 || end > to || end < start + 8) return // of 64 bits, or wrong
    yield { kind: latin(bytes, start + 4, start + 8), start, data: start + 8, end }
    start = end
  }
}

const find = (pieces: Iterable<Piece>, test: (piece: Piece) => boolean): Piece | undefined => {
  for (const piece of pieces) if (test(piece)) return piece
  return undefined
}

/** What a JPEG says of its samples. */
interface JpegFrame {
  /** Of the marker SOFn: 0 to 15. */
  readonly process: number
  /** Bits a sample. */
  readonly precision: number
  readonly size: readonly [width: number, height: number]
  readonly components: number
}

function jpegFrame(bytes: Uint8Array): JpegFrame | undefined {
  const isFrame = ({ kind, data, end }: Piece): boolean => /^c[0-35-79-bd-f]$/.test(kind) && end - data >= 6
  const frame = find(jpegSegments(bytes), isFrame)
  if (!frame) return undefined
  const { kind, data } = frame
  const view = viewOf(bytes)
  const size = [view.getUint16(data + 3), view.getUint16(data + 1)] as const
  return { process: Number.parseInt(kind[1], 16), precision: bytes[data], size, components: bytes[data + 5] }
}

/** The width and height that a file states, before anything is decoded; undefined where it does not say. */
export function claimedSize(bytes: Uint8Array): readonly [width: number, height: number] | undefined {
  const format = nameOf(signatures, bytes)
  return format && bytes.length >= 30 ? sizes[format](bytes, viewOf(bytes)) : undefined
}

/** The box of an image's size, as a number. */
const ispe = 0x69_73_70_65

const sizes: { readonly [F in Format]: (bytes: Uint8Array, view: DataView) => JpegFrame['size'] | undefined } = {
  JPEG: (bytes) => jpegFrame(bytes)?.size,
  PNG: (bytes, view) => (latin(bytes, 12, 16) === 'IHDR' ? [view.getUint32(16), view.getUint32(20)] : undefined),
  GIF: (_, view) => [view.getUint16(6, true), view.getUint16(8, true)],
  WebP: (bytes, view) => {
    const kind = latin(bytes, 12, 16)
    if (kind === 'VP8X') return [1 + (view.getUint32(24, true) & 0xffffff), 1 + (view.getUint32(26, true) >>> 8)]
    const both = kind === 'VP8L' ? view.getUint32(21, true) : view.getUint32(26, true)
    return kind === 'VP8L'
      ? [1 + (both & 0x3fff), 1 + ((both >>> 14) & 0x3fff)]
      : [both & 0x3fff, (both >>> 16) & 0x3fff]
  },
  AVIF: (bytes, view) => {
    const meta = find(boxes(bytes, 0, bytes.length), ({ kind }) => kind === 'meta')
    let largest: JpegFrame['size'] | undefined
    for (let at = meta?.data ?? bytes.length; at + 16 <= (meta?.end ?? 0); at++) {
      if (view.getUint32(at) !== ispe) continue // version and flags, then the size of an image
      const size = [view.getUint32(at + 8), view.getUint32(at + 12)] as const
      if (!largest || size[0] * size[1] > largest[0] * largest[1]) largest = size
    }
    return largest
  },
}

/** A kind of picture that not every decoder reads, in words: for the complaint of one that does not. */
export function unusualKind(bytes: Uint8Array): string | undefined {
  const format = nameOf(signatures, bytes)
  if (format === 'AVIF') return latin(bytes, 8, 12) === 'avis' ? 'an animated AVIF' : undefined
  const frame = format === 'JPEG' ? jpegFrame(bytes) : undefined
  if (!frame) return undefined
  const { process, precision } = frame
  if ([3, 7, 11, 15].includes(process)) return `a lossless JPEG of ${precision} bits a sample`
  if (precision !== 8) return `a JPEG of ${precision} bits a sample`
  if (process >= 9) return 'a JPEG with arithmetic coding'
  return process >= 5 ? 'a hierarchical JPEG' : undefined
}

/** Chunks besides the critical ones that say how a PNG looks, where decoders agree on it. */
const wantedChunks = ['tRNS', 'iCCP', 'eXIf']

/**
 * The file without what decoders do not agree on. In a PNG: gamma and primaries (gAMA, cHRM, which browsers apply, others
 * not), animation (browsers show its first frame, others the picture beneath) and texts. In a JPEG of four channels:
 * the colour profile, so that cyan, magenta, yellow and black become red, green and blue as in Pillow.
 */
export function withoutDisputed(bytes: Uint8Array): Uint8Array {
  const format = nameOf(signatures, bytes)
  if (format === 'PNG') {
    const isCritical = (kind: string): boolean => /^[A-Z]/.test(kind)
    return without(bytes, pngChunks(bytes), ({ kind }) => !isCritical(kind) && !wantedChunks.includes(kind))
  }
  if (format !== 'JPEG' || jpegFrame(bytes)?.components !== 4) return bytes
  const isProfile = ({ kind, data }: Piece): boolean =>
    kind === 'e2' && latin(bytes, data, data + 12) === 'ICC_PROFILE\0'
  return without(bytes, jpegSegments(bytes), isProfile)
}

function without(bytes: Uint8Array, pieces: Iterable<Piece>, isDropped: (piece: Piece) => boolean): Uint8Array {
  const kept = new Uint8Array(bytes.length)
  let [from, length] = [0, 0]
  const keep = (to: number): void => {
    kept.set(bytes.subarray(from, to), length)
    length += to - from
  }
  for (const piece of pieces) {
    if (!isDropped(piece)) continue
    keep(piece.start)
    from = piece.end
  }
  keep(bytes.length)
  return kept.subarray(0, length)
}
