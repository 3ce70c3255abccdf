/** Files as arguments: their paths, their names in errors, their bytes. */
import { custom, text } from '../base/options.ts'

export const filePath = text({ says: 'path of the file', filled: true })
export const fileName = text({ says: 'its name in error messages' })
export const fileBytes = custom<Uint8Array>({
  says: 'the bytes of a file',
  accepts: 'a Uint8Array, as in new Uint8Array(await (await fetch(url)).arrayBuffer())',
  check: (v) => (Object.prototype.toString.call(v) === '[object Uint8Array]' ? (v as Uint8Array) : undefined),
})
