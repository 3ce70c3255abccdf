/** IDX files that are refused, and words of the complaint. */
import type { writeIdx } from '../../src/files/idx.ts'
import type { Refused } from './kind.ts'

type Writable = Parameters<typeof writeIdx>[0]

const rows: [rule: string, bytes: number[], ...words: string[]][] = [
  ['an empty file', [], 'at byte 0', 'ends within the magic number'],
  ['a first byte that is not 0', [1, 0, 8, 1], 'at byte 0', 'not an IDX file'],
  ['a second byte that is not 0', [0, 31, 8, 1], 'at byte 1', 'not an IDX file'],
  ['an unknown type', [0, 0, 0x0a, 1, 0, 0, 0, 1, 5], 'at byte 2', '0x0a', '0x08'],
  ['no rank', [0, 0, 8], 'at byte 3', 'ends within the rank'],
  ['too many axes', [0, 0, 8, 255], 'at byte 3', 'too many axes'],
  ['sizes cut short', [0, 0, 8, 2, 0, 0, 0, 1, 0, 0], 'at byte 8', 'size of axis 1'],
  ['data cut short', [0, 0, 8, 1, 0, 0, 0, 3, 1, 2], 'at byte 8', '3 bytes', 'got 2'],
  ['data left over', [0, 0, 8, 1, 0, 0, 0, 1, 1, 2], 'at byte 8', '1 bytes', 'got 2'],
  ['elements counted as bytes', [0, 0, 0x0c, 1, 0, 0, 0, 4, 0, 0, 0, 1], 'at byte 8', '16 bytes', 'got 4'],
  ['sizes beyond memory', [0, 0, 8, 2, 0, 1, 0, 0, 0, 0, 255, 255], 'at byte 12', '4294901760 bytes'],
  ['sizes beyond 2^53', [0, 0, 8, 3, ...Array(12).fill(255)], 'at byte 16', '2^53'],
]

export const refused: readonly Refused[] = rows.map(([rule, bytes, ...words]) => [
  rule,
  Uint8Array.from(bytes),
  ...words,
])

/** What is not written. */
export const unwritable: readonly (readonly [rule: string, content: Writable, ...words: string[]])[] = [
  ['a shape that does not fit', { shape: [2, 2], data: new Uint8Array(3) }, 'shape [2, 2] does not fit', '3 bytes'],
  ['too many axes', { shape: Array(9).fill(1), data: new Uint8Array(1) }, 'does not fit', '1 bytes'],
]
