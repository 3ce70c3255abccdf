/** The table of a model's layers, printed as Keras prints it. */
import type { Options } from '../base/options.ts'
import { choice, flag, integer, settle } from '../base/options.ts'
import { printable } from '../base/printable.ts'
import type { Shape } from '../graph/shape.ts'
import type { Layer } from '../nn/layer.ts'
import { countOf } from '../nn/layer.ts'
import type { SettledOptimizer } from '../nn/optimizers.ts'
import { stepSlots } from '../nn/step.ts'
import type { Call, NamedLayer, Network } from './network.ts'
import { Namer, networkWeights, trainedWeights } from './network.ts'
import type { Column } from './text-table.ts'
import { boxTable, plainRow, roomFor, wrap } from './text-table.ts'

/** What is printed of a layer. */
export interface SummaryRow {
  readonly name: string
  readonly className: string
  /** Sizes of one sample; `undefined` before they are known. */
  readonly shape: Shape | undefined
  /** `undefined`: will have some, but is not built. */
  readonly params: number | undefined
  readonly trainableParams: number
  readonly frozen: boolean
  /** Where its inputs come from: layer, number of its use, number of its output. */
  readonly connectedTo: readonly string[]
}

export interface SummaryView {
  readonly name: string
  /** A chain of layers does not print where they are connected. */
  readonly chain: boolean
  readonly rows: readonly SummaryRow[]
  /** Present once there is an optimizer. */
  readonly optimizerParams?: number
}

export const summaryOptions = {
  style: choice(['keras3', 'keras2'], { says: 'the way of Keras 3, or of Keras 2.11', default: 'keras3' }),
  columns: integer({ says: 'width of the terminal', min: 1, default: 80 }),
  lineLength: integer({
    says: 'width of the table; follows from style and terminal when absent',
    min: 40,
    max: 10_000,
    optional: true,
  }),
  showTrainable: flag({ says: 'a column that says which layers are trained', default: false }),
}

export type SummaryOptions = Options<typeof summaryOptions>

/** Lines without a newline at the end. */
export function summaryText(view: SummaryView, options: SummaryOptions = {}): string {
  const { style, ...rest } = settle(summaryOptions, options, 'summary')
  return (style === 'keras3' ? keras3 : keras2)(view, rest).join('\n')
}

interface Look {
  readonly columns: number
  readonly lineLength: number | undefined
  readonly showTrainable: boolean
}

const layerColumns: readonly Column[] = [
  { title: 'Layer (type)', align: 'left' },
  { title: 'Output Shape', align: 'left' },
  { title: 'Param #', align: 'right' },
]
const connections: Column = { title: 'Connected to', align: 'left' }
const trainable: Column = { title: 'Trainable', align: 'center' }

function columnsOf({ chain }: SummaryView, showTrainable: boolean): Column[] {
  return [...layerColumns, ...(chain ? [] : [connections]), ...(showTrainable ? [trainable] : [])]
}

function keras3(view: SummaryView, { columns, lineLength, showTrainable }: Look): string[] {
  const { chain, rows, optimizerParams } = view
  const plain = chain ? [0.45, 0.8, 1] : [0.3, 0.56, 0.74, 1]
  const ends = showTrainable ? [...plain.map((end) => end * 0.9), 1] : plain
  const widest = (chain ? 88 : 108) + (showTrainable ? 12 : 0)
  const width = lineLength ?? roomFor(Math.min(widest, columns - 4), ends)
  const cells = printableCells(
    rows.map(({ name, className, shape, params, frozen, connectedTo }) => [
      `${name} (${className})`,
      shapeText(shape),
      params === undefined ? '0 (unbuilt)' : thousands(params),
      ...(chain ? [] : [connectedTo.join(', ') || '-']),
      ...(showTrainable ? [params ? (frozen ? 'N' : 'Y') : '-'] : []),
    ]),
  )
  const { all, learnt } = totals(rows)
  const say = (line: string) => wrap(line, Math.max(columns, width), 'fold')
  return [
    ...say(`Model: "${printable(view.name)}"`),
    ...boxTable(columnsOf(view, showTrainable), cells, { width, ends }),
    ...say(` Total params: ${countText(all + (optimizerParams ?? 0))}`),
    ...say(` Trainable params: ${countText(learnt)}`),
    ...say(` Non-trainable params: ${countText(all - learnt)}`),
    ...(optimizerParams === undefined ? [] : say(` Optimizer params: ${countText(optimizerParams)}`)),
  ]
}

