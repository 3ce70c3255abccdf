/** Pictures in Chromium: the sources run in a page, and give what Node gives. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodePng } from '../../src/platform/node.ts'
import { openPage } from '../support/page.ts'
import { available } from '../support/require.ts'

const { path: executablePath, skip } = available('chromium')

test('canvases, ImageData, ImageBitmap and VideoFrame are pictures; encodePng and rasterize', {
  skip,
  timeout: 300_000,
}, async () => {
  await using opened = await openPage(executablePath)
  const found = await opened.page.evaluate(async () => {
    const modules = ['/src/index.ts', '/src/platform/browser.ts'] // names that no compiler looks for
    const [{ preprocess, encodePng, decodeImage, rasterize }, { imageFrom }] = await Promise.all(
      modules.map((module) => import(module)),
    )
    const canvas = document.createElement('canvas')
    canvas.width = 2
    canvas.height = 1
    const context = canvas.getContext('2d')
    if (!context) throw new Error('no canvas')
    context.putImageData(new ImageData(Uint8ClampedArray.of(255, 0, 0, 255, 0, 0, 255, 0), 2), 0, 0)
    const offscreen = new OffscreenCanvas(2, 1)
    offscreen.getContext('2d')?.drawImage(canvas, 0, 0)
    const frame = new VideoFrame(canvas, { timestamp: 0, alpha: 'keep' })
    const sources = {
      canvas,
      offscreen,
      imageData: context.getImageData(0, 0, 2, 1),
      bitmap: await createImageBitmap(canvas),
      frame,
    }
    const how = { size: [1, 2], channels: 3 }
    const made = Object.entries(sources).map(([name, source]) => [name, Array.from(preprocess(source, how))])
    const complaint = (action: () => unknown): string => {
      try {
        return `no complaint: ${action()}`
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    frame.close()
    const wide = new Uint8Array(12).map((_, i) => i * 20)
    const file = await encodePng({ width: 3, height: 1, channels: 4, pixels: wide })
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 2"><path fill="#f00" d="M0 0h2v2H0z"/></svg>'
    const drawing = await rasterize(svg, { width: 8, background: '#102030' })
    const claim = new Uint8Array(33)
    claim.set([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0x7f, 0, 0, 0, 0, 0, 0, 1])
    return {
      made: Object.fromEntries(made),
      other: imageFrom({ width: 1, height: 1 }) === undefined,
      closed: complaint(() => preprocess(frame, how)),
      empty: complaint(() => preprocess(document.createElement('img'), how)),
      file: Array.from(file as Uint8Array),
      drawing: {
        ...drawing,
        pixels: [drawing.pixels.length, ...drawing.pixels.subarray(0, 3), ...drawing.pixels.subarray(-3)],
      },
      refused: await Promise.all(
        [
          () => decodeImage(claim),
          () => rasterize(svg, { width: 1e6 }),
          () => rasterize(svg.replace('</svg>', '')),
        ].map((action) => action().then(String, (error: { code: string }) => error.code)),
      ),
    }
  })
  const redOverWhite = [255, 0, 0, 255, 255, 255]
  const names = ['canvas', 'offscreen', 'imageData', 'bitmap', 'frame']
  assert.deepEqual(found.made, Object.fromEntries(names.map((name) => [name, redOverWhite])))
  assert.ok(found.other)
  assert.deepEqual([found.closed, found.empty], ['E_SHAPE', 'E_SHAPE'])
  const pixels = new Uint8Array(12).map((_, i) => i * 20)
  assert.deepEqual(found.file, Array.from(await encodePng({ width: 3, height: 1, channels: 4, pixels })))
  assert.deepEqual(found.drawing, { width: 8, height: 4, channels: 3, pixels: [96, 255, 0, 0, 16, 32, 48] })
  assert.deepEqual(found.refused, ['E_LIMIT', 'E_LIMIT', 'E_FILE'])
})
