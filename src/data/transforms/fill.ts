/** What is beyond the border of a picture, by Keras's words. */
import { choice, number } from '../../base/options.ts'

/** Of a row a b c d: constant k k | a b c d | k k; nearest a a | d d; reflect b a | d c; wrap c d | a b. */
export const fillModes = ['constant', 'nearest', 'reflect', 'wrap'] as const
export type FillMode = (typeof fillModes)[number]

/** Options of all that warps: what is between the pixels and beyond the border. */
export const filling = {
  interpolation: choice(['bilinear', 'nearest'], { says: 'how a place between pixels is read', default: 'bilinear' }),
  fillMode: choice(fillModes, { says: 'what is beyond the border', default: 'nearest' }),
  fillValue: number({ says: "value beyond the border, for fillMode 'constant'", default: 0 }),
}

export interface Filling {
  readonly interpolation: 'bilinear' | 'nearest'
  readonly fillMode: FillMode
  readonly fillValue: number
}

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
