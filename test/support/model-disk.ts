/**
 * A disk in memory that records what is done to it, and every state that a crash may leave it in. It promises no more than
 * POSIX does: bytes last from the file's fsync on, names from their folder's. Before that, of a file's new blocks any may be
 * missing at the end or be zeros, and of the changes to names any may have happened, whatever happened to the others.
 */
import { posix } from 'node:path'
import type { Disk, OpenFile } from '../../src/platform/durable.ts'

export type Operation =
  | { readonly op: 'mkdir' | 'unlink' | 'fsyncFolder'; readonly path: string }
  | { readonly op: 'open' | 'truncate'; readonly path: string; readonly file: number }
  | { readonly op: 'write'; readonly file: number; readonly bytes: Uint8Array }
  | { readonly op: 'fsync'; readonly file: number }
  | { readonly op: 'rename'; readonly path: string; readonly to: string; readonly file: number }
  /** What the program was told: all up to here is safe. */
  | { readonly op: 'promise'; readonly what: number }

type Names = Map<string, number | 'folder'>

/** What lies on a disk: files by number under their names, and their bytes. */
export interface DiskState {
  readonly names: ReadonlyMap<string, number | 'folder'>
  readonly contents: ReadonlyMap<number, Uint8Array>
  /** Equal for equal states of one recording. */
  readonly key: string
}

export class ModelDisk implements Disk {
  readonly log: Operation[] = []
  readonly #names: Names
  readonly #contents: Map<number, Uint8Array>
  readonly start: DiskState

  constructor(start: DiskState = { names: new Map(), contents: new Map(), key: '' }) {
    this.start = start
    this.#names = new Map(start.names)
    this.#contents = new Map(start.contents)
  }

