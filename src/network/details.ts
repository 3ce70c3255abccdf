/** What each layer of a network computes, keeps and sees: multiply-adds, memory of activations, receptive field. */

import { printable } from '../base/printable.ts'
import type { Node } from '../graph/node.ts'
import { input, topological } from '../graph/node.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Network } from './network.ts'
import { forward, networkVariables } from './network.ts'
import { sizeText } from './summary.ts'

/** Of one use of a layer and one sample. */
export interface LayerDetails {
  readonly name: string
  readonly className: string
  readonly params: number
  readonly multiplyAdds: number
  /** Bytes of its result as float32, which training keeps for the gradients. */
  readonly outputBytes: number
  /** Bytes that are needed while it is computed: its result, and every earlier one that is still read. */
  readonly aliveBytes: number
  /** What of the picture one of its elements sees, per spatial axis; 'all' behind what mixes all places. */
  readonly receptiveField: readonly number[] | 'all'
}

export interface NetworkDetails {
  readonly layers: readonly LayerDetails[]
  readonly multiplyAdds: number
  /** Bytes of activations of one sample: all of them in training, the most that are alive at once in inference. */
  readonly trainingBytes: number
  readonly inferenceBytes: number
}

/** How far an element sees, and how far its neighbour's view is away, per spatial axis. */
type Field = { readonly size: readonly number[]; readonly jump: readonly number[] } | 'all'

const spatial = ({ shape }: Node): readonly number[] => shape.slice(1, -1)

/** The wider of what several inputs see. */
const wider = (a: Field, b: Field): Field =>
  a === 'all' || b === 'all'
    ? 'all'
    : { size: a.size.map((n, i) => Math.max(n, b.size[i])), jump: a.jump.map((n, i) => Math.max(n, b.jump[i])) }

function fieldOf(node: Node, known: ReadonlyMap<Node, Field>): Field | undefined {
  const fields = node.inputs.flatMap((x) => known.get(x) ?? [])
  if (fields.length === 0) return undefined
  const seen = fields.reduce(wider)
  if (seen === 'all') return 'all'
  const window = node.op.row.window?.([...node.inputs], node.attrs)
  if (window) {
    const size = seen.size.map((n, i) => n + (window.size[i] - 1) * window.dilation[i] * seen.jump[i])
    return { size, jump: seen.jump.map((n, i) => n * window.strides[i]) }
  }
  const [x] = node.inputs.filter((one) => known.has(one))
  const isLess = node.shape.length < x.shape.length && node.shape.length - 2 < seen.size.length
  return isLess ? 'all' : seen
}

/** Counts from the forward graph of one sample, so a layer of your own is counted too. */
export function detailsOf(network: Network): NetworkDetails {
  const inputs = Object.fromEntries(
    Object.entries(network.inputs).map(([name, shape]) => [name, input(`input/${name}`, [1, ...shape])]),
  )
  const key = input('key', [4], 'int32')
  const { values } = forward(network, networkVariables(network), inputs, { mode: 'infer', key })
  const fields = new Map<Node, Field>(
    Object.values(inputs).map((x) => [x, { size: spatial(x).map(() => 1), jump: spatial(x).map(() => 1) }]),
  )
  const costs = new Map<Node, number>()
  for (const node of topological(values)) {
    costs.set(node, node.op.row.multiplyAdds?.([...node.inputs], node) ?? 0)
    const field = fields.get(node) ?? fieldOf(node, fields)
    if (field) fields.set(node, field)
  }
  const bytes = values.map((node) => 4 * sizeOf(node.shape.slice(1)))
  const lastRead = values.map((_, i) => i)
  for (const [i, call] of network.calls.entries())
    for (const from of call.inputs) lastRead[from] = Math.max(lastRead[from], i)
  const counted = new Set<Node>()
  const layers = network.calls.flatMap(({ of }, i): LayerDetails[] => {
    if (of.kind === 'input') return []
    const own = topological([values[i]]).filter((node) => !counted.has(node))
    for (const node of own) counted.add(node)
    const field = fields.get(values[i]) ?? 'all'
    return [
      {
        name: of.layer.name,
        className: of.layer.layer.row.className,
        params: Object.values(of.layer.weights).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
        multiplyAdds: own.reduce((sum, node) => sum + (costs.get(node) ?? 0), 0),
        outputBytes: bytes[i],
        aliveBytes: bytes.reduce((sum, size, j) => (j <= i && lastRead[j] >= i ? sum + size : sum), 0),
        receptiveField: field === 'all' ? field : field.size,
      },
    ]
  })
  const sum = (of: (layer: LayerDetails) => number): number => layers.reduce((total, layer) => total + of(layer), 0)
  return {
    layers,
    multiplyAdds: sum((layer) => layer.multiplyAdds),
    trainingBytes: sum((layer) => layer.outputBytes),
    inferenceBytes: Math.max(...layers.map((layer) => layer.aliveBytes)),
  }
}

const thousands = (n: number): string => n.toLocaleString('en-US')

/** Rows of cells: a title, a row per layer, and the sums. */
export function detailsCells(network: Network): string[][] {
  const { layers, multiplyAdds, trainingBytes, inferenceBytes } = detailsOf(network)
  return [
    ['layer (type)', 'parameters', 'multiply-adds', 'result', 'alive', 'receptive field'],
    ...layers.map((layer) => [
      printable(`${layer.name} (${layer.className})`),
      thousands(layer.params),
      thousands(layer.multiplyAdds),
      sizeText(layer.outputBytes),
      sizeText(layer.aliveBytes),
      layer.receptiveField === 'all' ? 'all' : layer.receptiveField.join(' x '),
    ]),
    [
      'in all',
      thousands(layers.reduce((sum, { params }) => sum + params, 0)),
      thousands(multiplyAdds),
      sizeText(trainingBytes),
      sizeText(inferenceBytes),
      '',
    ],
  ]
}
