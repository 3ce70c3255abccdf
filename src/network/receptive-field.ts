/** What of a picture an element of a tensor sees, followed from node to node (Araujo et al. 2019). */
import type { Node, SlidingWindow } from '../graph/node.ts'
import type { Shape } from '../graph/shape.ts'
import { sameShape, sizeOf } from '../graph/shape.ts'

/**
 * How far an element sees, and how far the view of its neighbour is away, per spatial axis of the picture; 'all' behind what mixes all
 * places, 'unknown' where it is not followed.
 */
export type Field = Seen | 'all' | 'unknown'

interface Seen {
  readonly size: readonly number[]
  readonly jump: readonly number[]
  /** Sizes of the axes that the tensor has for those of the picture. */
  readonly places: Shape
}

const spatial = ({ shape }: Node): Shape => shape.slice(1, -1)

/** Of a picture [1, ...spatial, channels] itself. */
export const fieldOfInput = (x: Node): Field => {
  const ones = spatial(x).map(() => 1)
  return { size: ones, jump: ones, places: spatial(x) }
}

/** Of a node by those of its inputs; undefined for what comes from no picture, such as weights. */
export function fieldOf(node: Node, known: ReadonlyMap<Node, Field>): Field | undefined {
  const inputs = node.inputs.filter((x) => known.has(x))
  const fields = inputs.map((x) => known.get(x) as Field)
  if (fields.length === 0) return undefined
  if (fields.includes('all')) return 'all'
  const seen = fields.filter((field) => typeof field !== 'string')
  const rank = seen[0]?.size.length
  if (seen.length < fields.length || seen.some(({ size }) => size.length !== rank)) return 'unknown'
  const size = seen[0].size.map((_, i) => Math.max(...seen.map((field) => field.size[i])))
  const jump = seen[0].jump.map((_, i) => Math.max(...seen.map((field) => field.jump[i])))
  const window = rank > 0 ? node.op.row.window?.([...node.inputs], node.attrs) : undefined
  if (window && inputs.every((x, i) => sameShape(spatial(x), seen[i].places)))
    return slid({ size, jump, places: spatial(node) }, window)
  if (window?.size.some((n) => n > 1)) return 'unknown'
  const at = seen.findIndex(({ places }, i) => isKept(node, inputs[i], places))
  if (at >= 0) return { size, jump, places: seen[at].places }
  return node.shape.length === 2 && node.shape[0] === 1 ? 'all' : 'unknown'
}

/** Is every place of x an element of its own in the result too, in the same order? */
function isKept(node: Node, x: Node, places: Shape): boolean {
  if (placesEnd(node.shape, places) === undefined) return false
  const { kind = 'kernel' } = node.op.row
  if (kind !== 'kernel') return true
  // a kernel may mix its last axis, those of its run, and move those of its permutation
  const end = placesEnd(x.shape, places) ?? x.shape.length
  const { from = end, permutation = [] } = node.attrs as { from?: number; permutation?: readonly number[] }
  return end < x.shape.length && from >= end && permutation.every((axis, i) => axis === i || i >= end)
}

/** The axis behind those of the places: they have axes of their own behind the first, share one there, or are in the first. */
function placesEnd([n, ...rest]: Shape, places: Shape): number | undefined {
  if (sameShape(rest.slice(0, places.length), places)) return 1 + places.length
  if (rest[0] === sizeOf(places)) return 2
  return n === sizeOf(places) ? 1 : undefined
}

function slid({ size, jump, places }: Seen, { isTransposed, ...window }: SlidingWindow): Seen {
  const span = window.size.map((n, i) => (n - 1) * window.dilation[i] + 1)
  if (!isTransposed)
    return {
      size: size.map((n, i) => n + (span[i] - 1) * jump[i]),
      jump: jump.map((n, i) => n * window.strides[i]),
      places,
    }
  return {
    size: size.map((n, i) => n + (Math.ceil(span[i] / window.strides[i]) - 1) * jump[i]),
    jump: jump.map((n, i) => n / window.strides[i]),
    places,
  }
}
