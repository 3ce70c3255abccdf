/** What a browser provides. It has no files: reading finds nothing, writing says what to do instead. */
import { FoveaError } from '../base/errors.ts'
import type { LoadedAddon } from './addon.ts'
import type { Disk } from './durable.ts'
import type { Helper, Port, WorkerMaker } from './worker.ts'

export type { LoadedAddon } from './addon.ts'
export { decodeImage, imageFrom, rasterize } from './browser-picture.ts'
export { sha256 } from './digest.ts'
export type { Disk, OpenFile } from './durable.ts'
export { codeOf, fsyncFoldersAbove, ioFailure, writeDurably } from './durable.ts'
export type { Picture } from './picture.ts'
export { overWhite } from './picture.ts'
export { encodePng } from './png.ts'
export type { RasterizeOptions } from './svg.ts'
export type { Helper, Port } from './worker.ts'
export { notStarted, started } from './worker.ts'

/** The way out where a file is not there. */
export const noFileHint: { readonly hint?: string } = {
  hint: 'in a browser: modelFrom(new Uint8Array(await (await fetch(url)).arrayBuffer()))',
}

export async function readFile(_path: string, _options: { limit?: number } = {}): Promise<Uint8Array | undefined> {
  return undefined
}

async function noFiles(path: string): Promise<never> {
  throw new FoveaError('E_IO', {
    what: 'a browser has no files to write',
    where: path,
    hint: 'take the bytes instead, and offer them as a download or keep them in IndexedDB',
  })
}

export async function writeFile(path: string, _bytes: Uint8Array): Promise<void> {
  return noFiles(path)
}

export async function appendFile(path: string, _text: string): Promise<number> {
  return noFiles(path)
}

export async function truncateFile(path: string, _length: number): Promise<number> {
  return noFiles(path)
}

/** A browser has no processes that share files. */
export async function processMark(_id?: number): Promise<string | undefined> {
  return undefined
}

export const disk: Disk = {
  open: noFiles,
  rename: noFiles,
  unlink: noFiles,
  mkdir: noFiles,
  readdir: noFiles,
  read: noFiles,
  fsyncFolder: noFiles,
  foldersAbove: () => ['/'],
}

export async function listFolder(_path: string): Promise<{ files: string[]; folders: string[] } | undefined> {
  return undefined
}

export function cacheFolder(): string | undefined {
  return undefined
}

export function dataFolders(dataDir?: string): string[] {
  return dataDir === undefined ? [] : [dataDir]
}

/** A browser runs no native code. */
export function loadAddon(): LoadedAddon {
  return { missing: 'browsers have no native code' }
}

/** A page has no environment. */
export const environment = (_name: string): string | undefined => undefined

export const hardwareThreads = (): number => navigator.hardwareConcurrency

/** What a worker needs to start, for complaints. */
export const workerHint: string =
  "the server must have the script; the page's Content-Security-Policy must allow it in worker-src, and blob: too where it " +
  "is of another origin, which then must allow it by CORS; a policy with require-trusted-types-for 'script' needs a " +
  "trustedTypes.createPolicy('default', { createScriptURL }) of the page that allows it; " +
  'a page that is cross-origin isolated needs it with ' +
  'Cross-Origin-Embedder-Policy too'

/** Browsers only start workers of the page's own origin; one of another origin is imported by a script that is ours. */
function startable({ href, origin, protocol }: URL): { readonly url: string; readonly release: () => void } {
  const isElsewhere = protocol.startsWith('http') && origin !== globalThis.location.origin
  if (!isElsewhere) return { url: href, release: () => {} }
  const url = URL.createObjectURL(new Blob([`import ${JSON.stringify(href)}`], { type: 'text/javascript' }))
  return { url, release: () => URL.revokeObjectURL(url) }
}

/** The browser's own worker; bundlers know `new Worker(new URL(...))` by its look. */
export const Worker: WorkerMaker = class implements Helper {
  readonly #worker: globalThis.Worker
  /** Why it does not start, as far as the browser tells: the event of the error says nothing. */
  #why: string

  constructor(url: URL, options: { type: 'module'; name?: string }) {
    const { url: script, release } = startable(url)
    this.#why = `its script did not load: ${url.href}`
    const refused = ({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void => {
      if (script.startsWith(blockedURI))
        this.#why = `the page's Content-Security-Policy forbids it by ${effectiveDirective}: ${script}`
    }
    const settled = (): void => {
      release()
      globalThis.removeEventListener('securitypolicyviolation', refused as EventListener)
    }
    globalThis.addEventListener('securitypolicyviolation', refused as EventListener)
    this.#worker = new globalThis.Worker(script, options)
    this.#worker.addEventListener('message', settled, { once: true })
    this.#worker.addEventListener('error', settled, { once: true })
  }

  postMessage(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, [...transfer])
  }

  listen(onMessage: (message: unknown) => void, onEnd: (why: string) => void): void {
    this.#worker.addEventListener('message', (event) => onMessage(event.data))
    this.#worker.addEventListener('error', (event) => onEnd(event.message || this.#why))
    this.#worker.addEventListener('messageerror', () => onEnd('a message could not be read'))
  }

  hold(): void {}

  release(): void {}

  terminate(): void {
    this.#worker.terminate()
  }
}

export function parentPort(): Port {
  return {
    postMessage: (message, transfer = []) => globalThis.postMessage(message, { transfer: [...transfer] }),
    listen: (onMessage) => globalThis.addEventListener('message', (event) => onMessage(event.data)),
  }
}

/** Only a page that is cross-origin isolated may share memory between threads. */
export const sharesMemory = (): boolean =>
  globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === 'function'
