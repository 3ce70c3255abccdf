/**
 * Odd but valid pictures are read right or refused by their kind, in Node and in Chromium. The truth is Pillow's
 * (test/golden/pictures.py), or comes with the pictures: the pixels of PngSuite, a PNG beside a JPEG.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { FoveaError } from '../../src/base/errors.ts'
import { decodeImage } from '../../src/platform/node.ts'
import { overWhite } from '../../src/platform/picture.ts'
import { type Look, look } from '../support/look.ts'
import { madePictures, openPage } from '../support/page.ts'
import { available } from '../support/require.ts'

const golden: Record<string, number[]> = JSON.parse(readFileSync('test/golden/pictures.json', 'utf8'))
const { path: files, skip: noPictures } = available('pictures')
const root = files && dirname(files)
const { path: executablePath, skip: noChromium } = available('chromium')
const folders = { made: madePictures, ...(files && { files }) }
const placeOf = (name: string): string =>
  name.startsWith('made/') ? name.replace('made', madePictures) : join(root, name)

type Where = 'node' | 'chromium'

/** Refused, by words of the message; elsewhere they are read. Not Pillow's: these it does not read either. */
const refused: readonly [name: string, where: readonly Where[], ...words: string[]][] = [
  ['files/odd/libjpeg-turbo/monkey12.jpg', ['node', 'chromium'], 'a JPEG of 12 bits a sample'],
  ['files/odd/jpeg-decoder/lossless/jpeg_lossless_sel1.jpg', ['node', 'chromium'], 'a lossless JPEG of 16 bits'],
  ['files/odd/jpeg-decoder/progressive-missing-dc.jpg', ['chromium'], 'damaged'],
  ['files/odd/libavif/colors-animated-8bpc.avif', ['node'], 'an animated AVIF'],
  ['files/odd/bmpsuite/g/rgb24.bmp', ['node', 'chromium'], 'a BMP file'],
]
const refusal = (name: string, where: Where) => refused.find((row) => row[0] === name && row[1].includes(where))

/** AVIF has no truth here but the other decoder. The one left out turns its colours but not its alpha: no decoder is right. */
const avifs = root
  ? globSync('files/o*/libavif/*.avif', { cwd: root }).filter((name) => !/NOirot|non_essential|animated/.test(name))
  : []

const here = (names: readonly string[]): string[] => names.filter((name) => name.startsWith('made/') || root).sort()
const names = here([...new Set([...Object.keys(golden), ...refused.map(([name]) => name), ...avifs])])

/** `NAME.png` beside `NAME.jpg`. */
const truthBeside = (name: string): string | undefined => {
  const png = name.replace(/\.jpg$/, '.png')
  return /jpeg-decoder/.test(name) && png !== name && existsSync(placeOf(png)) ? png : undefined
}

const looks: Partial<Record<Where, Record<string, Look>>> = {}

const lookers: Record<Where, () => Promise<Record<string, Look>>> = {
  async node() {
    const found: Record<string, Look> = {}
    const read = async (name: string) => new Uint8Array(await readFile(placeOf(name)))
    for (const name of names) found[name] = await look(decodeImage, read, name, truthBeside(name))
    return found
  },
  async chromium() {
    await using opened = await openPage(executablePath, folders)
    const found: Record<string, Look> = {}
    for (let from = 0; from < names.length; from += 40) {
      const batch = names.slice(from, from + 40).map((name) => [name, truthBeside(name)] as const)
      Object.assign(
        found,
        await opened.page.evaluate(async (rows) => {
          const modules = ['/src/platform/browser.ts', '/test/support/look.ts'] // names that no compiler looks for
          const [{ decodeImage }, { look }] = await Promise.all(modules.map((module) => import(module)))
          const read = async (name: string) =>
            new Uint8Array(await (await fetch(`/${name.split('/').map(encodeURIComponent).join('/')}`)).arrayBuffer())
          const seen: [string, Look][] = []
          for (const [name, beside] of rows) seen.push([name, await look(decodeImage, read, name, beside)])
          return Object.fromEntries(seen)
        }, batch),
      )
    }
    return found
  },
}

const apart = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? Math.max(...a.map((value, i) => Math.abs(value - b[i]))) : Infinity

for (const where of ['node', 'chromium'] as const) {
  const skip = where === 'chromium' && noChromium
  test(`odd pictures in ${where}`, { skip, timeout: 600_000 }, async (t) => {
    if (noPictures) t.diagnostic(noPictures)
    const found = await lookers[where]()
    looks[where] = found
    const wrong: string[] = []
    for (const name of names) {
      const { refused: why, row, pixels, apart: distance } = found[name]
      const [, , ...words] = refusal(name, where) ?? []
      if (words.length > 0) {
        if (!why || !words.every((word) => why.includes(word))) wrong.push(`${name}: ${why ?? 'is read'}`)
        continue
      }
      if (!row) wrong.push(`${name}: ${why}`)
      else if (golden[name] && apart(row, golden[name]) > 2) wrong.push(`${name}: ${row.map(Math.round)}`)
      if (distance && distance[0] > 2) wrong.push(`${name}: ${distance} from the PNG beside it`)
      const json = name.match(/pngsuite\/png\/(.*)\.png$/)
      if (!json || !pixels) continue
      const base = join(root, 'files/odd/pngsuite/pixels-json', json[1])
      const file = [`${base}_to8.json`, `${base}.json`].find((path) => existsSync(path))
      const values: number[] = file ? JSON.parse(readFileSync(file, 'utf8')) : []
      const truth = overWhite(values.some((value) => value > 255) ? values.map((value) => value / 257) : values)
      if (file && apart(pixels, Array.from(truth)) > 1) wrong.push(`${name}: not the pixels of PngSuite`)
    }
    assert.deepEqual(wrong, [])
  })
}

test('AVIF in Chromium as in Node', { skip: noPictures || noChromium }, () => {
  const { node, chromium } = looks
  if (!node || !chromium) return assert.fail('both looked above')
  for (const name of avifs) assert.ok(apart(node[name].row ?? [], chromium[name].row ?? []) <= 5, name)
})

test('broken pictures in Node: refused, or read; never another error', { skip: noPictures }, async () => {
  const broken = globSync('files/broken/**/*.*', { cwd: root })
  for (const name of broken) {
    const file = await readFile(placeOf(name)).catch(() => undefined) // a folder
    if (!file) continue
    await decodeImage(file, name).catch((error) => {
      assert.ok(error instanceof FoveaError && ['E_FILE', 'E_LIMIT'].includes(error.code), `${name}: ${error}`)
    })
  }
})
