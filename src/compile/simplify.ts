/** The same graph with less in it: equal nodes become one, numbers enter expressions, and each op's row says what is idle. */
import type { Node } from '../graph/node.ts'
import { constantOp, isA, makeNode, scalarOf, topological } from '../graph/node.ts'
import type { ElementwiseAttrs } from '../ops/elementwise.ts'
import { elementwise } from '../ops/elementwise.ts'
import type { Scalar } from '../ops/scalar.ts'
import { argument, argumentsOf, scalar, substitute } from '../ops/scalar.ts'

/** Simplifies what `roots` need; returns each root's counterpart, in order. */
export function simplify(roots: readonly Node[]): Node[] {
  const counterpart = new Map<Node, Node>()
  const known = new Map<string, Node>()
  const numbers = new Map<unknown, number>()
  const number = (thing: unknown): number => {
    if (!numbers.has(thing)) numbers.set(thing, numbers.size)
    return numbers.get(thing) as number
  }

  /** The node itself, or an equal one that there was before; so are those below it that a rule has just made. */
  const unique = (node: Node): Node => {
    if (numbers.has(node)) return node
    const inputs = node.inputs.map(unique)
    const own = inputs.every((x, i) => x === node.inputs[i]) ? node : makeNode(node.op, inputs, node.attrs)
    const key = `${own.op.opName} ${inputs.map(number).join()} ${attrsKey(own, number)}`
    const twin = known.get(key) ?? own
    known.set(key, twin)
    number(twin)
    return twin
  }

  for (const node of topological(roots)) {
    const inputs = node.inputs.map((x) => counterpart.get(x) as Node)
    const unchanged = inputs.every((x, i) => x === node.inputs[i])
    let next = unchanged ? node : makeNode(node.op, inputs, node.attrs)
    if (isA(next, elementwise)) next = tidy(next)
    for (let simpler: Node | undefined = next; simpler; ) {
      next = simpler
      simpler = next.op.row.simplify?.(next.inputs as Node[], next.attrs, next)
    }
    counterpart.set(node, unique(next))
  }
  return roots.map((root) => counterpart.get(root) as Node)
}

/** Numbers move into the expression, an input given twice is read once, inputs that are not read go. */
function tidy(node: Node): Node {
  const { f } = node.attrs as unknown as ElementwiseAttrs
  const inlined = substitute(
    f,
    node.inputs.map((x, i) => numberIn(x) ?? argument(i)),
  )
  const kept: Node[] = []
  const places: Scalar[] = []
  for (const index of argumentsOf(inlined)) {
    const input = unrepeated(node.inputs[index])
    if (!kept.includes(input)) kept.push(input)
    places[index] = argument(kept.indexOf(input))
  }
  if (inlined === f && kept.length === node.inputs.length && kept.every((x, i) => x === node.inputs[i])) return node
  const folded = substitute(inlined, places)
  const next = folded.kind === 'constant' ? undefined : makeNode(node.op, kept, { ...node.attrs, f: folded })
  if (next && next.shape.length === node.shape.length && next.shape.every((n, i) => n === node.shape[i])) return next
  if (folded.kind === 'constant' && node.shape.length === 0 && node.dtype === 'float32')
    return constantOp({ value: folded.value, shape: [] })
  return node
}

/** The number that fills a node, seen through views and repetition. */
function numberIn(node: Node): Scalar | undefined {
  let source = node
  while (source.op.row.kind === 'view' || source.op.row.repeats) source = source.inputs[0]
  const value = scalarOf(source)
  return value === undefined ? undefined : scalar(value)
}

/** What a repeated node repeats, also under leading axes of size 1: broadcasting does the rest. */
const unrepeated = (node: Node): Node => (node.op.row.repeats || isPadded(node) ? unrepeated(node.inputs[0]) : node)

/** A view that only puts axes of size 1 before the others. */
function isPadded({ op, inputs: [x], shape }: Node): boolean {
  if (op.row.kind !== 'view') return false
  const lead = shape.length - x.shape.length
  return lead >= 0 && shape.every((n, axis) => n === (axis < lead ? 1 : x.shape[axis - lead]))
}

/** Attributes as text; arrays of values and expressions by identity or content. */
function attrsKey(node: Node, number: (thing: unknown) => number): string {
  return JSON.stringify(node.attrs, (name, value) => {
    if (name === 'df' || name === 'label') return undefined // what is computed decides, not how it is called
    if (ArrayBuffer.isView(value)) return `#${number(value)}`
    return typeof value === 'number' ? (Object.is(value, -0) ? '-0' : String(value)) : value
  })
}
