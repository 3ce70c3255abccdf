/**
 * One digit from its skeleton: every point a little off, the whole bent, stretched, slanted and turned, then inked
 * with a round pen and placed as MNIST's digits are: scaled to about 20 by 20, centred by mass in 28 by 28. Only
 * + - * / and square roots, which are exact everywhere: the same bytes on every machine.
 */
import { bitsAt, type Draw, stream, uniformFromBits, uniforms } from '../../../base/random.ts'
import type { Stroke } from './strokes.ts'

/** Height and width of an image in pixels. */
export const side = 28

/** What the ink fits, in pixels, before a little jitter. */
const box = 20

/** Random numbers by turn: uniform between two ends, or about a middle and at most `spread` away (three uniforms). */
interface Dice {
  between(low: number, high: number): number
  about(middle: number, spread: number): number
}

function dice(values: Float32Array): Dice {
  let next = 0
  return {
    between: (low, high) => low + (high - low) * values[next++],
    about: (middle, spread) => middle + spread * ((2 / 3) * (values[next++] + values[next++] + values[next++]) - 1),
  }
}

/** Writes 28 x 28 bytes at `offset` of `into`: a digit written in one of `ways`, a function of seed and number alone. */
export function drawDigit(
  ways: readonly (readonly Stroke[])[],
  { seed, number, into, offset }: { seed: number; number: number; into: Uint8Array; offset: number },
): void {
  const draw: Draw = { seed, stream: stream('digits'), step: number }
  const strokes = ways[Math.floor(uniformFromBits(bitsAt(draw, 0)) * ways.length)]
  const points = strokes.reduce((sum, stroke) => sum + stroke.length, 0)
  const random = dice(uniforms(draw, 48 + 9 * points).subarray(1)) // 9 a point, fewer than 47 for the rest
  const radius = random.about(1.4, 1.05)
  const path = fit(penPath(pose(strokes, random), radius, random), box + random.about(0, 1) - 2 * radius)
  const canvas = cover(path, random.between(0.7, 1.2))
  roughen(canvas, { ...draw, stream: stream('digits', 1) })
  place(canvas, { right: random.about(0, 0.5), down: random.about(0, 0.5), into, offset })
}

/** Moves every point: jittered, then the whole bent by a quadratic, stretched, slanted and turned about its middle. */
function pose(strokes: readonly Stroke[], random: Dice): Stroke[] {
  const jitter = random.between(0.04, 0.16)
  const [a, b, c, d, e, f] = [0, 0, 0, 0, 0, 0].map(() => random.about(0, 0.8))
  const width = random.about(0.8, 0.45)
  const slant = random.about(0.2, 0.7)
  const tangent = random.about(0, 0.16) // of half the angle
  const cos = (1 - tangent * tangent) / (1 + tangent * tangent)
  const sin = (2 * tangent) / (1 + tangent * tangent)
  return strokes.map((stroke) =>
    stroke.map((point) => {
      const u = point.x - 0.5 + random.about(0, jitter)
      const v = point.y - 0.5 + random.about(0, jitter)
      const y = v + d * u * u + e * u * v + f * v * v
      const x = width * (u + a * u * u + b * u * v + c * v * v) - slant * y
      return { x: cos * x - sin * y, y: sin * x + cos * y, corner: point.corner }
    }),
  )
}

/** The way of the pen as straight pieces, each x, y, radius at its start, then at its end; the radius wavers. */
type Path = number[]
const pieces = 5 // between two points of a skeleton

function penPath(strokes: readonly Stroke[], radius: number, random: Dice): Path {
  const path: Path = []
  for (const points of strokes) {
    let thick = radius * random.about(1, 0.2)
    for (let i = 0; i + 1 < points.length; i++) {
      const p = points[i]
      const q = points[i + 1]
      const before = i === 0 || p.corner ? p : points[i - 1]
      const after = i + 2 === points.length || q.corner ? q : points[i + 2]
      const step = (radius * random.about(1, 0.2) - thick) / pieces
      let { x, y } = p
      for (let k = 1; k <= pieces; k++) {
        path.push(x, y, thick)
        x = cubic(before.x, p.x, q.x, after.x, k / pieces)
        y = cubic(before.y, p.y, q.y, after.y, k / pieces)
        thick += step
        path.push(x, y, thick)
      }
    }
  }
  return path
}

