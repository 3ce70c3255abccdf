/** What Node provides: files, pictures, cores. `browser.ts` has the same exports; test/platform/platform.test.ts holds it to that. */

import * as fs from 'node:fs/promises'
import { availableParallelism, homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as threads from 'node:worker_threads'
import { FoveaError } from '../base/errors.ts'
import { messageOf } from '../base/realm.ts'
import { codeOf, fsyncFoldersAbove, ioFailure, writeDurably } from './durable.ts'
import { disk } from './node-disk.ts'
import type { Helper, Port, WorkerMaker } from './worker.ts'

export type { LoadedAddon } from './addon.ts'
export { sha256 } from './digest.ts'
export type { Disk, OpenFile } from './durable.ts'
export { codeOf, fsyncFoldersAbove, ioFailure, writeDurably } from './durable.ts'
export { loadAddon } from './node-addon.ts'
export { disk } from './node-disk.ts'
export { decodeImage, imageFrom, rasterize } from './node-picture.ts'
export type { Picture } from './picture.ts'
export { overWhite } from './picture.ts'
export { encodePng } from './png.ts'
export type { RasterizeOptions } from './svg.ts'
export type { Helper, Port } from './worker.ts'
export { notStarted, started } from './worker.ts'

/** The bytes of a file, or undefined when there is none; more than `limit` bytes are refused unread. */
export function readFile(path: string, { limit = Infinity }: { limit?: number } = {}): Promise<Uint8Array | undefined> {
  return ifPresent(path, 'read', async () => {
    const about = await fs.stat(path)
    if (about.isDirectory()) throw await isFolder(path)
    const { size } = about
    if (size > limit) {
      throw new FoveaError('E_LIMIT', {
        what: 'the file is too large',
        where: path,
        expected: `at most ${limit} bytes`,
        got: `${size}`,
      })
    }
    if (size > 0) return disk.read(path)
    return new Uint8Array(await fs.readFile(path)) // of a pipe the system does not say how much it holds
  })
}

/** The way out where a file is not there; a browser has one. */
export const noFileHint: { readonly hint?: string } = {}

/** The error of a folder in the place of a file; it names a file in it: a model where there is one. */
async function isFolder(path: string): Promise<FoveaError> {
  const names = (await listFolder(path))?.files.sort() ?? []
  const name = names.find((file) => file.endsWith('.safetensors')) ?? names[0]
  const hint = name === undefined ? 'name a file' : `name a file in it, as ${join(path, name)}`
  return new FoveaError('E_IO', { what: 'this is a folder, not a file', where: path, hint })
}

/** Writes a complete file or none, such that a crash cannot undo it; makes its folder. */
export async function writeFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const folder = dirname(path)
    if (await disk.mkdir(folder)) await fsyncFoldersAbove(disk, folder)
  } catch (error) {
    throw ioFailure(path, 'written', error)
  }
  await writeDurably(disk, path, bytes)
}

/**
 * A text that only this process has, or the one numbered `id`: its number, and on Linux when it began, since numbers are
 * given again. Undefined where no such process runs.
 */
export async function processMark(id: number = process.pid): Promise<string | undefined> {
  if (!Number.isSafeInteger(id) || id <= 0) return undefined
  try {
    if (process.platform !== 'linux') return process.kill(id, 0) ? `${id}` : undefined
    const stat = await fs.readFile(`/proc/${id}/stat`, 'utf8')
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // a name may hold anything, the rest is numbers
    return state === 'Z' ? undefined : `${id} ${rest[18]}`
  } catch (error) {
    return codeOf(error) === 'EPERM' ? `${id}` : undefined // it runs, and is another's
  }
}

/** Adds text at the end of a file, which is made where there is none (its folder too); gives the file's bytes. */
export async function appendFile(path: string, text: string): Promise<number> {
  try {
    await disk.mkdir(dirname(path))
    await fs.appendFile(path, text)
    return (await fs.stat(path)).size
  } catch (error) {
    throw ioFailure(path, 'written', error)
  }
}

/** Cuts a file off after `length` bytes, where it has more; makes it where there is none. Gives the file's bytes. */
export async function truncateFile(path: string, length: number): Promise<number> {
  const size = await appendFile(path, '')
  if (size <= length) return size
  try {
    await fs.truncate(path, length)
    return length
  } catch (error) {
    throw ioFailure(path, 'written', error)
  }
}

