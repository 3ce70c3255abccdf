import { custom } from '../../base/options.ts'
import { nhwc } from '../../graph/shape.ts'
import { reshape as reshapeNode } from '../../ops/broadcasting.ts'
import { pad } from '../../ops/movement.ts'
import { defineLayer } from '../layer.ts'

/** All values of a sample in one row, height by width by channels. */
export const flatten = defineLayer('flatten', {
  className: 'Flatten',
  says: 'All values of a sample in one row.',
  options: {},
  forward: ([x]) => reshapeNode(x, { shape: [x.shape[0], -1] }),
})

const isShape = (value: unknown): value is readonly number[] =>
  Array.isArray(value) &&
  value.every((n) => Number.isSafeInteger(n) && (n > 0 || n === -1)) &&
  value.filter((n) => n === -1).length <= 1

/** The same values under another shape. */
export const reshape = defineLayer('reshape', {
  className: 'Reshape',
  countsUnbuilt: true,
  says: 'The same values under another shape.',
  options: {
    targetShape: custom({
      says: 'sizes of one sample; one of them may be -1',
      accepts: 'a list of integers >= 1, one of which may be -1',
      check: (value) => (isShape(value) ? value : undefined),
    }),
  },
  forward: ([x], _, { targetShape }) => reshapeNode(x, { shape: [x.shape[0], ...targetShape] }),
})

type Border = number | readonly [number, number]
type Borders = number | readonly [Border, Border]

const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0
const isBorder = (value: unknown): boolean =>
  isCount(value) || (Array.isArray(value) && value.length === 2 && value.every(isCount))
const pairOf = (border: Border): readonly [number, number] => (typeof border === 'number' ? [border, border] : border)

/** Zeros around images. */
export const zeroPadding2d = defineLayer('zeroPadding2d', {
  className: 'ZeroPadding2D',
  says: 'Zeros around images.',
  options: {
    padding: custom<Borders>({
      says: 'rows and columns on every side: n, [vertical, horizontal] or [[top, bottom], [left, right]]',
      accepts: 'an integer >= 0, or [vertical, horizontal], each an integer or [before, after]',
      check: (v) =>
        isCount(v) || (Array.isArray(v) && v.length === 2 && v.every(isBorder)) ? (v as Borders) : undefined,
      default: 1,
    }),
  },
  forward: ([x], _, { padding }) => {
    nhwc(x.shape)
    const [vertical, horizontal] = typeof padding === 'number' ? [padding, padding] : padding
    return pad(x, { padding: [[0, 0], pairOf(vertical), pairOf(horizontal), [0, 0]] })
  },
})
