/** Where a command speaks: lines on stdout, remarks on stderr, and one line that a live display draws again and again. */
import { styleText } from 'node:util'

export interface Terminal {
  /** Someone watches: lines may be drawn over. */
  readonly isLive: boolean
  /** Characters that fit on a line. */
  readonly columns: number
  /** A line of the result. */
  print(line: string): void
  /** A remark beside the result. */
  note(line: string): void
  /** Draws over the line at the cursor; the next line takes its place. */
  draw(line: string): void
  /** The text in a style, where stdout shows styles and the user wants them (NO_COLOR). */
  paint(style: Style, text: string): string
  readonly hasStyles: boolean
}
export type Style = 'bold' | 'dim' | 'green'

const ERASE_LINE = '\r\x1b[K'

export function terminalOf({ stdout, stderr, env }: NodeJS.Process): Terminal {
  const isLive = stdout.isTTY === true && env['TERM'] !== 'dumb'
  const hasStyles = isLive && stdout.hasColors()
  let isDrawn = false
  const undraw = (): void => {
    if (isDrawn) stdout.write(ERASE_LINE)
    isDrawn = false
  }
  return {
    isLive,
    hasStyles,
    get columns() {
      return stdout.columns || 80
    },
    print(line) {
      undraw()
      stdout.write(`${line}\n`)
    },
    note(line) {
      undraw()
      stderr.write(`fovea: ${line}\n`)
    },
    draw(line) {
      if (!isLive) return
      stdout.write(ERASE_LINE + line)
      isDrawn = true
    },
    paint: (style, text) => (hasStyles ? styleText(style, text, { validateStream: false }) : text),
  }
}
