/**
 * Mixed precision, as Keras's policy `mixed_bfloat16`: convolutions and matrix products read bfloat16, and values that
 * are between two of them are stored as bfloat16. Weights, optimizer, sums, losses and all that is computed within an
 * op stay float32. A pass over a graph whose gradients are there; every question is to a property of an op's row.
 */
import type { FloatDType } from '../graph/dtype.ts'
import { isFloat } from '../graph/dtype.ts'
import type { Node } from '../graph/node.ts'
import { makeNode, topological } from '../graph/node.ts'
import { sameShape } from '../graph/shape.ts'
import { cast } from '../ops/elementwise.ts'
import type { Goals } from './goals.ts'

export const precisions = ['float32', 'mixed_bfloat16'] as const
export type Precision = (typeof precisions)[number]

const reads = (node: Node) => node.op.row.precision?.reads
const gives = (node: Node) => node.op.row.precision?.gives === 'any' && isFloat(node.dtype)

/** The same goals with values stored as bfloat16 between convolutions and matrix products, and casts where they begin and end. */
export function mixed({ outputs, updates, float32 = [] }: Goals): Goals {
  const order = topological([...Object.values(outputs), ...updates.flat(), ...float32])
  const low = lowNodes(order, new Set([...Object.values(outputs), ...updates.map(([, next]) => next), ...float32]))
  const made = new Map<Node, Node>()
  /** A cast for each reader: equal ones become one when the graph is simplified. */
  const as = (x: Node, dtype: FloatDType): Node => (!isFloat(x.dtype) || x.dtype === dtype ? x : cast(x, dtype))
  const now = (node: Node): Node => made.get(node) as Node
  for (const node of order) {
    const isLow = low.has(node)
    const how = reads(node)
    const wanted = how === 'bfloat16' || (how === 'alike' && isLow) ? 'bfloat16' : 'float32'
    const inputs = node.inputs.map((x) => (how === 'any' ? now(x) : as(now(x), wanted)))
    const attrs = isLow && how !== 'alike' ? { ...node.attrs, dtype: 'bfloat16' } : node.attrs
    const isSame = attrs === node.attrs && inputs.every((x, i) => x === node.inputs[i])
    made.set(node, isSame ? node : makeNode(node.op, inputs, attrs))
  }
  return {
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, node]) => [name, now(node)])),
    updates: updates.map(([variable, next]) => [now(variable), now(next)]),
    float32: float32.map(now),
  }
}

/** The nodes of `order` to be stored as bfloat16: they lead to a product and come from one, or are only made for products. */
function lowNodes(order: readonly Node[], kept: ReadonlySet<Node>): Set<Node> {
  const users = new Map(order.map((node): [Node, Node[]] => [node, []]))
  const readersOf = (node: Node): Node[] => users.get(node) as Node[]
  for (const node of order) for (const x of node.inputs) readersOf(x).push(node)
  const pinned = new Set(kept)
  for (const node of order.toReversed()) if (pinned.has(node) && node.op.row.kind === 'view') pinned.add(node.inputs[0])

  /** May a value go on as bfloat16 from x to its user? Through an elementwise op: where it has the same elements. */
  const goesOn = (x: Node, user: Node): boolean =>
    gives(user) && !pinned.has(user) && (reads(user) === 'alike' || sameShape(x.shape, user.shape))
  const comes = new Set<Node>()
  for (const node of order) {
    const isProduct = gives(node) && reads(node) === 'bfloat16' && !pinned.has(node)
    if (isProduct || node.inputs.some((x) => comes.has(x) && goesOn(x, node))) comes.add(node)
  }
  const leads = new Set<Node>()
  const low = new Set<Node>()
  for (const node of order.toReversed()) {
    const readers = readersOf(node)
    const isRead = (user: Node): boolean => reads(user) === 'bfloat16'
    if (readers.some((user) => isRead(user) || (leads.has(user) && goesOn(node, user)))) leads.add(node)
    const isOnlyFor = readers.every((user) => isRead(user) || (reads(user) === 'alike' && low.has(user)))
    const mayBe = gives(node) && !pinned.has(node) && leads.has(node)
    if (node.dtype === 'bfloat16' || (mayBe && (comes.has(node) || isOnlyFor))) low.add(node)
  }
  return low
}
