/** Pictures in Node: what is decoded, refused, written and drawn. Odd files are in odd-pictures.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import * as node from '../../src/platform/node.ts'
import { claimedSize } from '../../src/platform/picture-format.ts'
import { allocated } from '../hostile/allocations.ts'
import { failure } from '../support/failure.ts'

// Two pixels, side by side: red and blue at full strength, or as near as the format comes.
const raw = (pixels: number[], channels: 1 | 3 | 4, width = 2) =>
  sharp(Uint8Array.from(pixels), { raw: { width, height: pixels.length / channels / width, channels } })
const redBlue = [255, 0, 0, 0, 0, 255]
const pictures: [name: string, Promise<Buffer>, size: [number, number], pixels: number[]][] = [
  ['PNG', raw(redBlue, 3).png().toBuffer(), [2, 1], redBlue],
  ['lossless WebP', raw(redBlue, 3).webp({ lossless: true }).toBuffer(), [2, 1], redBlue],
  ['GIF', raw(redBlue, 3).gif().toBuffer(), [2, 1], redBlue],
  ['gray PNG', raw([7, 9], 1).toColourspace('b-w').png().toBuffer(), [2, 1], [7, 7, 7, 9, 9, 9]],
  ['16-bit PNG', raw(redBlue, 3).toColourspace('rgb16').png().toBuffer(), [2, 1], redBlue],
  ['transparent PNG', raw([255, 0, 0, 255, 0, 0, 255, 0], 4).png().toBuffer(), [2, 1], [255, 0, 0, 255, 255, 255]],
  ['a PNG turned by EXIF', raw(redBlue, 3).withMetadata({ orientation: 6 }).png().toBuffer(), [1, 2], redBlue],
]
for (const [name, file, [width, height], pixels] of pictures) {
  test(`pictures: decodes ${name}`, async () => {
    const expected = { width, height, channels: 3, pixels: Uint8Array.from(pixels) }
    assert.deepEqual(await node.decodeImage(await file, 'p'), expected)
  })
}

for (const [name, encode] of [
  ['JPEG', () => raw(Array(64 * 3).fill(100), 3, 8).jpeg({ quality: 100 })],
  ['AVIF', () => raw(Array(64 * 3).fill(100), 3, 8).avif({ quality: 100 })],
] as const) {
  test(`pictures: decodes ${name}`, async () => {
    const { pixels } = await node.decodeImage(await encode().toBuffer(), 'p')
    assert.equal(pixels.length, 64 * 3)
    assert.ok(
      pixels.every((value) => Math.abs(value - 100) <= 2),
      `${pixels}`,
    )
  })
}

const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
const jpeg = raw(Array(64 * 3).fill(100), 3, 8)
  .jpeg()
  .toBuffer()
const huge = sharp({ create: { width: 20_000, height: 6_000, channels: 3, background: 'black' } })
  .png()
  .toBuffer()
/** The beginning of a PNG of this size, which has no samples. */
function claiming(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(33)
  bytes.set([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52])
  const view = new DataView(bytes.buffer)
  view.setUint32(16, width)
  view.setUint32(20, height)
  return bytes
}
/** The beginning of a JPEG, 8 x 8, by the marker of its frame. */
const jpegOf = (marker: number, precision: number): number[] => [
  0xff,
  0xd8,
  0xff,
  marker,
  0,
  11,
  precision,
  0,
  8,
  0,
  8,
  1,
  1,
  0x11,
  0,
  ...Array(20).fill(0),
  0xff,
  0xd9,
]
const refused: [
  name: string,
  bytes: Uint8Array | Promise<Uint8Array>,
  code: 'E_FILE' | 'E_LIMIT',
  ...words: string[],
][] = [
  ['an empty file', new Uint8Array(), 'E_FILE', 'empty', 'JPEG, PNG'],
  ['a text', Buffer.from('hello'), 'E_FILE', '68 65 6c', 'JPEG, PNG'],
  ['an SVG', svg, 'E_FILE', 'not a picture that Fovea reads'],
  ['half a JPEG', jpeg.then((bytes) => bytes.subarray(0, bytes.length - 40)), 'E_FILE', 'damaged'],
  ['only a signature', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), 'E_FILE', 'damaged'],
  ['a BMP', Buffer.from('BM\0\0'), 'E_FILE', 'got a BMP file'],
  ['a TIFF', Buffer.from('II*\0'), 'E_FILE', 'got a TIFF file'],
  ['120 megapixels', huge, 'E_LIMIT', '100 megapixels', '20000 x 6000'],
  ['a PNG that only claims to be long', claiming(2 ** 31, 1), 'E_LIMIT', '65535', '2147483648 x 1'],
  [
    'a JPEG of 12 bits',
    Uint8Array.from(jpegOf(0xc1, 12)),
    'E_FILE',
    'does not read a JPEG of 12 bits a sample',
    'as a PNG',
  ],
  [
    'a JPEG with arithmetic coding and nothing more',
    Uint8Array.from(jpegOf(0xc9, 8)),
    'E_FILE',
    'with arithmetic coding',
  ],
  ['a lossless JPEG', Uint8Array.from(jpegOf(0xc3, 8)), 'E_FILE', 'does not read a lossless JPEG'],
]
for (const [name, bytes, code, ...words] of refused) {
  test(`pictures: does not decode ${name}`, async () => {
    await assert.rejects(node.decodeImage(await bytes, 'some.png'), failure(code, 'some.png', ...words))
  })
}

