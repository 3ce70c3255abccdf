/** A page in Chromium that runs the sources as they are: modules without their types, and files of folders. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join, resolve, sep } from 'node:path'
import { chromium, type Page } from 'playwright-core'

const importMap = { imports: { '#platform': '/src/platform/browser.ts', fovea: '/src/index.ts' } }
const blank = `<!doctype html><script type="importmap">${JSON.stringify(importMap)}</script>`

/** `folders` are served by their names: `/name/path`; `/src/...` and `/test/...` are modules of this project. */
export async function openPage(
  executablePath: string,
  folders: Readonly<Record<string, string>> = {},
): Promise<AsyncDisposable & { readonly page: Page }> {
  const roots: Record<string, string> = { src: 'src', test: 'test', ...folders }
  const answer = async (path: string): Promise<[body: string | Uint8Array, type: string]> => {
    if (path === '/') return [blank, 'text/html']
    const [, name, ...rest] = path.split('/')
    const file = resolve(roots[name] ?? '', ...rest)
    if (!(name in roots) || !file.startsWith(resolve(roots[name]) + sep)) throw new Error(`no ${path}`)
    if (!path.endsWith('.ts')) return [await readFile(file), 'application/octet-stream']
    return [stripTypeScriptTypes(await readFile(file, 'utf8')), 'text/javascript']
  }
  const server = createServer((request, response) => {
    answer(decodeURIComponent(request.url ?? '')).then(
      ([body, type]) => response.writeHead(200, { 'content-type': type }).end(body),
      () => response.writeHead(404).end(),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const browser = await chromium.launch({ executablePath, args: ['--disable-gpu', '--disable-quic', '--disable-sync'] })
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const close = async (): Promise<void> => {
    await browser.close()
    server.closeAllConnections()
    await server[Symbol.asyncDispose]()
  }
  return { page, [Symbol.asyncDispose]: close }
}

/** Where the pictures of the table lie that are committed. */
export const madePictures = join('test', 'golden', 'pictures')