function keras2(view: SummaryView, { lineLength, showTrainable }: Look): string[] {
  const { chain, rows } = view
  const base = lineLength ?? (chain ? 65 : 98)
  const plain = (chain ? [0.45, 0.85, 1] : [0.33, 0.55, 0.67, 1]).map((end) => Math.trunc(end * base))
  const width = base + (showTrainable ? 11 : 0)
  const ends = showTrainable ? [...plain, width] : plain
  const fields = printableCells(
    rows.map(({ name, className, shape, params, frozen, connectedTo }) => [
      `${name} (${className})`,
      className === inputClass ? `[${shapeText(shape)}]` : shapeText(shape),
      params === undefined ? '0 (unbuilt)' : `${params}`,
      ...(chain ? [] : [`[${connectedTo.map((place) => `'${place}'`).join(', ')}]`]),
      ...(showTrainable ? [frozen ? 'N' : 'Y'] : []),
    ]),
  )
  const titles = columnsOf(view, showTrainable).map(({ title }) => title)
  const { all, learnt } = totals(rows)
  return [
    `Model: "${printable(view.name)}"`,
    '_'.repeat(width),
    ...plainRow(titles, ends),
    '='.repeat(width),
    ...fields.flatMap((row) => [...plainRow(row, ends), ' '.repeat(width)]),
    '='.repeat(width),
    `Total params: ${thousands(all)}`,
    `Trainable params: ${thousands(learnt)}`,
    `Non-trainable params: ${thousands(all - learnt)}`,
    '_'.repeat(width),
  ]
}

/** Names may come from an unknown file. */
const printableCells = (rows: readonly (readonly string[])[]): string[][] => rows.map((row) => row.map(printable))

function totals(rows: readonly SummaryRow[]): { all: number; learnt: number } {
  const sum = (count: (row: SummaryRow) => number) => rows.reduce((total, row) => total + count(row), 0)
  return { all: sum(({ params }) => params ?? 0), learnt: sum(({ trainableParams }) => trainableParams) }
}

const shapeText = (shape: Shape | undefined): string => (shape ? `(${['None', ...shape].join(', ')})` : '?')
const thousands = (n: number): string => n.toLocaleString('en-US')

/** A number of parameters and the bytes that they take as float32: `55,744 (217.75 KB)`. */
export const countText = (params: number): string => `${thousands(params)} (${sizeText(4 * params)})`

