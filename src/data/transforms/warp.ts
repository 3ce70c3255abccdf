/** Pictures as a matrix shows them: one interpolation, whatever was joined in the matrix. */
import type { TensorSpec, TypedArray } from '../../graph/dtype.ts'
import type { Filling, FillMode } from './fill.ts'
import { sourcesAlong } from './fill.ts'
import type { Matrix } from './geometry.ts'
import { pictureShape } from './transform.ts'

/** Places are in steps of 1/2048 of a pixel, so that two weights and a byte fit in 31 bits. */
const BITS = 11
const ONE = 1 << BITS

/** A place along an axis in these steps, so near to the picture that `sourcesNear` knows it. */
function placeOf(x: number, length: number, fillMode: FillMode): number {
  let near = x
  if (x < -length || x > 2 * length) {
    const isPeriodic = fillMode === 'reflect' || fillMode === 'wrap'
    near = isPeriodic ? x - Math.floor(x / (2 * length)) * 2 * length : Math.max(-length, Math.min(2 * length, x))
  }
  return Math.floor(near * ONE + 0.5)
}

/** The pixels that are seen at the places from `-pad` on. */
function sourcesNear(length: number, fillMode: FillMode): { readonly pad: number; readonly sources: Int32Array } {
  const pad = length + 2
  return { pad, sources: sourcesAlong(length, pad, fillMode) }
}

/**
 * Warps pictures of one shape and dtype: bytes by integers, so that every host gives the same; other numbers by the same weights.
 * The function has room of its own for a row, and is no thread's but the caller's.
 */
export function warpOf(spec: TensorSpec, how: Filling): (from: TypedArray, into: TypedArray, matrix: Matrix) => void {
  const [height, width, channels] = pictureShape(spec, 'warp')
  const [xs, ys] = [new Int32Array(width), new Int32Array(width)]
  const [middle, centre] = [(width - 1) / 2, (height - 1) / 2]
  const paint = painterOf(spec, how)
  return (from, into, matrix) => {
    const [a, b, c, d, e, f, g, h, i] = matrix
    if (isMirror(matrix)) return mirror(from, into, { height, row: width * channels, channels }, matrix)
    for (let y = 0; y < height; y++) {
      const v = y - centre
      const startX = b * v + c
      const startY = e * v + f
      const startW = h * v + i
      for (let x = 0; x < width; x++) {
        const u = x - middle
        const w = g * u + startW
        xs[x] = placeOf((a * u + startX) / w + middle, width, how.fillMode)
        ys[x] = placeOf((d * u + startY) / w + centre, height, how.fillMode)
      }
      paint({ from, into, out: y * width * channels }, xs, ys)
    }
  }
}

/** Nothing but mirrors: no pixel needs another one. */
const isMirror = ([a, b, c, d, e, f, g, h, i]: Matrix): boolean =>
  Math.abs(a) === 1 && Math.abs(e) === 1 && i === 1 && [b, c, d, f, g, h].every((value) => value === 0)

function mirror(
  from: TypedArray,
  into: TypedArray,
  { height, row, channels }: { height: number; row: number; channels: number },
  [a, , , , e]: Matrix,
): void {
  for (let y = 0, out = 0; y < height; y++) {
    const start = (e < 0 ? height - 1 - y : y) * row
    if (a > 0) {
      into.set(from.subarray(start, start + row), out)
      out += row
      continue
    }
    for (let at = start + row - channels; at >= start; at -= channels) {
      for (let c = 0; c < channels; c++, out++) into[out] = from[at + c]
    }
  }
}

interface Row {
  readonly from: TypedArray
  readonly into: TypedArray
  /** Where the row begins in `into`. */
  readonly out: number
}
type Painter = (row: Row, xs: Int32Array, ys: Int32Array) => void

function painterOf(spec: TensorSpec, how: Filling): Painter {
  if (how.interpolation === 'nearest') return nearest(spec, how)
  return spec.dtype === 'uint8' ? blendBytes(spec, how) : blend(spec, how)
}

/** What a painter knows of the picture: its sides, and where places near it are. */
function axesOf(spec: TensorSpec, { fillMode }: Filling) {
  const [height, width, channels] = pictureShape(spec, 'warp')
  const [columns, rows] = [sourcesNear(width, fillMode), sourcesNear(height, fillMode)]
  return { height, width, channels, columns: columns.sources, left: columns.pad, rows: rows.sources, top: rows.pad }
}

