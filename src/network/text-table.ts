/** Text tables: in a box as rich draws them for Keras 3, and the plain rows of Keras 2. */

export interface Column {
  readonly title: string
  readonly align: 'left' | 'right' | 'center'
}

/** Cells with a box around each, `width` characters wide; `ends` says where columns end, as parts of the width. */
export function boxTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, ends }: { width: number; ends: readonly number[] },
): string[] {
  const cells = columnWidths(width, ends)
  const rule = ([left, line, cross, right]: string) => left + cells.map((size) => line.repeat(size)).join(cross) + right
  const draw = (texts: readonly string[], border: string, stand: 'top' | 'bottom') => {
    const wrapped = texts.map((text, i) => wrap(text, cells[i] - 2, 'cut'))
    const height = Math.max(1, ...wrapped.map((lines) => lines.length))
    return Array.from({ length: height }, (_, y) => {
      const line = wrapped.map((lines, i) => {
        const text = lines[stand === 'top' ? y : y - height + lines.length] ?? ''
        return justify(text, cells[i] - 2, columns[i].align)
      })
      return border + line.join(border) + border
    })
  }
  const titles = columns.map(({ title }) => title)
  return [
    rule('┏━┳┓'),
    ...draw(titles, '┃', 'bottom'),
    rule('┡━╇┩'),
    ...rows.flatMap((row, i) => [...(i > 0 ? [rule('├─┼┤')] : []), ...draw(row, '│', 'top')]),
    rule('└─┴┘'),
  ]
}

/** The narrowest line of at least `width` that leaves four characters to every column; Keras refuses a narrower one. */
export function roomFor(width: number, ends: readonly number[]): number {
  while (differences(ends.map((end) => Math.trunc(end * width))).some((size) => size < 4)) width++
  return width
}

/** The borders are taken from the columns: rich takes one from each, and the one that is left from the last but one. */
function columnWidths(width: number, ends: readonly number[]): number[] {
  return differences(ends.map((end) => Math.trunc(end * width))).map(
    (size, i) => size - (i === ends.length - 2 ? 2 : 1),
  )
}

const differences = (ends: readonly number[]): number[] => ends.map((end, i) => end - (ends[i - 1] ?? 0))

/** A space on both sides, and the text between. */
function justify(text: string, width: number, align: Column['align']): string {
  if (width < 1) return ' '.repeat(width + 2)
  if (align === 'left') return ` ${text.padEnd(width)} `
  const words = text.trimEnd()
  const before = align === 'right' ? width - words.length : Math.floor((width - words.length) / 2)
  return ` ${(' '.repeat(before) + words).padEnd(width)} `
}

/** Breaks a text at its spaces; a word that is longer than a line is cut, or continues in the next. */
export function wrap(text: string, width: number, long: 'cut' | 'fold'): string[] {
  if (width < 1) return []
  const lines: string[] = []
  for (const word of text.match(/\s*\S+\s*/g) ?? []) {
    const size = word.trimEnd().length
    const last = lines.at(-1)
    if (last !== undefined && last.length + size <= width) lines[lines.length - 1] = last + word
    else if (long === 'cut' || size <= width) lines.push(word)
    else for (let from = 0; from < word.length; from += width) lines.push(word.slice(from, from + width))
  }
  return lines.map((line) => (line.trimEnd().length > width ? `${line.slice(0, width - 1)}…` : line.slice(0, width)))
}

/** One row of a plain table: fields end at `ends` and go on below, after a bracket and a comma if there is one. */
export function plainRow(fields: readonly string[], ends: readonly number[]): string[] {
  const lines: string[] = []
  for (let left = fields; left.some((field) => field !== ''); ) {
    let line = ' '
    left = left.map((field, i) => {
      const gap = i < ends.length - 1 ? 2 : 0
      const fits = field.slice(0, ends[i] - (ends[i - 1] ?? 0) - gap)
      const stop = fits.search(/[)}\]'],/)
      const piece = stop < 0 ? fits : fits.slice(0, stop + 2)
      line = (line + piece + ' '.repeat(gap)).padEnd(ends[i])
      return field.slice(piece.length)
    })
    lines.push(line)
  }
  return lines
}
