import { FoveaError } from '../base/errors.ts'

/** All bytes of a stream; as soon as there are more than `limit`, the stream is cancelled and the rest never made. */
export async function readAll(
  stream: ReadableStream<Uint8Array>,
  { name, limit, onChunk }: { name: string; limit: number; onChunk?: () => void },
): Promise<Uint8Array> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    onChunk?.()
    length += value.length
    if (length > limit) {
      const error = new FoveaError('E_LIMIT', {
        what: 'more data than there should be',
        where: name,
        expected: `at most ${limit} bytes`,
      })
      await reader.cancel(error)
      throw error
    }
    chunks.push(value)
  }
  const all = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.length
  }
  return all
}
