/** Pictures of another size, inside a model: what it learned from and what it is asked about need not be resized before. */
import { FoveaError } from '../../base/errors.ts'
import { choice, flag, integer, number } from '../../base/options.ts'
import { tapsOf } from '../../data/image.ts'
import type { Node } from '../../graph/node.ts'
import { constant } from '../../graph/node.ts'
import { shapeText } from '../../graph/shape.ts'
import { reshape } from '../../ops/broadcasting.ts'
import { add, mul } from '../../ops/elementwise.ts'
import { gather } from '../../ops/indexing.ts'
import { pad, slice, transpose } from '../../ops/movement.ts'
import { defineLayer } from '../layer.ts'
import { channelsOf } from './per-axis.ts'

type Size = readonly [height: number, width: number]
interface Way {
  readonly by: 'bilinear' | 'nearest'
  readonly antialias: boolean
}

/**
 * Axis 1 of [n, input, inner] resized: for each tap the rows that it takes, times its weights. Rows are copied whole, and all taps
 * together read what is there about twice, however much smaller the result.
 */
function alongRows(x: Node, output: number, way: Way): Node {
  const [n, input, inner] = x.shape
  if (input === output) return x // every output is its input
  const taps = tapsOf(input, output, { ...way, from: 0, count: output })
  const rows = reshape(x, { shape: [n * input, inner] })
  const most = Math.max(...taps.map(({ weights }) => weights.length))
  const parts = Array.from({ length: most }, (_, k) => {
    const places = taps.map(({ start, weights }) => start + Math.min(k, weights.length - 1))
    const indices = Int32Array.from(
      { length: n * output },
      (_, i) => Math.floor(i / output) * input + places[i % output],
    )
    const taken = reshape(gather(rows, constant(indices, [n * output])), { shape: [n, output, inner] })
    const weights = Float32Array.from(taps, (tap) => tap.weights[k] ?? 0)
    return weights.every((weight) => weight === 1) ? taken : mul(taken, constant(weights, [1, output, 1]))
  })
  return parts.reduce(add)
}

/** Fewer channels than this are no rows to copy by. */
const LONG = 4

/**
 * Axis 2 of [n, height, input, channels] resized, as rows of [n, input, ...]: turned with its channels, or, where those are few,
 * without them, as matrices (3 channels: turned 3 times as fast on either engine).
 */
function alongColumns(x: Node, output: number, way: Way): Node {
  const [n, height, input, channels] = x.shape
  const isLong = channels >= LONG
  const pixels = (width: number) => (isLong ? [n, height, width, channels] : [n, height, width * channels, 1])
  const turned = transpose(reshape(x, { shape: pixels(input) }), { permutation: [0, 2, 1, 3] })
  const wide = alongRows(reshape(turned, { shape: [n, input, height * channels] }), output, way)
  const [, , columns, rest] = pixels(output)
  const back = transpose(reshape(wide, { shape: [n, columns, height, rest] }), { permutation: [0, 2, 1, 3] })
  return reshape(back, { shape: [n, height, output, channels] })
}

/** [n, height, width, channels] of another height and width: the rows first, then the columns. */
function resized(x: Node, [height, width]: Size, way: Way): Node {
  const [n, h, w, channels] = x.shape
  const tall = alongRows(reshape(x, { shape: [n, h, w * channels] }), height, way)
  const shape = [n, height, w, channels]
  return w === width ? reshape(tall, { shape }) : alongColumns(reshape(tall, { shape }), width, way)
}

/** Where a part of the middle begins. */
const middle = (outer: number, inner: number): number => Math.floor((outer - inner) / 2)

/** The middle of pictures that are at least as large. */
function cropped(x: Node, [height, width]: Size): Node {
  const [n, h, w, channels] = x.shape
  if (height <= h && width <= w)
    return slice(x, { begin: [0, middle(h, height), middle(w, width), 0], size: [n, height, width, channels] })
  throw new FoveaError('E_SHAPE', {
    what: 'cuts more out than there is',
    expected: `pictures of ${shapeText([height, width])} at least`,
    got: shapeText([h, w]),
    hint: 'use resizing',
  })
}

/** Room for pictures of the wanted aspect ratio, the picture in its middle. */
function framed(x: Node, [height, width]: Size, value: number): Node {
  const [, h, w] = x.shape
  const [tall, wide] = [Math.max(h, Math.floor((w * height) / width)), Math.max(w, Math.floor((h * width) / height))]
  const border = (outer: number, inner: number): [number, number] => {
    const before = middle(outer, inner)
    return [before, outer - inner - before]
  }
  return pad(x, { padding: [[0, 0], border(tall, h), border(wide, w), [0, 0]], value })
}

/** The largest part of the wanted aspect ratio, from the middle. */
function cutToRatio(x: Node, [height, width]: Size): Node {
  const [, h, w] = x.shape
  const [tall, wide] = [Math.min(h, Math.floor((w * height) / width)), Math.min(w, Math.floor((h * width) / height))]
  return cropped(x, [Math.max(1, tall), Math.max(1, wide)])
}

const sizeOptions = {
  height: integer({ says: 'height of the result', min: 1 }),
  width: integer({ says: 'width of the result', min: 1 }),
}

/**
 * Keras's Resizing of [height, width, channels], by half-pixel centres, on any engine and with gradients. `antialias` averages
 * all pixels when a picture shrinks, as PIL and our own preparation of pictures do; in Keras it is off unless asked for.
 */
export const resizing = defineLayer('resizing', {
  className: 'Resizing',
  countsUnbuilt: true,
  says: 'Pictures of another size.',
  takesBytes: 'passed on',
  options: {
    ...sizeOptions,
    interpolation: choice(['bilinear', 'nearest'], {
      says: 'weights of the neighbours, or the nearest',
      default: 'bilinear',
    }),
    antialias: flag({ says: 'average all pixels when a picture shrinks, with bilinear weights', default: true }),
    cropToAspectRatio: flag({ says: 'cut the middle out first, of the wanted aspect ratio', default: false }),
    padToAspectRatio: flag({ says: 'frame it first, to the wanted aspect ratio', default: false }),
    fillValue: number({ says: 'what a frame is filled with', default: 0 }),
  },
  forward: (
    [x],
    _,
    { height, width, interpolation: by, antialias, cropToAspectRatio, padToAspectRatio, fillValue },
  ) => {
    channelsOf(x.shape.slice(1), 2)
    if (cropToAspectRatio && padToAspectRatio) {
      const what = "'cropToAspectRatio' and 'padToAspectRatio' exclude each other"
      throw new FoveaError('E_OPTION', { what, expected: 'one of them' })
    }
    const size = [height, width] as const
    const part = cropToAspectRatio ? cutToRatio(x, size) : padToAspectRatio ? framed(x, size, fillValue) : x
    return resized(part, size, { by, antialias })
  },
})

/** The middle of [height, width, channels]; pictures must be as large at least. */
export const centerCrop = defineLayer('centerCrop', {
  className: 'CenterCrop',
  countsUnbuilt: true,
  says: 'The middle of pictures.',
  takesBytes: 'passed on',
  options: sizeOptions,
  forward: ([x], _, { height, width }) => {
    channelsOf(x.shape.slice(1), 2)
    return cropped(x, [height, width])
  },
})
