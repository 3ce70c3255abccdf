/** A graph as text: one node a line, inputs before their users. What tests and bug reports quote. */
import type { Node } from './node.ts'
import { topological } from './node.ts'

/** How the attributes of some op are better said; by op name. */
export type AttrsText = (node: Node, inputNames: readonly string[]) => string | undefined

function plainAttrs(node: Node): string {
  const parts = Object.entries(node.attrs)
    .filter(([name]) => name !== 'shape' && name !== 'dtype')
    .map(([name, value]) => `${name}: ${valueText(value)}`)
  return parts.length > 0 ? ` {${parts.join(', ')}}` : ''
}

function valueText(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${(value as Uint8Array).length} values`
  return typeof value === 'string' ? value : JSON.stringify(value).replaceAll('"', '').replaceAll(',', ', ')
}

/** `%2 = convolution(%0, %1) {strides: [1, 1], ...} float32 [1, 26, 26, 8]`, a line per node. */
export function printGraph(roots: readonly Node[], attrsText: AttrsText = () => undefined): string {
  const names = new Map<Node, string>()
  return topological(roots)
    .map((node, i) => {
      names.set(node, `%${i}`)
      const inputs = node.inputs.map((x) => names.get(x) as string)
      const call = inputs.length > 0 ? `(${inputs.join(', ')})` : ''
      const said = attrsText(node, inputs) ?? plainAttrs(node)
      return `%${i} = ${node.op.opName}${call}${said} ${node.dtype} [${node.shape.join(', ')}]`
    })
    .join('\n')
}
