/** Text in columns. */
import { printable } from '../base/printable.ts'

/** Rows of cells, each column as wide as its widest cell; two spaces between. */
export function aligned(given: readonly (readonly string[])[]): string[] {
  const rows = given.map((row) => row.map(printable))
  const widths = rows.reduce<number[]>((widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, cell.length)), [])
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  )
}

/** A word and what is said of it, side by side; what does not fit continues below, indented alike. */
export function definitions(rows: readonly (readonly [word: string, says: string])[], columns: number): string[] {
  const indent = Math.max(...rows.map(([word]) => word.length)) + 4
  return rows.flatMap(([word, says]) =>
    wrapped(says.split(' '), { width: columns - indent, glue: ' ' }).map((line, i) =>
      i === 0 ? `  ${word}`.padEnd(indent) + line : ' '.repeat(indent) + line,
    ),
  )
}

/** Parts joined by `glue` into lines of at most `width` characters, where no part is longer itself. */
export function wrapped(
  parts: readonly string[],
  { width, glue, indent = 0 }: { width: number; glue: string /** Of all lines but the first. */; indent?: number },
): string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.length - 1
    if (last >= 0 && lines[last].length + glue.length + part.length <= width) lines[last] += glue + part
    else lines.push(last < 0 ? part : ' '.repeat(indent) + part)
  }
  return lines
}
