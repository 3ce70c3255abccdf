/** Pictures in Node, decoded by the package sharp, which is loaded with the first of them. */
import type { Sharp, SharpOptions } from 'sharp'
import { FoveaError } from '../base/errors.ts'
import { checkClaim, checkSize, damaged, fromCmyk, type Picture } from './picture.ts'
import { checkFormat, withoutDisputed } from './picture-format.ts'
import { type RasterizeOptions, sizedSvg } from './svg.ts'

type Open = (input: Uint8Array, options?: SharpOptions) => Sharp

async function loadSharp(where: string): Promise<Open> {
  const { default: sharp } = await import('sharp').catch((cause) => {
    const hint = 'install sharp: npm install sharp'
    const what = 'pictures need the package sharp, which does not load'
    throw new FoveaError('E_ENGINE', { what, where, hint, cause })
  })
  return (input) => sharp(input, { failOn: 'error', limitInputPixels: false })
}

/**
 * The pixels of a JPEG, PNG, WebP, GIF or AVIF file, upright by its EXIF entry, transparent parts on white, colours of
 * an ICC profile as sRGB. Not applied, as in Pillow: a PNG's gAMA and cHRM, and the profile of a CMYK picture. Of
 * animations the first picture, of an animated PNG the one beneath. Throws E_FILE where the file is no such picture, is
 * damaged or of a kind that the decoder does not read, E_LIMIT for more than 100 megapixels or a side beyond 65535.
 */
export async function decodeImage(bytes: Uint8Array, name = 'picture'): Promise<Picture> {
  checkFormat(bytes, name)
  checkClaim(bytes, name)
  const file = withoutDisputed(new Uint8Array(bytes)) // a copy: the caller may change the array
  const open = await loadSharp(name)
  try {
    const { width, height, space } = await open(file).metadata()
    checkSize(width, height, name)
    if (space !== 'cmyk')
      return await pictureOf((await upright(file, open)).toColourspace('srgb').flatten({ background: 'white' }))
    const cmyk = open(file).autoOrient().pipelineColourspace('cmyk').toColourspace('cmyk')
    return await pictureOf(cmyk, fromCmyk)
  } catch (error) {
    throw error instanceof FoveaError ? error : damaged(name, file, error)
  }
}

/** sharp only uses the profiles of 8-bit samples: others become such first and keep the profile. */
async function upright(file: Uint8Array, open: Open): Promise<Sharp> {
  const { hasProfile, depth, channels } = await open(file).metadata()
  if (!hasProfile || depth === 'uchar') return open(file).autoOrient()
  const short = open(file)
    .autoOrient()
    .toColourspace(channels < 3 ? 'b-w' : 'srgb')
    .keepIccProfile()
  return open(await short.png({ compressionLevel: 0 }).toBuffer())
}

async function pictureOf(image: Sharp, toColour = (pixels: Uint8Array) => pixels): Promise<Picture> {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  const pixels = toColour(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return { width: info.width, height: info.height, channels: 3, pixels }
}

/** What can be drawn in a browser is a picture there; Node has nothing of the kind. */
export function imageFrom(_source: unknown): Picture | undefined {
  return undefined
}

/**
 * The pixels of an SVG. Nothing outside the text is loaded. Throws E_FILE where it cannot be drawn, E_OPTION for a wrong
 * size or background, E_LIMIT for more than 100 megapixels.
 */
export async function rasterize(svg: string, options?: RasterizeOptions): Promise<Picture> {
  const { svg: sized, background } = sizedSvg(svg, options)
  const bytes = new TextEncoder().encode(sized)
  const open = await loadSharp('rasterize')
  try {
    return await pictureOf(open(bytes).toColourspace('srgb').flatten({ background }))
  } catch (error) {
    throw damaged('rasterize', bytes, error)
  }
}
