/** Where a command prints: lines on stdout, remarks on stderr, and one line that a live display draws again and again. */
import { styleText } from 'node:util'
import { printable } from '../base/printable.ts'

export interface Terminal {
  /** Someone watches: lines may be drawn over. */
  readonly isLive: boolean
  /** Characters that fit on a line. */
  readonly columns: number
  /** A line of the result, of texts and styled parts. */
  print(...line: readonly Segment[]): void
  /** Lines of the result, as our own code has broken them. */
  printLines(text: string): void
  /** A remark beside the result: one line. */
  note(line: string): void
  /** Draws over the line at the cursor; the next line takes its place. */
  draw(...line: readonly Segment[]): void
  /** Whether stdout shows styles and the user wants them (NO_COLOR). */
  readonly hasStyles: boolean
}
export type Style = 'bold' | 'dim' | 'green'

/** Part of a line. Its text may come from an unknown file: nothing in it controls the terminal, whatever its style. */
export type Segment = string | { readonly style: Style; readonly text: string }

const ERASE_LINE = '\r\x1b[K'

export function terminalOf({ stdout, stderr, env }: NodeJS.Process): Terminal {
  const isLive = stdout.isTTY === true && env['TERM'] !== 'dumb'
  const hasStyles = isLive && stdout.hasColors()
  let isDrawn = false
  const rendered = (line: readonly Segment[]): string => line.map(segmentText).join('')
  const segmentText = (segment: Segment): string => {
    if (typeof segment === 'string') return printable(segment)
    const text = printable(segment.text)
    return hasStyles ? styleText(segment.style, text, { validateStream: false }) : text
  }
  const undraw = (): void => {
    if (isDrawn) stdout.write(ERASE_LINE)
    isDrawn = false
  }
  const print = (...line: readonly Segment[]): void => {
    undraw()
    stdout.write(`${rendered(line)}\n`)
  }
  return {
    isLive,
    hasStyles,
    get columns() {
      return stdout.columns || 80
    },
    print,
    printLines(text) {
      for (const line of text.split('\n')) print(line)
    },
    note(line) {
      undraw()
      stderr.write(`fovea: ${printable(line)}\n`)
    },
    draw(...line) {
      if (!isLive) return
      stdout.write(ERASE_LINE + rendered(line))
      isDrawn = true
    },
  }
}
