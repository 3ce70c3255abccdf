/** What is beyond the border of a picture, by Keras's words (SciPy's as well). */

/** Of a row a b c d: constant k k | a b c d | k k; nearest a a | d d; reflect b a | d c; wrap c d | a b. */
export const fillModes = ['constant', 'nearest', 'reflect', 'wrap'] as const
export type FillMode = (typeof fillModes)[number]

/** For every place along an axis of `length` with `padding` on both sides, the place it shows; -1 for the fill value. */
export function sourcesAlong(length: number, padding: number, mode: FillMode): Int32Array {
  return Int32Array.from({ length: length + 2 * padding }, (_, i) => sourceOf(i - padding, length, mode))
}

function sourceOf(at: number, length: number, mode: FillMode): number {
  if (at >= 0 && at < length) return at
  if (mode === 'constant') return -1
  if (mode === 'nearest') return at < 0 ? 0 : length - 1
  const period = mode === 'wrap' ? length : 2 * length
  const turned = ((at % period) + period) % period
  return turned < length ? turned : period - 1 - turned
}