function nearest(spec: TensorSpec, how: Filling): Painter {
  const { width, channels, columns, left, rows, top } = axesOf(spec, how)
  return ({ from, into, out }, xs, ys) => {
    for (let k = 0, to = out; k < width; k++) {
      const x = columns[((xs[k] + ONE / 2) >> BITS) + left]
      const y = rows[((ys[k] + ONE / 2) >> BITS) + top]
      const at = (y * width + x) * channels
      for (let n = 0; n < channels; n++, to++) into[to] = x < 0 || y < 0 ? how.fillValue : from[at + n]
    }
  }
}

function blendBytes(spec: TensorSpec, how: Filling): Painter {
  const { height, width, channels, columns, left, rows, top } = axesOf(spec, how)
  const [fill] = Uint8Array.of(how.fillValue)
  const isFilled = how.fillMode === 'constant'
  const line = width * channels
  const mix = (a: number, b: number, c: number, d: number, right: number, below: number): number => {
    const above = (a << BITS) + Math.imul(b - a, right)
    const under = (c << BITS) + Math.imul(d - c, right)
    return ((above << BITS) + Math.imul(under - above, below) + (1 << (2 * BITS - 1))) >> (2 * BITS)
  }
  return (row, xs, ys) => {
    const [from, into] = [row.from as Uint8Array, row.into as Uint8Array]
    for (let k = 0, to = row.out; k < width; k++) {
      const x = xs[k] >> BITS
      const y = ys[k] >> BITS
      const right = xs[k] & (ONE - 1)
      const below = ys[k] & (ONE - 1)
      let a = (y * width + x) * channels
      let b = a + channels
      let c = a + line
      let d = c + channels
      if (x < 0 || y < 0 || x >= width - 1 || y >= height - 1) {
        const x0 = columns[x + left] * channels
        const x1 = columns[x + left + 1] * channels
        const y0 = rows[y + top] * line
        const y1 = rows[y + top + 1] * line
        if (isFilled && (x0 < 0 || x1 < 0 || y0 < 0 || y1 < 0)) {
          for (let n = 0; n < channels; n++, to++) {
            const p = x0 < 0 || y0 < 0 ? fill : from[y0 + x0 + n]
            const q = x1 < 0 || y0 < 0 ? fill : from[y0 + x1 + n]
            const r = x0 < 0 || y1 < 0 ? fill : from[y1 + x0 + n]
            const s = x1 < 0 || y1 < 0 ? fill : from[y1 + x1 + n]
            into[to] = mix(p, q, r, s, right, below)
          }
          continue
        }
        a = y0 + x0
        b = y0 + x1
        c = y1 + x0
        d = y1 + x1
      }
      for (let n = 0; n < channels; n++)
        into[to++] = mix(from[a + n], from[b + n], from[c + n], from[d + n], right, below)
    }
  }
}

/** The same for other numbers, as the formula says it; int32 gets the nearest integer. */
function blend(spec: TensorSpec, how: Filling): Painter {
  const { width, channels, columns, left, rows, top } = axesOf(spec, how)
  return ({ from, into, out }, xs, ys) => {
    const pixel = (x: number, y: number, channel: number): number => {
      const [column, line] = [columns[x + left], rows[y + top]]
      return column < 0 || line < 0 ? how.fillValue : from[(line * width + column) * channels + channel]
    }
    for (let k = 0, to = out; k < width; k++) {
      const [x, y] = [xs[k] >> BITS, ys[k] >> BITS]
      const [right, below] = [(xs[k] & (ONE - 1)) / ONE, (ys[k] & (ONE - 1)) / ONE]
      for (let n = 0; n < channels; n++, to++) {
        const above = (1 - right) * pixel(x, y, n) + right * pixel(x + 1, y, n)
        const under = (1 - right) * pixel(x, y + 1, n) + right * pixel(x + 1, y + 1, n)
        const value = (1 - below) * above + below * under
        into[to] = spec.dtype === 'int32' ? Math.floor(value + 0.5) : value
      }
    }
  }
}
