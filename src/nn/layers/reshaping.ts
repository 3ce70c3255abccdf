import { FoveaError } from '../../base/errors.ts'
import { custom, integer, list } from '../../base/options.ts'
import { isListOf } from '../../base/realm.ts'
import { shapeText } from '../../graph/shape.ts'
import { reshape as reshapeNode } from '../../ops/broadcasting.ts'
import { pad, slice as sliceNode } from '../../ops/movement.ts'
import { defineLayer } from '../layer.ts'
import { bordersOf, bordersOption } from './borders.ts'
import type { Rank } from './per-axis.ts'
import { channelsOf, samplesOf } from './per-axis.ts'

/** All values of a sample in one row, height by width by channels. */
export const flatten = defineLayer('flatten', {
  className: 'Flatten',
  takesBytes: 'passed on',
  says: 'All values of a sample in one row.',
  options: {},
  forward: ([x]) => reshapeNode(x, { shape: [x.shape[0], -1] }),
})

const isShape = (value: unknown): value is readonly number[] =>
  isListOf<number>(value, (n) => Number.isSafeInteger(n) && ((n as number) > 0 || n === -1)) &&
  value.filter((n) => n === -1).length <= 1

/** The same values under another shape. */
export const reshape = defineLayer('reshape', {
  className: 'Reshape',
  takesBytes: 'passed on',
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

const zeroPaddingOf = (rank: Rank) =>
  defineLayer(`zeroPadding${rank}d`, {
    className: `ZeroPadding${rank}D`,
    takesBytes: 'passed on',
    says: `Zeros around ${samplesOf(rank)}.`,
    options: { padding: bordersOption(rank, 'zeros') },
    forward: ([x], _, { padding }) => {
      channelsOf(x.shape.slice(1), rank)
      return pad(x, { padding: [[0, 0], ...bordersOf(padding, rank), [0, 0]] })
    },
  })

/** Zeros around [length, channels]. */
export const zeroPadding1d = zeroPaddingOf(1)
/** Zeros around [height, width, channels]. */
export const zeroPadding2d = zeroPaddingOf(2)
/** Zeros around [depth, height, width, channels]. */
export const zeroPadding3d = zeroPaddingOf(3)

const croppingOf = (rank: Rank) =>
  defineLayer(`cropping${rank}d`, {
    className: `Cropping${rank}D`,
    takesBytes: 'passed on',
    says: `The inner part of ${samplesOf(rank)}.`,
    options: { cropping: bordersOption(rank, 'elements cut off', rank === 2 ? 0 : 1) }, // Keras's defaults
    forward: ([x], _, { cropping }) => {
      channelsOf(x.shape.slice(1), rank)
      const cut = [[0, 0], ...bordersOf(cropping, rank), [0, 0]]
      const size = x.shape.map((n, axis) => n - cut[axis][0] - cut[axis][1])
      if (size.every((n) => n > 0)) return sliceNode(x, { begin: cut.map(([before]) => before), size })
      const got = `${shapeText(x.shape.slice(1))} less ${shapeText(cut.slice(1).map(([before, after]) => before + after))}`
      throw new FoveaError('E_SHAPE', { what: "'cropping' leaves nothing", got })
    },
  })

/** The inner part of [length, channels]. */
export const cropping1d = croppingOf(1)
/** The inner part of [height, width, channels]. */
export const cropping2d = croppingOf(2)
/** The inner part of [depth, height, width, channels]. */
export const cropping3d = croppingOf(3)

/** A box of a sample: `size` elements from `begin` along every axis, -1 for all that are left. Channels too, as for two halves. */
export const slice = defineLayer('slice', {
  className: 'Slice',
  takesBytes: 'passed on',
  says: 'A box of a sample of any rank, channels included.',
  options: {
    begin: list(integer({ says: 'the first element', min: 0 }), { says: 'where the box begins, along every axis' }),
    size: list(integer({ says: 'elements', min: -1 }), {
      says: 'how long it is along every axis; -1 is all that are left',
    }),
  },
  forward: ([x], _, { begin, size }) => {
    const sample = x.shape.slice(1)
    const taken = size.map((n, axis) => (n === -1 ? sample[axis] - begin[axis] : n))
    const isInside = begin.length === sample.length && sample.every((n, i) => taken[i] > 0 && begin[i] + taken[i] <= n)
    if (isInside && size.length === sample.length)
      return sliceNode(x, { begin: [0, ...begin], size: [x.shape[0], ...taken] })
    throw new FoveaError('E_SHAPE', {
      what: "'begin' and 'size' are no box within a sample",
      expected: `a number for each axis of ${shapeText(sample)}, within it`,
      got: `begin ${shapeText(begin)}, size ${shapeText(size)}`,
    })
  },
})
