/** One digest of many bytes, at the price of one piece of memory. */
import { sha256 } from '#platform'

/** The SHA-256 of the text of all pieces' SHA-256s, one after the other in hexadecimal; itself in hexadecimal. */
export async function checksum(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  let digests = ''
  for await (const piece of pieces) digests += await sha256(piece)
  return sha256(new TextEncoder().encode(digests))
}
