/** Pictures to PNG files, in plain TypeScript over the platform's own CompressionStream: the pixels stay as they are. */
import { FoveaError } from '../base/errors.ts'
import { checkSize } from './picture.ts'

/** Pixels to be written: rows from the top; gray, red-green-blue, or these with alpha. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly pixels: Uint8Array | Uint8ClampedArray
}

const colourTypes: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 }

/** The bytes of a PNG file, 8 bits a sample. Throws E_SHAPE where the pixels are not width x height x channels (1, 3 or 4). */
export async function encodePng(picture: Pixels): Promise<Uint8Array> {
  const { width, height, channels, pixels } = picture ?? ({} as Pixels)
  const isSize = (n: number): boolean => Number.isSafeInteger(n) && n > 0
  const isBytes = /^\[object Uint8(Clamped)?Array\]$/.test(Object.prototype.toString.call(pixels))
  const fits = isBytes && isSize(width) && isSize(height) && pixels.length === width * height * channels
  if (!fits || !Object.hasOwn(colourTypes, channels)) {
    const got = `${width} x ${height} x ${channels}, ${pixels?.length} values`
    const expected = '{ width, height, channels: 1, 3 or 4, pixels of width x height x channels bytes }'
    throw new FoveaError('E_SHAPE', {
      what: 'these are not the pixels of a picture',
      where: 'encodePng',
      expected,
      got,
    })
  }
  checkSize(width, height, 'encodePng')
  const header = new DataView(new ArrayBuffer(13))
  header.setUint32(0, width)
  header.setUint32(4, height)
  header.setUint8(8, 8)
  header.setUint8(9, colourTypes[channels])
  const rows = filtered(pixels, width * channels, channels)
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream('deflate'))
  const samples = new Uint8Array(await new Response(packed).arrayBuffer())
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10)
  const parts = [signature, chunk('IHDR', new Uint8Array(header.buffer)), chunk('IDAT', samples), chunk('IEND')]
  return new Uint8Array(await new Blob(parts).arrayBuffer())
}

/** Each row less the bytes above it (filter 2), which is what packs best of the simple ones for drawings and photos. */
function filtered(pixels: Pixels['pixels'], stride: number, channels: number): Uint8Array<ArrayBuffer> {
  const rows = pixels.length / stride
  const out = new Uint8Array(pixels.length + rows)
  for (let y = 0, to = 0; y < rows; y++) {
    out[to++] = y === 0 ? 1 : 2 // the first row: less the pixel to the left
    const [back, from] = [y === 0 ? channels : stride, y * stride]
    for (let x = 0; x < stride; x++)
      out[to++] = pixels[from + x] - (y === 0 && x < channels ? 0 : pixels[from + x - back])
  }
  return out
}

function chunk(kind: string, data = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + data.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, data.length)
  bytes.set(new TextEncoder().encode(kind), 4)
  bytes.set(data, 8)
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)))
  return bytes
}

/** The checksum of a chunk (ISO 3309), a bit at a time by a table of bytes. */
function crc32(bytes: Uint8Array): number {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
    return value
  })
  let crc = 0xffffffff
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8)
  return ~crc >>> 0
}