const sizes: [name: string, file: Promise<Uint8Array>, size: [number, number]][] = [
  ['PNG', raw(redBlue, 3).png().toBuffer(), [2, 1]],
  ['JPEG', raw(Array(300).fill(9), 3, 10).jpeg().toBuffer(), [10, 10]],
  ['progressive JPEG', raw(Array(600).fill(9), 3, 10).jpeg({ progressive: true }).toBuffer(), [10, 20]],
  ['GIF', raw(redBlue, 3).gif().toBuffer(), [2, 1]],
  ['WebP', raw(Array(600).fill(9), 3, 20).webp().toBuffer(), [20, 10]],
  ['lossless WebP', raw(Array(600).fill(9), 3, 20).webp({ lossless: true }).toBuffer(), [20, 10]],
  ['WebP with alpha', raw(Array(800).fill(9), 4, 20).webp().toBuffer(), [20, 10]],
  [
    'AVIF',
    raw(Array(64 * 3 * 20).fill(100), 3, 64)
      .avif()
      .toBuffer(),
    [64, 20],
  ],
]
for (const [name, file, size] of sizes)
  test(`pictures: the size that a ${name} claims`, async () =>
    assert.deepEqual(claimedSize(new Uint8Array(await file)), size))

test('pictures: a file is looked at without asking for memory, however it is damaged', async () => {
  for (const [, file] of sizes) {
    const whole = new Uint8Array(await file)
    for (let at = 0; at < whole.length; at += 7)
      for (const value of [0, 0xff]) {
        const bytes = whole.slice()
        bytes[at] = value
        assert.ok(allocated(() => claimedSize(bytes)).asked < 1000)
        assert.ok(allocated(() => claimedSize(bytes.subarray(0, at))).asked < 1000)
      }
  }
})

const ladder = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 37) % 256)
for (const [width, height, channels] of [
  [5, 3, 1],
  [4, 4, 3],
  [3, 7, 4],
  [1, 1, 3],
] as const)
  test(`pictures: encodePng: ${width} x ${height} x ${channels} comes back`, async () => {
    const pixels = ladder(width * height * channels)
    const made = node.encodePng({ width, height, channels, pixels })
    pixels.fill(0) // taken during the call
    const { data, info } = await sharp(await made)
      .raw()
      .toBuffer({ resolveWithObject: true })
    assert.deepEqual([info.width, info.height], [width, height])
    const gray = channels === 1 && info.channels === 3
    const found = gray ? data.filter((_, i) => i % 3 === 0) : data
    assert.deepEqual(new Uint8Array(found), ladder(width * height * channels))
  })