/** Bytes in units of 1024, two decimals, halves to even as in Python: `1.12 KB` for 1152. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']
  let power = 0
  while (power < units.length - 1 && bytes / 1024 ** (power + 1) >= 1) power++
  const hundredths = (bytes / 1024 ** power) * 100
  const rounded = hundredths % 1 === 0.5 ? 2 * Math.round(hundredths / 2) : Math.round(hundredths)
  return `${(rounded / 100).toFixed(2)} ${units[power]}`
}

const inputClass = 'InputLayer'

/** What is printed of a network: of a sequential one its layers, of a functional one its inputs too, deepest first. */
export function viewOf(
  network: Network,
  options: { kind: 'sequential' | 'functional'; optimizerParams?: number },
): SummaryView {
  const { name, calls, frozen } = network
  const { kind, optimizerParams } = options
  const { depths, order } = depthOrder(network)
  const places = calls.map((call, i) => {
    const uses = calls.slice(0, i).filter((other) => ownerOf(other) === ownerOf(call)).length
    return `${ownerOf(call).name}[${uses}][0]`
  })
  const rows = order.map((owner): SummaryRow => {
    const uses = calls.filter((call) => ownerOf(call) === owner)
    const weights = 'weights' in owner ? Object.values(owner.weights) : []
    const isFrozen = frozen.has(owner.name)
    return {
      name: owner.name,
      className: 'layer' in owner ? owner.layer.row.className : inputClass,
      shape: uses[uses.length - 1].shape, // of the last use, as in Keras
      params: countOf(weights),
      trainableParams: isFrozen ? 0 : countOf(weights.filter(({ trainable = true }) => trainable)),
      frozen: isFrozen,
      connectedTo: uses.flatMap(({ inputs }) => inputs.map((i) => places[i])),
    }
  })
  const isChain =
    order.length === calls.length &&
    new Set(depths).size === calls.length &&
    calls.every(({ inputs }) => inputs.length <= 1)
  const given = optimizerParams === undefined ? {} : { optimizerParams }
  return kind === 'functional'
    ? { name, chain: isChain, rows, ...given }
    : { name, chain: true, rows: rows.filter(({ className }) => className !== inputClass), ...given }
}

type Owner = NamedLayer | Extract<Call['of'], { kind: 'input' }>
const ownerOf = ({ of }: Call): Owner => (of.kind === 'layer' ? of.layer : of)

/** Keras's order: by the longest way to an output; what is equally far, as met on the way back from the outputs. */
function depthOrder({ calls, outputs }: Network): { depths: number[]; order: Owner[] } {
  const depths = calls.map(() => 0)
  const ownDepth = new Map<Owner, number>()
  for (let i = calls.length - 1; i >= 0; i--) {
    const owner = ownerOf(calls[i])
    depths[i] = Math.max(depths[i], ownDepth.get(owner) ?? 0)
    ownDepth.set(owner, depths[i])
    for (const from of calls[i].inputs) depths[from] = Math.max(depths[from], depths[i] + 1)
  }
  const met = new Map<Owner, number>()
  const seen = new Set<number>()
  const stack = Object.values(outputs).reverse()
  for (let i = stack.pop(); i !== undefined; i = stack.pop()) {
    if (seen.has(i)) continue
    seen.add(i)
    const owner = ownerOf(calls[i])
    if (!met.has(owner)) met.set(owner, met.size)
    stack.push(...calls[i].inputs.toReversed())
  }
  const rank = (owner: Owner) => [ownDepth.get(owner) ?? 0, met.get(owner) ?? -1] // an input that leads nowhere: -1
  const order = [...new Set(calls.map(ownerOf))].sort((a, b) => {
    const [[depthA, metA], [depthB, metB]] = [rank(a), rank(b)]
    return depthB - depthA || metA - metB
  })
  return { depths, order }
}

/** What is printed of a sequential model that waits for an input shape. */
export function unbuiltView(name: string, layers: readonly Layer[]): SummaryView {
  const namer = new Namer()
  const once = [...new Set(layers)]
  const names = new Map(once.flatMap((layer) => (layer.givenName ? [[layer, namer.claim(layer.givenName)]] : [])))
  const rows = once.map((layer): SummaryRow => {
    const { className, countsUnbuilt } = layer.row
    const params = countsUnbuilt ? 0 : undefined
    const own = names.get(layer) ?? namer.make(className)
    return {
      name: own,
      className,
      shape: undefined,
      params,
      trainableParams: 0,
      frozen: !layer.trainable,
      connectedTo: [],
    }
  })
  return { name, chain: true, rows }
}

/** Numbers that an optimizer keeps; Keras counts the step and the learning rate too. */
export function optimizerParams(network: Network, optimizer: SettledOptimizer): number {
  const specs = networkWeights(network)
  const trained = countOf(trainedWeights(network).map((name) => specs[name]))
  return Object.keys(stepSlots(optimizer)).length * trained + 2
}
