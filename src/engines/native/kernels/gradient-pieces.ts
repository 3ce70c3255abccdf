/** The gradient of a convolution's kernel over very many places: oneDNN's, some thousand places at a time (native/src/gradient-pieces.cc). */
import type { AxisWindow, Shape } from '../../../graph/shape.ts'
import { sizeOf } from '../../../graph/shape.ts'
import type { Description, Operation } from '../addon.ts'
import type { Context } from './context.ts'

/** The fields of a convolution's gradient that a piece has of its own. */
interface Fields extends Description {
  readonly x: Shape
  readonly y: Shape
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** The operation that computes a gradient, and the product that knows how it lays out the kernel. */
interface Gradient {
  readonly operation: Operation
  readonly product: Operation
}
export const whole = (operation: Operation): Gradient => ({ operation, product: operation })

/** What one call of oneDNN computes: so many images, of each these rows of x and of dy, with this border around them. */
export interface Piece {
  readonly images: number
  /** Along the first spatial axis. */
  readonly rows: { readonly x: number; readonly dy: number }
  readonly before: number
  readonly after: number
  /** The first elements of x and of dy. */
  readonly first: { readonly x: number; readonly dy: number }
}

/** About so many places are a piece. */
const PLACES = 1024
/**
 * Fewer places are oneDNN's own chains, unless there are so many products that a call of oneDNN for each piece is nothing beside them:
 * of [128, 32, 32, 16] by 3 x 3 x 32 with stride 2 pieces take as long on one thread, 0.82 times as long on two; of 8 channels
 * and 16 filters on [128, 30, 30] 1.05 to 1.15 times.
 */
const LEAST = { places: 65_536, products: 2 ** 27 }
/** Fewer pieces than this would leave threads idle. */
const PIECES_PER_THREAD = 4

/** The pieces of a gradient, or undefined where it is computed whole. */
export function piecesOf(
  { x, dy, kernel }: { readonly x: Shape; readonly dy: Shape; readonly kernel: Shape },
  axes: readonly AxisWindow[],
  threads: number,
): readonly Piece[] | undefined {
  const [images, rows] = dy
  const places = sizeOf(dy.slice(0, -1))
  if (places < LEAST.places && places * sizeOf(kernel) < LEAST.products) return undefined
  const rowPlaces = sizeOf(dy.slice(2, -1))
  const image = { x: sizeOf(x.slice(1)), dy: sizeOf(dy.slice(1)) }
  const row = { x: sizeOf(x.slice(2)), dy: sizeOf(dy.slice(2)) }
  const [axis] = axes
  const atOnce = Math.min(images, Math.max(1, Math.floor(PLACES / (rows * rowPlaces))))
  // for a band that sees fewer rows of x than a window has, oneDNN has slower loops, and the kernel in another layout
  const least = 1 + Math.max(...[axis.before, axis.after].map((border) => Math.ceil(border / axis.stride)))
  const cuts = Math.max(1, Math.min(Math.ceil((rows * rowPlaces) / PLACES), Math.floor(rows / least)))
  const cut = (i: number) => Math.floor((rows * i) / cuts)
  const bands = Array.from({ length: cuts }, (_, i) => bandOf(axis, cut(i), cut(i + 1)))
  const count = Math.ceil(images / atOnce) * cuts
  if (count < PIECES_PER_THREAD * threads) return undefined
  return Array.from({ length: Math.ceil(images / atOnce) }, (_, i) => i * atOnce).flatMap((first) =>
    bands.map(({ from, to, top, size, before, after }) => ({
      images: Math.min(atOnce, images - first),
      rows: { x: size, dy: to - from },
      before,
      after,
      first: { x: first * image.x + top * row.x, dy: first * image.dy + from * row.dy },
    })),
  )
}

/** Rows [from, to) of the result: the rows of x that their windows see, and what of them lies outside. */
function bandOf({ input, window, stride, dilation, before }: AxisWindow, from: number, to: number) {
  const start = from * stride - before
  const end = (to - 1) * stride - before + (window - 1) * dilation + 1
  const top = Math.max(0, start)
  return { from, to, top, size: Math.min(input, end) - top, before: top - start, after: Math.max(0, end - input) }
}

/** The gradient piece by piece, or undefined where oneDNN would lay out the kernel now this way, now that. */
export function inPieces(fields: Fields, pieces: readonly Piece[], context: Context): Gradient | undefined {
  const numbers = new Map<string, number>()
  const variants: Operation[][] = []
  const list = pieces.flatMap(({ images, rows, before, after, first }) => {
    const own = {
      x: [images, fields.x[1], rows.x, ...fields.x.slice(3)],
      y: [images, fields.y[1], rows.dy, ...fields.y.slice(3)],
      before: [before, ...fields.before.slice(1)],
      after: [after, ...fields.after.slice(1)],
    }
    const key = JSON.stringify(own)
    const number = numbers.get(key) ?? variants.length
    if (number === variants.length) {
      numbers.set(key, number)
      const made = () => context.operation({ ...fields, ...own, alone: true })
      variants.push(Array.from({ length: context.threads }, made))
    }
    return [number, first.x, first.dy]
  })
  const [[product]] = variants
  if (variants.some(([{ implementation }]) => implementation !== product.implementation)) return undefined
  const size = (shape: Shape) => shape.reduce((a, b) => a * b, 1)
  const operation = context.operation({
    kind: 'gradientPieces',
    where: fields.where,
    variants: variants.map((own) => ({ products: own.map(({ handle }) => ({ product: handle })) })),
    pieces: list,
    x: size(fields.x),
    dy: size(fields.y),
    dtype: fields.dtype,
    bias: fields.bias,
  })
  return { operation, product }
}