  get paths(): string[] {
    return [...this.#names.keys()]
  }

  async open(path: string): Promise<OpenFile> {
    if (this.#names.has(path)) throw systemError('EEXIST')
    if (this.#names.get(posix.dirname(path)) !== 'folder') throw systemError('ENOENT')
    const file = Math.max(0, ...this.#contents.keys()) + 1
    this.#names.set(path, file)
    this.#contents.set(file, new Uint8Array())
    this.log.push({ op: 'open', path, file })
    return this.#opened(file)
  }

  /** What no `Disk` offers: opens the file that is there and empties it. */
  async truncate(path: string): Promise<OpenFile> {
    const file = this.#names.get(path)
    if (typeof file !== 'number') return this.open(path)
    this.#contents.set(file, new Uint8Array())
    this.log.push({ op: 'truncate', path, file })
    return this.#opened(file)
  }

  #opened(file: number): OpenFile {
    return {
      write: async (bytes) => {
        const taken = bytes.slice(0, 500) // short writes, so that there are moments between them
        this.#contents.set(file, joined(this.#contents.get(file)!, taken))
        this.log.push({ op: 'write', file, bytes: taken })
        return taken.length
      },
      fsync: async () => {
        this.log.push({ op: 'fsync', file })
      },
      close: async () => {},
    }
  }

  async rename(path: string, to: string): Promise<void> {
    const file = this.#fileAt(path)
    this.#names.set(to, file)
    this.#names.delete(path)
    this.log.push({ op: 'rename', path, to, file })
  }

  async unlink(path: string): Promise<void> {
    this.#fileAt(path)
    this.#names.delete(path)
    this.log.push({ op: 'unlink', path })
  }

  async mkdir(path: string): Promise<boolean> {
    const missing = [path, ...this.foldersAbove(path)].filter((folder) => folder !== '/' && !this.#names.has(folder))
    for (const folder of missing.reverse()) {
      this.#names.set(folder, 'folder')
      this.log.push({ op: 'mkdir', path: folder })
    }
    return missing.length > 0
  }

  async readdir(path: string): Promise<string[]> {
    if (this.#names.get(path) !== 'folder') throw systemError('ENOENT')
    return this.paths.filter((other) => posix.dirname(other) === path).map((other) => posix.basename(other))
  }

  async read(path: string): Promise<Uint8Array> {
    return this.#contents.get(this.#fileAt(path))!.slice()
  }

  async fsyncFolder(path: string): Promise<void> {
    this.log.push({ op: 'fsyncFolder', path })
  }

  foldersAbove(path: string): string[] {
    const folders = [posix.dirname(path)]
    while (folders[folders.length - 1] !== '/') folders.push(posix.dirname(folders[folders.length - 1]))
    return folders
  }

  #fileAt(path: string): number {
    const file = this.#names.get(path)
    if (typeof file !== 'number') throw systemError('ENOENT')
    return file
  }
}

/** An error as Node throws it. */
export const systemError = (code: string): Error => Object.assign(new Error(`${code}: as ordered`), { code })

/** A change to the names of one folder, and the ways in which a crash may leave it: none of it, or one of these. */
interface Change {
  readonly folder: string
  readonly ways: readonly ((names: Names) => unknown)[]
}

interface Bytes {
  durable: Uint8Array
  latest: Uint8Array
}

/** Every state that a crash after the first `count` operations may leave. */
export function* crashStates({ start, log }: ModelDisk, count = log.length): Generator<DiskState> {
  const names: Names = new Map(start.names)
  const files = new Map([...start.contents].map(([file, bytes]) => [file, { durable: bytes, latest: bytes }]))
  let changes: Change[] = []
  for (const step of log.slice(0, count)) {
    if ('path' in step && step.op !== 'fsyncFolder' && step.op !== 'truncate') changes.push(changeOf(step))
    if (step.op === 'open') files.set(step.file, { durable: new Uint8Array(), latest: new Uint8Array() })
    if (step.op === 'truncate') files.get(step.file)!.latest = new Uint8Array()
    if (step.op === 'write') files.get(step.file)!.latest = joined(files.get(step.file)!.latest, step.bytes)
    if (step.op === 'fsync') files.get(step.file)!.durable = files.get(step.file)!.latest
    if (step.op === 'fsyncFolder') {
      for (const { ways } of changes.filter(({ folder }) => folder === step.path)) ways[0](names)
      changes = changes.filter(({ folder }) => folder !== step.path)
    }
  }
  for (const outcome of namings(names, changes)) yield* fillings(outcome, files)
}

function changeOf(step: Operation & { path: string }): Change {
  const { path } = step
  const folder = posix.dirname(path)
  if (step.op === 'unlink') return { folder, ways: [(names) => names.delete(path)] }
  if (step.op === 'mkdir') return { folder, ways: [(names) => names.set(path, 'folder')] }
  if (step.op === 'open') return { folder, ways: [(names) => names.set(path, step.file)] }
  if (step.op !== 'rename') throw new Error(`${step.op} changes no names`)
  const { to, file } = step
  const both = (names: Names): Names => names.set(to, file) // a disk without a journal may leave both names
  return { folder, ways: [(names) => both(names).delete(path), both] }
}

/** All subsets of changes, in their order, in all their ways. */
function* namings(names: Names, changes: readonly Change[]): Generator<Names> {
  if (changes.length === 0) {
    yield names
    return
  }
  const [{ ways }, ...rest] = changes
  yield* namings(names, rest)
  for (const way of ways) {
    const changed = new Map(names)
    way(changed)
    yield* namings(changed, rest)
  }
}

/** The files that can be reached by these names, with all bytes that they may hold. */
function* fillings(all: Names, files: ReadonlyMap<number, Bytes>): Generator<DiskState> {
  const reachable = (path: string): boolean => {
    const above = posix.dirname(path)
    return above === '/' || (all.get(above) === 'folder' && reachable(above))
  }
  const names = new Map([...all].filter(([path]) => reachable(path)))
  const used = [...new Set(names.values())].filter((file) => file !== 'folder')
  const fill = function* (i: number, contents: Map<number, Uint8Array>, key: string): Generator<DiskState> {
    if (i === used.length) {
      yield { names, contents, key: `${[...names].sort().join(' ')} | ${key}` }
      return
    }
    const variants = variantsOf(files.get(used[i])!)
    for (const [name, bytes] of variants) {
      yield* fill(i + 1, new Map(contents).set(used[i], bytes), `${key} ${used[i]}:${name}`)
    }
  }
  yield* fill(0, new Map(), '')
}

/** What a crash may make of a file: the durable bytes, or new ones cut at a block's end, any of the new blocks zeros. */
function variantsOf({ durable, latest }: Bytes): [name: string, bytes: Uint8Array][] {
  if (durable === latest) return [[`whole ${latest.length}`, latest]]
  const variants: [string, Uint8Array][] = [[`durable ${durable.length}`, durable]]
  const block = Math.ceil(latest.length / 4) || 1
  for (let blocks = 0; blocks * block < latest.length + block; blocks++) {
    for (let zeros = 0; zeros < 2 ** blocks; zeros++) {
      const bytes = latest.slice(0, blocks * block)
      for (let i = 0; i < blocks; i++) if (zeros & (1 << i)) bytes.fill(0, i * block, (i + 1) * block)
      variants.push([`${blocks}/${zeros} of ${latest.length}`, bytes])
    }
  }
  return variants
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
