/** Pictures in a browser, decoded and drawn by it. */
import { FoveaError } from '../base/errors.ts'
import { checkClaim, checkSize, damaged, type Picture } from './picture.ts'
import { checkFormat, withoutDisputed } from './picture-format.ts'
import { type RasterizeOptions, sizedSvg } from './svg.ts'

/** As in Node; `createImageBitmap` turns the picture upright by itself. */
export async function decodeImage(bytes: Uint8Array, name = 'picture'): Promise<Picture> {
  checkFormat(bytes, name)
  checkClaim(bytes, name)
  const file = withoutDisputed(new Uint8Array(bytes))
  const bitmap = await createImageBitmap(new Blob([file as Uint8Array<ArrayBuffer>])).catch((error) => {
    throw damaged(name, file, error)
  })
  try {
    return drawn(bitmap, bitmap, { where: name })
  } finally {
    bitmap.close()
  }
}

type Size = Record<'width' | 'height', number>

/** The pixels of what a canvas can draw, over a ground. */
function drawn(
  source: CanvasImageSource,
  { width, height }: Size,
  { where, ground = 'white' }: { where: string; ground?: string },
): Picture {
  checkSize(width, height, where)
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })
  if (!context) throw new FoveaError('E_ENGINE', { what: 'this browser gives no canvas to decode on', where })
  context.fillStyle = ground
  context.fillRect(0, 0, width, height)
  context.drawImage(source, 0, 0, width, height)
  const { data } = context.getImageData(0, 0, width, height)
  const pixels = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    pixels[to] = data[from]
    pixels[to + 1] = data[from + 1]
    pixels[to + 2] = data[from + 2]
  }
  return { width, height, channels: 3, pixels }
}

/** What has pixels to be drawn, by its kind, and the names of its size. */
const drawables: Readonly<Record<string, readonly [width: string, height: string]>> = {
  ImageBitmap: ['width', 'height'],
  HTMLCanvasElement: ['width', 'height'],
  OffscreenCanvas: ['width', 'height'],
  HTMLImageElement: ['naturalWidth', 'naturalHeight'],
  HTMLVideoElement: ['videoWidth', 'videoHeight'],
  VideoFrame: ['displayWidth', 'displayHeight'],
}

/** The pixels of an `ImageBitmap`, a canvas, an image or video element or a `VideoFrame`, over white; undefined for anything else. */
export function imageFrom(source: unknown): Picture | undefined {
  const kind = Object.prototype.toString.call(source).slice(8, -1) // instanceof would not know those of a frame
  if (!Object.hasOwn(drawables, kind)) return undefined
  const [width, height] = drawables[kind].map((name) => (source as Record<string, number>)[name])
  const where = `picture of a ${kind}`
  if (!(width > 0 && height > 0))
    throw new FoveaError('E_SHAPE', { what: 'has no pixels (not loaded yet, or closed)', where })
  try {
    return drawn(source as CanvasImageSource, { width, height }, { where })
  } catch (cause) {
    if (cause instanceof FoveaError) throw cause
    const hint = "pixels of another site are closed to scripts: load the picture with crossOrigin = 'anonymous'"
    throw new FoveaError('E_DATA', {
      what: 'the browser does not give its pixels',
      where,
      got: String(cause),
      hint,
      cause,
    })
  }
}

/** As in Node. Wants a page: workers have no `Image`. */
export async function rasterize(svg: string, options?: RasterizeOptions): Promise<Picture> {
  const { svg: sized, background, ...size } = sizedSvg(svg, options)
  if (typeof Image === 'undefined') {
    const hint = 'draw it in the page, not in a worker'
    throw new FoveaError('E_ENGINE', { what: 'a worker cannot draw an SVG', where: 'rasterize', hint })
  }
  const url = URL.createObjectURL(new Blob([sized], { type: 'image/svg+xml' }))
  const image = new Image()
  try {
    image.src = url
    await image.decode()
    return drawn(image, size, { where: 'rasterize', ground: background })
  } catch (error) {
    throw error instanceof FoveaError ? error : damaged('rasterize', new TextEncoder().encode(sized), error)
  } finally {
    URL.revokeObjectURL(url)
  }
}
