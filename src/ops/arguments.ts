/** What ops as a user calls them take: the arguments that several families share. */
import type { Option, Sizes } from '../base/options.ts'
import { choice, custom, either, integer, list, optional, sizes, withDefault } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { isNode } from '../graph/node.ts'

/** A node, or a number that stands for a constant. */
export type Operand = Node | number

const expected = 'a node, as placeholder, variable, constant and ops give'

/** A node as an argument. */
export const nodeArgument = (says: string): Option<Node, true> =>
  custom<Node>({ says, accepts: expected, check: (v) => (isNode(v) ? v : undefined) })

/** A node that may be left out. */
export const maybeNode = (says: string): Option<Node | undefined, false> => optional(nodeArgument(says), says)

/** A node, or a number that stands for a constant. */
export const operandArgument = (says: string): Option<Operand, true> =>
  custom<Operand>({
    says,
    accepts: `a number, or ${expected}`,
    check: (v) => (typeof v === 'number' || isNode(v) ? v : undefined),
  })

/** A list of sizes. */
export const sizeList = (says: string): Option<readonly number[], true> =>
  list(integer({ says: 'a size', min: 1 }), { says })

/** A list of places along axes. */
export const placeList = (says: string): Option<readonly number[], true> => list(count, { says })

const count = integer({ says: 'a number of places', min: 0 })

export const values = nodeArgument('values')
export const axis = integer({ says: 'an axis; -1 is the last' })
export const lastAxis = optional(axis, 'the axis; the last when absent')
export const borders = list(list(count, { says: 'before and after', length: 2 }), { says: 'one pair per axis' })

/** What slides over pictures. */
export const images = nodeArgument('[n, ...spatial, channels], 1 to 3 spatial axes')
export const strides = sizes({ says: 'steps of the window, one number or one per spatial axis', min: 1, default: 1 })
export const windowPadding = withDefault(
  either([choice(['valid', 'same'], { says: 'a rule' }), borders], {
    says: "border: none, TensorFlow's rule for output = ceil(input / stride), or [before, after] per spatial axis",
  }),
  'valid',
)

/** One entry per spatial axis. */
export const perAxis = <T>(value: T | readonly T[], rank: number): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : Array<T>(rank).fill(value as T)

/** One entry per spatial axis of [n, ...spatial, channels]. */
export const perSpatialAxis = (value: Sizes, x: Node): readonly number[] =>
  perAxis(value, Math.max(0, x.shape.length - 2))
