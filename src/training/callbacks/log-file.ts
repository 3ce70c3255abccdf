/** A text file that grows by lines; a training that goes on from a checkpoint cuts off what came after it. */
import { appendFile, truncateFile } from '#platform'

export interface LogFile {
  write(line: string): Promise<void>
  /** Begins the file anew, or goes on at its end. */
  begin(how: 'anew' | 'append'): Promise<void>
  /** Its bytes so far. */
  state(): { readonly bytes: number }
  /** Cuts off what is beyond. */
  restore(state: { readonly bytes: number }): Promise<void>
}

export function logFile(path: string): LogFile {
  let bytes = 0
  return {
    async write(line) {
      bytes = await appendFile(path, `${line}\n`)
    },
    async begin(how) {
      bytes = how === 'anew' ? await truncateFile(path, 0) : await appendFile(path, '')
    },
    state: () => ({ bytes }),
    async restore(state) {
      bytes = await truncateFile(path, state.bytes)
    },
  }
}
