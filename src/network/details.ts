/** What each layer of a network computes, keeps and sees: multiply-adds, memory of activations, receptive field. */

import { printable } from '../base/printable.ts'
import type { Node } from '../graph/node.ts'
import { input, topological } from '../graph/node.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Network } from './network.ts'
import { forward, networkVariables } from './network.ts'
import type { Field } from './receptive-field.ts'
import { fieldOf, fieldOfInput } from './receptive-field.ts'
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
  /**
   * What of the picture one of its elements sees, per spatial axis; 'all' behind what mixes all places, 'unknown' behind what moves
   * places in a way that is not followed (permute, resizing, places cut into several).
   */
  readonly receptiveField: readonly number[] | 'all' | 'unknown'
}

export interface NetworkDetails {
  readonly layers: readonly LayerDetails[]
  readonly multiplyAdds: number
  /** Bytes of activations of one sample: all of them in training, the most that are alive at once in inference. */
  readonly trainingBytes: number
  readonly inferenceBytes: number
}

/** Counts from the forward graph of one sample, so a layer of your own is counted too. */
export function detailsOf(network: Network): NetworkDetails {
  const inputs = Object.fromEntries(
    Object.entries(network.inputs).map(([name, shape]) => [name, input(`input/${name}`, [1, ...shape])]),
  )
  const key = input('key', [4], 'int32')
  const { values } = forward(network, networkVariables(network), inputs, { mode: 'infer', key })
  const fields = new Map<Node, Field>(Object.values(inputs).map((x) => [x, fieldOfInput(x)]))
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
    const field = fields.get(values[i]) ?? 'unknown'
    return [
      {
        name: of.layer.name,
        className: of.layer.layer.row.className,
        params: Object.values(of.layer.weights).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
        multiplyAdds: own.reduce((sum, node) => sum + (costs.get(node) ?? 0), 0),
        outputBytes: bytes[i],
        aliveBytes: bytes.reduce((sum, size, j) => (j <= i && lastRead[j] >= i ? sum + size : sum), 0),
        receptiveField: typeof field === 'string' ? field : field.size.map(Math.ceil),
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

/** What one sample takes, as lines for people. */
export function totalsLines(network: Network): string[] {
  const { multiplyAdds, trainingBytes, inferenceBytes } = detailsOf(network)
  return [
    ` Multiply-adds of a sample: ${thousands(multiplyAdds)}`,
    ` Its activations: ${sizeText(trainingBytes)} to train, ${sizeText(inferenceBytes)} to predict`,
  ]
}

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
      typeof layer.receptiveField === 'string' ? layer.receptiveField : layer.receptiveField.join(' x '),
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