/** From b to c with slopes (c - a) / 2 and (d - b) / 2, at t in [0, 1] (Catmull and Rom 1974). */
function cubic(a: number, b: number, c: number, d: number, t: number): number {
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
}

/** Scales the path in place, so that its longer side is `size` pixels, and puts its middle in the image's. */
function fit(path: Path, size: number): Path {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < path.length; i += 3) {
    left = Math.min(left, path[i])
    right = Math.max(right, path[i])
    top = Math.min(top, path[i + 1])
    bottom = Math.max(bottom, path[i + 1])
  }
  const scale = size / Math.max(right - left, bottom - top)
  for (let i = 0; i < path.length; i += 3) {
    path[i] = side / 2 + scale * (path[i] - (left + right) / 2)
    path[i + 1] = side / 2 + scale * (path[i + 1] - (top + bottom) / 2)
  }
  return path
}

/** How far each pixel's centre is inside the ink, as a share of an edge `soft` pixels wide; may exceed 1. */
function cover(path: Path, soft: number): Float32Array {
  const canvas = new Float32Array(side * side)
  for (let i = 0; i < path.length; i += 6) {
    const x0 = path[i] - 0.5 // the centre of pixel 0 is at 0.5
    const y0 = path[i + 1] - 0.5
    const radius = path[i + 2]
    const dx = path[i + 3] - path[i]
    const dy = path[i + 4] - path[i + 1]
    const growth = path[i + 5] - radius
    const square = dx * dx + dy * dy + 1e-12 // two points may coincide
    const reach = Math.max(radius, radius + growth) + soft / 2
    const top = Math.max(0, Math.ceil(Math.min(y0, y0 + dy) - reach))
    const bottom = Math.min(side - 1, Math.floor(Math.max(y0, y0 + dy) + reach))
    const left = Math.max(0, Math.ceil(Math.min(x0, x0 + dx) - reach))
    const right = Math.min(side - 1, Math.floor(Math.max(x0, x0 + dx) + reach))
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const x = column - x0
        const y = row - y0
        const t = Math.min(1, Math.max(0, (x * dx + y * dy) / square))
        const distance = Math.sqrt((x - t * dx) * (x - t * dx) + (y - t * dy) * (y - t * dy))
        const share = 0.5 + (radius + t * growth - distance) / soft
        if (share > canvas[row * side + column]) canvas[row * side + column] = share
      }
    }
  }
  return canvas
}

/** Makes the edge uneven, as a scanned one is, and cuts coverage to [0, 1]. Paper and full ink stay as they are. */
function roughen(canvas: Float32Array, draw: Draw): void {
  const noise = uniforms(draw, canvas.length)
  for (let i = 0; i < canvas.length; i++) {
    if (canvas[i] > 0) canvas[i] = Math.min(1, Math.max(0, canvas[i] + 0.4 * (noise[i] - 0.5)))
  }
}

/** Writes the canvas as bytes, moved by whole pixels: centre of mass to the image's middle, then right and down. */
function place(
  canvas: Float32Array,
  { right, down, into, offset }: { right: number; down: number; into: Uint8Array; offset: number },
): void {
  let [mass, massX, massY] = [0, 0, 0]
  for (let i = 0; i < canvas.length; i++) {
    mass += canvas[i]
    massX += canvas[i] * ((i % side) + 0.5)
    massY += canvas[i] * (Math.floor(i / side) + 0.5)
  }
  const columns = Math.round(side / 2 - massX / mass + right)
  const rows = Math.round(side / 2 - massY / mass + down)
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const x = column - columns
      const y = row - rows
      const inside = x >= 0 && x < side && y >= 0 && y < side
      into[offset + row * side + column] = inside ? Math.round(255 * canvas[y * side + x]) : 0
    }
  }
}
