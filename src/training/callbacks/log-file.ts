/** A text file that grows by lines; a training that continues from a checkpoint cuts off what came after it. */
import { appendFile, readFile, truncateFile } from '#platform'

export interface LogFile {
  write(line: string): Promise<void>
  /**
   * For `onTrainBegin`: starts the file again, or appends to it, behind a last line that was cut short too. A file that
   * was restored continues where the checkpoint was.
   */
  begin(how: 'new' | 'append', resumed: boolean): Promise<void>
  /** Its beginning, in which its first line is. */
  head(): Promise<string>
  /** Its bytes so far. */
  state(): { readonly bytes: number }
  /** Cuts off what is beyond. */
  restore(state: { readonly bytes: number }): Promise<void>
}

const NEWLINE = '\n'.charCodeAt(0)
/** Bytes. */
const LONGEST_LINE = 2 ** 20

export function logFile(path: string): LogFile {
  let bytes = 0
  let isRestored = false
  const content = async (): Promise<Uint8Array> => (await readFile(path)) ?? new Uint8Array()
  return {
    // a text cannot be as long as a file
    head: async () => new TextDecoder().decode((await content()).subarray(0, LONGEST_LINE)),
    async write(line) {
      bytes = await appendFile(path, `${line}\n`)
    },
    async begin(how, resumed) {
      const goesOn = resumed && isRestored // one that is new in a resumed training was not restored
      isRestored = false
      if (goesOn) return
      if (how === 'new') bytes = await truncateFile(path, 0)
      else bytes = await appendFile(path, [undefined, NEWLINE].includes((await content()).at(-1)) ? '' : '\n')
    },
    state: () => ({ bytes }),
    async restore(state) {
      bytes = await truncateFile(path, state.bytes)
      isRestored = true
    },
  }
}
