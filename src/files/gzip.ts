/** gzip (RFC 1952), unpacked by the platform's own DecompressionStream, which checks length and CRC. */

import { FoveaError } from '../base/errors.ts'
import { messageOf } from '../base/realm.ts'
import { readAll } from './stream.ts'

/** Whether bytes start as every gzip file does, whatever the file is called. */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

/** The unpacked bytes; more than `limit` of them are refused (E_LIMIT) and never held. */
export async function gunzip(bytes: Uint8Array, file: string, { limit }: { limit: number }): Promise<Uint8Array> {
  const packed = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream()
  try {
    return await readAll(packed.pipeThrough(new DecompressionStream('gzip')), { name: file, limit })
  } catch (error) {
    if (error instanceof FoveaError) throw error
    const { cause, message } = error as Error
    const got = cause === undefined ? message : messageOf(cause)
    throw new FoveaError('E_FILE', { what: 'not an intact gzip file', where: file, got, cause: error })
  }
}
