/** A graph as text: one node a line, inputs before their users. What tests and bug reports quote. */
import type { Node } from './node.ts'
import { topological } from './node.ts'

function call(node: Node, inputs: readonly string[]): string {
  const { opName, row } = node.op
  if (row.text) return row.text(inputs, node.attrs)
  const attrs = Object.entries(node.attrs)
    .filter(([name]) => name !== 'shape' && name !== 'dtype')
    .map(([name, value]) => `${name}: ${valueText(value)}`)
  return `${opName}${inputs.length > 0 ? `(${inputs.join(', ')})` : ''}${attrs.length > 0 ? ` {${attrs.join(', ')}}` : ''}`
}

function valueText(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${(value as Uint8Array).length} values`
  return typeof value === 'string' ? value : JSON.stringify(value).replaceAll('"', '').replaceAll(',', ', ')
}

/** `%2 = convolution(%0, %1) {strides: [1, 1], ...} float32 [1, 26, 26, 8]`, a line per node. */
export function printGraph(roots: readonly Node[]): string {
  const names = new Map<Node, string>()
  return topological(roots)
    .map((node, i) => {
      names.set(node, `%${i}`)
      const inputs = node.inputs.map((x) => names.get(x) as string)
      return `%${i} = ${call(node, inputs)} ${node.dtype} [${node.shape.join(', ')}]`
    })
    .join('\n')
}
