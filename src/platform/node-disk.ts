/** The disk as Node gives it. */
import * as fs from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
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
  mkdir: async (path) => (await fs.mkdir(path, { recursive: true })) !== undefined,
  readdir: (path) => fs.readdir(path),
  async read(path) {
    const file = await fs.open(path, 'r')
    try {
      const bytes = new Uint8Array((await file.stat()).size)
      for (let at = 0; at < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, at, Math.min(PIECE, bytes.length - at))
        if (bytesRead === 0) return bytes.subarray(0, at)
        at += bytesRead
      }
      return bytes
    } finally {
      await file.close()
    }
  },
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
