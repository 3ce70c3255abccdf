/** The walk back. It names no op: every rule is in its op's row. */

import { FoveaError, locate } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isListOf } from '../base/realm.ts'
import type { Node } from '../graph/node.ts'
import { constant, isNode, topological } from '../graph/node.ts'
import { shapeText } from '../graph/shape.ts'
import { broadcastTo } from './broadcasting.ts'
import { add } from './elementwise.ts'

/** A node's gradients for its inputs; an explanation may put its own rule before the op's. */
export type GradientRule = (dy: Node, node: Node) => readonly (Node | undefined)[] | undefined

const ownRule: GradientRule = (dy, node) => node.op.row.gradient?.(dy, node, node.inputs as Node[], node.attrs)

/** The derivative of a scalar `of` for each node of `wrt`, as nodes; zeros where nothing flows. */
export function gradients(of: Node, wrt: readonly Node[], rule: GradientRule = ownRule): Node[] {
  const isRight = isNode(of) && isListOf(wrt, isNode) && typeof rule === 'function'
  if (!isRight) {
    const [expected, got] = ['a scalar node, and a list of nodes', `${show(of)} and ${show(wrt)}`]
    throw new FoveaError('E_GRAPH', { what: 'no nodes', where: 'gradients', expected, got })
  }
  if (of.shape.length > 0) {
    throw new FoveaError('E_GRAPH', {
      what: 'only a scalar has gradients',
      got: shapeText(of.shape),
      hint: 'take its sum or mean',
    })
  }
  const order = topological([of])
  const onPath = new Set<Node>(wrt)
  for (const node of order) if (node.inputs.some((input) => onPath.has(input))) onPath.add(node)

  const flow = new Map<Node, Node>([[of, constant(1)]])
  for (const node of order.reverse()) {
    const dy = flow.get(node)
    if (!dy || !node.inputs.some((input) => onPath.has(input))) continue
    const parts = locate(`gradient of ${node.op.opName}`, () => rule(dy, node) ?? ownRule(dy, node))
    if (!parts) throw new FoveaError('E_GRAPH', { what: `${node.op.opName} is not differentiable` })
    node.inputs.forEach((input, i) => {
      const part = parts[i]
      if (!part || !onPath.has(input)) return
      const sofar = flow.get(input)
      flow.set(input, sofar ? add(sofar, part) : part)
    })
  }
  return wrt.map((node) => flow.get(node) ?? broadcastTo(constant(0), { shape: node.shape }))
}