/** The names in a folder, sorted by code units, links followed; undefined when there is no such folder. */
export function listFolder(path: string): Promise<{ files: string[]; folders: string[] } | undefined> {
  return ifPresent(path, 'listed', async () => {
    const entries = await fs.readdir(path, { withFileTypes: true })
    const files: string[] = []
    const folders: string[] = []
    for (const entry of entries) {
      const target = entry.isSymbolicLink()
        ? await ifPresent(path, 'listed', () => fs.stat(join(path, entry.name)))
        : entry
      if (target?.isFile()) files.push(entry.name)
      if (target?.isDirectory()) folders.push(entry.name)
    }
    return { files: files.sort(), folders: folders.sort() }
  })
}

/** Where downloads are kept: `$XDG_CACHE_HOME/fovea` or `~/.cache/fovea`. Undefined where nothing can be kept. */
export function cacheFolder(): string | undefined {
  const home = process.env['XDG_CACHE_HOME'] ?? ''
  return join(isAbsolute(home) ? home : join(homedir(), '.cache'), 'fovea') // the XDG rules void a relative path
}

/** The folders to look for data sets in, best first: `dataDir` and nothing else when given, else `$FOVEA_DATA`, the cache. */
export function dataFolders(dataDir?: string): string[] {
  const folders = dataDir === undefined ? [process.env['FOVEA_DATA'] || undefined, cacheFolder()] : [dataDir]
  return folders.filter((folder) => folder !== undefined).map((folder) => resolve(folder))
}

/** A variable of the environment; undefined where it is not set, or empty. */
export const environment = (name: string): string | undefined => process.env[name] || undefined

/** How many threads run at once. */
export const hardwareThreads = (): number => availableParallelism()

/** Workers inherit node's flags, and fail on the `--input-type` that `node -e` may be given: then they get only the conditions. */
function workerFlags(): { execArgv?: string[] } {
  const flags = process.execArgv
  if (!flags.some((flag) => flag.startsWith('--input-type'))) return {}
  const isOne = (flag = '') => /^(--conditions|-C)\b/.test(flag)
  const isOpen = (flag = '') => isOne(flag) && !flag.includes('=')
  return { execArgv: flags.filter((flag, i) => isOne(flag) || isOpen(flags[i - 1])) }
}

/** What a worker needs to start, for complaints. */
export const workerHint: string = 'node --permission needs --allow-worker, and --allow-fs-read for the script'

/** A worker that runs a module; the sources' `.ts` is used for a `.js` that is not built. */
export const Worker: WorkerMaker = class implements Helper {
  readonly #thread: threads.Worker

  constructor(url: URL, { name }: { type: 'module'; name?: string }) {
    const path = fileURLToPath(url)
    const file = import.meta.url.endsWith('.ts') ? path.replace(/\.js$/, '.ts') : path
    this.#thread = new threads.Worker(file, { ...(name !== undefined && { name }), ...workerFlags() })
  }

  postMessage(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, [...transfer])
  }

  listen(onMessage: (message: unknown) => void, onEnd: (why: string) => void): void {
    this.#thread.on('message', onMessage)
    this.#thread.on('error', (error) => onEnd(messageOf(error)))
    this.#thread.on('exit', (code) => onEnd(`it exited with code ${code}`))
  }

  hold(): void {
    this.#thread.ref()
  }

  release(): void {
    this.#thread.unref()
  }

  async terminate(): Promise<void> {
    await this.#thread.terminate()
  }
}

/** In a worker: the line to the thread that started it. */
export function parentPort(): Port {
  const port = threads.parentPort
  if (!port) throw new FoveaError('E_BUG', { what: 'this module runs in workers only' })
  return {
    postMessage: (message, transfer = []) => port.postMessage(message, [...transfer]),
    listen: (onMessage) => {
      port.on('message', onMessage)
    },
  }
}

/** Threads can share memory here. */
export const sharesMemory = (): boolean => typeof SharedArrayBuffer === 'function'

/** The result of `action` on a path, or undefined when nothing is there. */
async function ifPresent<T>(path: string, done: string, action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw ioFailure(path, done, error)
  }
}
