/** The outermost tag of an SVG: how large it says it is, and the same drawing at another size. */
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { custom, integer, settle, text } from '../base/options.ts'
import { checkSize } from './picture.ts'

export const rasterizeOptions = {
  width: integer({
    says: "pixels; follows from the height where only that is given; the drawing's own where neither is given",
    min: 1,
    optional: true,
  }),
  height: integer({ says: 'pixels; follows from the width where only that is given', min: 1, optional: true }),
  background: custom<string>({
    says: 'colour of the background',
    accepts: 'a colour as #rrggbb',
    as: text({ says: 'a colour' }).kind,
    check: (v) => (typeof v === 'string' && /^#[0-9a-f]{6}$/i.test(v) ? v : undefined),
    default: '#ffffff',
    parse: (s) => s,
  }),
}
export type RasterizeOptions = Options<typeof rasterizeOptions>

/** A drawing in its final size. */
export interface SizedSvg {
  readonly svg: string
  readonly width: number
  readonly height: number
  readonly background: string
}

/** CSS pixels of each unit. */
const units: Readonly<Record<string, number>> = {
  '': 1,
  px: 1,
  pt: 4 / 3,
  pc: 16,
  in: 96,
  cm: 96 / 2.54,
  mm: 96 / 25.4,
}

/** Settles the size in pixels, and writes it into the tag, so that every renderer draws the same. */
export function sizedSvg(svg: string, options: RasterizeOptions = {}): SizedSvg {
  const { width, height, background } = settle(rasterizeOptions, options, 'rasterize')
  const tag = typeof svg === 'string' ? /<svg\b(?:[^>"']|"[^"]*"|'[^']*')*>/.exec(svg) : null
  if (!tag) throw refused('this is no SVG', 'a text with <svg ...>')
  const [open] = tag
  const attribute = (name: string): string | undefined => {
    const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(open)
    return found?.[1] ?? found?.[2]
  }
  const box = (attribute('viewBox') ?? '')
    .trim()
    .split(/[\s,]+/)
    .map(Number)
  const isBox = box.length === 4 && box.every(Number.isFinite) && box[2] > 0 && box[3] > 0
  const own = [
    pixelsOf(attribute('width')) ?? (isBox ? box[2] : 300),
    pixelsOf(attribute('height')) ?? (isBox ? box[3] : 150),
  ]
  const size = { width: width ?? Math.round(height === undefined ? own[0] : (own[0] * height) / own[1]), height: 0 }
  size.height = height ?? Math.round(width === undefined ? own[1] : (own[1] * width) / own[0])
  if (![size.width, size.height].every((n) => Number.isSafeInteger(n) && n > 0))
    throw refused('no such size', 'integers >= 1', `${size.width} x ${size.height}`)
  checkSize(size.width, size.height, 'rasterize')
  const bare = open.replaceAll(/\s(width|height)\s*=\s*("[^"]*"|'[^']*')/g, '')
  const frame = isBox ? '' : ` viewBox="0 0 ${own[0]} ${own[1]}"`
  const resized = bare.replace(/^<svg/, `<svg width="${size.width}" height="${size.height}"${frame}`)
  return { svg: svg.slice(0, tag.index) + resized + svg.slice(tag.index + open.length), ...size, background }
}

/** `210mm` in CSS pixels; undefined for what depends on surroundings, as `100%` does. */
function pixelsOf(length: string | undefined): number | undefined {
  const [, value, unit] = /^\s*([\d.]+(?:e[+-]?\d+)?)\s*([a-z]*)\s*$/i.exec(length ?? '') ?? []
  const pixels = Number(value) * units[unit?.toLowerCase() ?? '']
  return pixels > 0 && Number.isFinite(pixels) ? pixels : undefined
}

const refused = (what: string, expected: string, got?: string): FoveaError =>
  new FoveaError('E_OPTION', { what, where: 'rasterize', expected, ...(got !== undefined && { got }) })
