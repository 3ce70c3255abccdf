import { custom, either, integer, list } from '../../base/options.ts'
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
      as: list(integer({ says: 'a size', min: -1 }), { says: 'sizes' }).kind,
    }),
  },
  forward: ([x], _, { targetShape }) => reshapeNode(x, { shape: [x.shape[0], ...targetShape] }),
})

type Border = number | readonly [number, number]

const count = integer({ says: 'rows or columns', min: 0 })
const border = either([count, list(count, { says: 'before and after', length: 2 })], { says: 'one border' })
const pairOf = (border: Border): readonly [number, number] => (typeof border === 'number' ? [border, border] : border)

/** Zeros around images. */
export const zeroPadding2d = defineLayer('zeroPadding2d', {
  className: 'ZeroPadding2D',
  says: 'Zeros around images.',
  options: {
    padding: either([count, list(border, { says: 'vertical and horizontal', length: 2 })], {
      says: 'rows and columns on every side: n, [vertical, horizontal] or [[top, bottom], [left, right]]',
      default: 1,
    }),
  },
  forward: ([x], _, { padding }) => {
    nhwc(x.shape)
    const [vertical, horizontal] = typeof padding === 'number' ? [padding, padding] : padding
    return pad(x, { padding: [[0, 0], pairOf(vertical), pairOf(horizontal), [0, 0]] })
  },
})
