/** Text from unknown files on its way to a screen. */

/**
 * Signs that command a terminal or reorder what is read: controls (ESC, newlines), separators of lines, the overrides of
 * the bidirectional algorithm and other formats that are not visible, halves of a pair. Those that join letters and emoji stay.
 */
const commands = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?!\u200c|\u200d)\p{Cf}/gu

/** The text with such signs as escapes, which mean the same within JSON: `\u001b`. */
export const printable = (text: string): string => text.replaceAll(commands, unicodeEscapes)

function unicodeEscapes(sign: string): string {
  const units = Array.from({ length: sign.length }, (_, i) => sign.charCodeAt(i))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
