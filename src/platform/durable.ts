/** Writing that a crash cannot undo: a draft, made durable, takes the place of the old file, and the folder is made durable. */

import { FoveaError } from '../base/errors.ts'
import { messageOf } from '../base/realm.ts'

/** The operations on files that durable writing is made of. They fail as Node's do, with a `code` such as ENOSPC. */
export interface Disk {
  /** Makes a file that is not there yet, and opens it. */
  open(path: string): Promise<OpenFile>
  /** Replaces what is at `to`, at once. */
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Makes a folder and those missing above it; whether any was missing. */
  mkdir(path: string): Promise<boolean>
  /** The names in a folder. */
  readdir(path: string): Promise<string[]>
  read(path: string): Promise<Uint8Array>
  /** Makes the names in a folder durable; does nothing where the system cannot open folders. */
  fsyncFolder(path: string): Promise<void>
  /** The folders on the way to a path, the nearest first. */
  foldersAbove(path: string): readonly string[]
}

export interface OpenFile {
  /** Writes on behind what is there; how many of the bytes were taken. */
  write(bytes: Uint8Array): Promise<number>
  fsync(): Promise<void>
  close(): Promise<void>
}

/** One call takes no more: systems refuse 2 GiB, and what is done in pieces holds no thread for long. */
const PIECE = 2 ** 26

/**
 * Writes a complete file or none. When it resolves, the file is there after any crash; when it rejects (E_IO), what was
 * there before is as it was, or the new file is complete in its place, and the draft is gone if the disk allows it.
 * The folder must be there. The draft is beside the file: `.`, `draftPrefix`, something unique, `.tmp`.
 */
export async function writeDurably(
  disk: Disk,
  path: string,
  bytes: Uint8Array,
  { draftPrefix = '' }: { draftPrefix?: string } = {},
): Promise<void> {
  const [folder] = disk.foldersAbove(path)
  const draft = `${folder}/.${draftPrefix}${crypto.randomUUID()}.tmp`
  try {
    await writeNew(disk, draft, bytes)
    await disk.rename(draft, path)
    await disk.fsyncFolder(folder)
  } catch (error) {
    await disk.unlink(draft).catch(() => undefined) // the first error is the one to tell
    throw ioFailure(path, 'written', error)
  }
}

async function writeNew(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path)
  try {
    for (let at = 0; at < bytes.length; ) {
      const taken = await file.write(bytes.subarray(at, at + PIECE))
      if (!(taken > 0)) throw new Error('the disk takes no more bytes')
      at += taken
    }
    await file.fsync() // once it has failed it must not be tried again: the next one may succeed without the bytes
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
  await file.close() // network file systems may say only here that the disk is full
}

/** Makes the names of a new folder, and of those on the way to it, durable. */
export async function fsyncFoldersAbove(disk: Disk, folder: string): Promise<void> {
  for (const above of disk.foldersAbove(folder)) await disk.fsyncFolder(above)
}

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room',
  EDQUOT: 'your quota on this disk is used up: make room',
  EFBIG: 'the file is larger than this system allows',
  EROFS: 'this disk can only be read: choose another place',
  EACCES: 'this user may not: choose another place, or change its permissions',
  EPERM: 'this user may not: choose another place, or change its permissions',
  EIO: 'the disk fails: look at it before you trust it with more',
}

/** The E_IO error for an operation on `path` that the system refused; what is a FoveaError already stays. */
export function ioFailure(path: string, done: string, cause: unknown): FoveaError {
  if (cause instanceof FoveaError) return cause
  const code = codeOf(cause)
  return new FoveaError('E_IO', {
    what: `cannot be ${done}`,
    where: path,
    got: code ?? messageOf(cause),
    ...(code && code in hints && { hint: hints[code] }),
    cause,
  })
}

/** The system's word for an error: ENOENT, ENOSPC. */
export const codeOf = (error: unknown): string | undefined => (error as { code?: string } | undefined)?.code