const notEncoded: [picture: unknown, code: 'E_SHAPE' | 'E_LIMIT'][] = [
  [undefined, 'E_SHAPE'],
  [{ width: 2, height: 2, channels: 3, pixels: new Uint8Array(11) }, 'E_SHAPE'],
  [{ width: 2, height: 2, channels: 2, pixels: new Uint8Array(8) }, 'E_SHAPE'],
  [{ width: 1, height: 1, channels: 1, pixels: new Float32Array(1) }, 'E_SHAPE'],
  [{ width: 0, height: 1, channels: 1, pixels: new Uint8Array(0) }, 'E_SHAPE'],
  [{ width: 70_000, height: 1, channels: 1, pixels: new Uint8Array(70_000) }, 'E_LIMIT'],
]
for (const [i, [picture, code]] of notEncoded.entries())
  test(`pictures: encodePng refuses ${i}`, () =>
    assert.rejects(node.encodePng(picture as never), failure(code, 'encodePng')))

const drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 2"><path fill="#f00" d="M0 0h2v2H0z"/></svg>'
const drawn: [name: string, svg: string, options: object, size: [number, number], last: number[]][] = [
  ['its own size', drawing, {}, [4, 2], [255, 255, 255]],
  ['a width', drawing, { width: 8 }, [8, 4], [255, 255, 255]],
  ['a height and a ground', drawing, { height: 6, background: '#102030' }, [12, 6], [16, 32, 48]],
  ['units', drawing.replace('viewBox', 'width="1in" height="48px" viewBox'), {}, [96, 48], [255, 255, 255]],
  ['no size at all', drawing.replace(/viewBox="[^"]*"/, ''), {}, [300, 150], [255, 255, 255]],
]
for (const [name, svg, options, [width, height], last] of drawn)
  test(`pictures: rasterize: ${name}`, async () => {
    const picture = await node.rasterize(svg, options)
    assert.deepEqual([picture.width, picture.height, picture.pixels.length], [width, height, width * height * 3])
    assert.deepEqual(Array.from(picture.pixels.subarray(0, 3)), [255, 0, 0])
    assert.deepEqual(Array.from(picture.pixels.subarray(-3)), last)
  })

test('pictures: rasterize loads nothing from outside the drawing', async () => {
  const outside = new URL('../golden/pictures/plain.png', import.meta.url).href
  const image = `<image href="${outside}" width="4" height="2"/></svg>`
  const { pixels } = await node.rasterize(drawing.replace(/<path.*/, image))
  assert.ok(pixels.every((value) => value === 255))
})

const notDrawn: [name: string, svg: unknown, options: object, code: 'E_OPTION' | 'E_LIMIT' | 'E_FILE'][] = [
  ['no SVG', 'hello', {}, 'E_OPTION'],
  ['no text', undefined, {}, 'E_OPTION'],
  ['a colour by its name', drawing, { background: 'red' }, 'E_OPTION'],
  ['half a pixel', drawing, { width: 0.5 }, 'E_OPTION'],
  ['a huge size', drawing, { width: 1e6 }, 'E_LIMIT'],
  ['a drawing that claims to be huge', drawing.replace('viewBox', 'width="1e9" height="1e9" viewBox'), {}, 'E_LIMIT'],
  ['a drawing without an end', drawing.replace('</svg>', ''), {}, 'E_FILE'],
]
for (const [name, svg, options, code] of notDrawn)
  test(`pictures: rasterize refuses ${name}`, () =>
    assert.rejects(node.rasterize(svg as never, options), failure(code, 'rasterize')))
