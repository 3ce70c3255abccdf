import { FoveaError } from '../base/errors.ts'
import { readAll } from '../files/stream.ts'

/** The bytes behind `url`. It may take long, but not `patience` milliseconds without a sign of life. */
export async function download(
  url: string,
  { limit, patience }: { limit: number; patience: number },
): Promise<Uint8Array> {
  const silence = new AbortController()
  const silent = new Promise<never>((_, reject) => {
    silence.signal.addEventListener('abort', () => reject(silence.signal.reason))
  })
  let timer: ReturnType<typeof setTimeout> | undefined
  const onProgress = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silence.abort(new Error(`no answer within ${patience / 1000} s`)), patience)
  }
  onProgress()
  try {
    return await Promise.race([fetchAll(url, { limit, signal: silence.signal, onProgress }), silent])
  } catch (cause) {
    if (cause instanceof FoveaError) throw cause
    throw new FoveaError('E_NETWORK', { what: 'not downloaded', where: url, got: reasonOf(cause), cause })
  } finally {
    clearTimeout(timer)
  }
}

async function fetchAll(
  url: string,
  { limit, signal, onProgress }: { limit: number; signal: AbortSignal; onProgress: () => void },
): Promise<Uint8Array> {
  const response = await fetch(url, { signal })
  if (!response.ok || !response.body) throw new Error(`HTTP status ${response.status}`)
  return readAll(response.body, { name: url, limit, onChunk: onProgress })
}

/** Node says only 'fetch failed'; its cause knows why (ENOTFOUND, ECONNREFUSED ...). */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string } }
  return cause?.code ? `${message} (${cause.code})` : message
}
