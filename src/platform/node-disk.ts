/** The disk as Node gives it. */
import * as fs from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { FoveaError } from '../base/errors.ts'
import { codeOf, type Disk } from './durable.ts'

/** Node refuses to read more at once. */
const PIECE = 2 ** 30

/** What systems say that cannot open or flush folders: Windows, some network file systems, a folder one may not list. */
const noFolders = ['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'EBADF']

export const disk: Disk = {
  async open(path) {
    const file = await fs.open(path, 'wx')
    return {
      write: async (bytes) => (await file.write(bytes)).bytesWritten,
      fsync: () => file.sync(),
      close: () => file.close(),
    }
  },
  rename: (from, to) => fs.rename(from, to),
  unlink: (path) => fs.unlink(path),
  mkdir: makeFolder,
  readdir: (path) => fs.readdir(path),
  read: (path) => readInPieces(path),
  async fsyncFolder(path) {
    try {
      const folder = await fs.open(path, 'r')
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    } catch (error) {
      if (!noFolders.includes(codeOf(error) ?? '')) throw error
    }
  },
  foldersAbove(path) {
    const folders = [dirname(resolve(path))]
    for (let at = folders[0]; dirname(at) !== at; at = dirname(at)) folders.push(dirname(at))
    return folders
  },
}

/** The bytes of a file; one call reads no more than `piece` of them. */
export async function readInPieces(path: string, piece = PIECE): Promise<Uint8Array> {
  const file = await fs.open(path, 'r')
  try {
    const bytes = roomFor((await file.stat()).size, path)
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await file.read(bytes.subarray(at, at + piece))
      if (bytesRead === 0) return bytes.subarray(0, at)
      at += bytesRead
    }
    return bytes
  } finally {
    await file.close()
  }
}

/** Throws E_LIMIT where the machine has not so much memory. */
function roomFor(bytes: number, where: string): Uint8Array {
  try {
    return new Uint8Array(bytes)
  } catch (cause) {
    throw new FoveaError('E_LIMIT', { what: 'there is no memory for the file', where, got: `${bytes} bytes`, cause })
  }
}

/**
 * Makes a folder and those missing above it; whether any was missing. Node's own `recursive` never ends where a folder can
 * be made in none that is there, as in /proc, and reports a missing folder where the disk is read-only.
 */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await fs.mkdir(path)
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST' && (await fs.stat(path)).isDirectory()) return false
    if (code !== 'ENOENT' || dirname(path) === path) throw error
  }
  await makeFolder(dirname(path))
  await fs.mkdir(path).catch((error) => {
    if (codeOf(error) !== 'EEXIST') throw error // another process was faster
  })
  return true
}
