/** Rows of comma-separated values by RFC 4180. */

/** Cells as a row, quoted where they must be. */
export const csvRow = (cells: readonly (string | number)[], separator: string): string =>
  cells.map((cell) => csvCell(String(cell), separator)).join(separator)

const csvCell = (text: string, separator: string): string =>
  text.includes(separator) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text

/** The cells of the first row of a text. */
export function firstCsvRow(text: string, separator: string): string[] {
  const cells: string[] = []
  let [cell, isQuoted] = ['', false]
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; at++) {
    const sign = text[at]
    if (isQuoted && sign === '"' && text[at + 1] === '"') cell += text[at++]
    else if (sign === '"') isQuoted = !isQuoted
    else if (isQuoted) cell += sign
    else if (sign === '\n' || sign === '\r') break
    else if (sign === separator) {
      cells.push(cell)
      cell = ''
    } else cell += sign
  }
  return [...cells, cell]
}
