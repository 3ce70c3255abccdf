/** Just enough ONNX (onnx.proto3, opset 17) to give a sequential network to another runtime: images as [n, c, h, w]. */
import type { Numbers } from '../src/compile/engine.ts'
import type { Padding } from '../src/graph/shape.ts'
import { sizeOf, slide } from '../src/graph/shape.ts'
import type { Call, NamedLayer, Network } from '../src/model/network.ts'
import { weightName } from '../src/model/network.ts'

type Bytes = Uint8Array<ArrayBuffer>
const FLOAT = 1

function joined(parts: readonly Bytes[]): Bytes {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    result.set(part, at)
    at += part.length
  }
  return result
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

/** A field of a protobuf message: a number, or bytes (text and messages too). */
function field(number: number, value: number | string | Bytes): Bytes {
  if (typeof value === 'number') return Uint8Array.from([...varint(number * 8), ...varint(value)])
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  return joined([Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes])
}
const fields = (number: number, values: readonly (number | string | Bytes)[]): Bytes =>
  joined(values.map((value) => field(number, value)))
const message = (...parts: readonly Bytes[]): Bytes => joined(parts)

const tensor = (name: string, shape: readonly number[], values: Float32Array<ArrayBuffer>): Bytes =>
  message(fields(1, shape), field(2, FLOAT), field(8, name), field(9, new Uint8Array(values.buffer)))
const valueInfo = (name: string, shape: readonly number[]): Bytes => {
  const sizes = shape.map((n) => message(field(1, n)))
  return message(field(1, name), field(2, message(field(1, message(field(1, FLOAT), field(2, fields(1, sizes)))))))
}
/** Attributes are integers or lists of them here. */
const attribute = (name: string, value: number | readonly number[]): Bytes =>
  typeof value === 'number'
    ? message(field(1, name), field(3, value), field(20, 2))
    : message(field(1, name), fields(8, value), field(20, 7))

interface Piece {
  readonly op: string
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>
  /** Inputs after the first. */
  readonly weights?: readonly { readonly shape: readonly number[]; readonly values: Float32Array<ArrayBuffer> }[]
}

interface Place extends NamedLayer {
  readonly weight: (name: string) => { readonly shape: readonly number[]; readonly values: Numbers }
  /** The image that was flattened into the vector this layer reads, if one was. */
  readonly flattened: readonly number[] | undefined
}

/** What was at `from(i)` stands at i: another order of axes. */
function reordered(shape: readonly number[], values: Numbers, permutation: readonly number[]) {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))
  const to = permutation.map((axis) => shape[axis])
  const result = new Float32Array(values.length)
  for (let i = 0; i < result.length; i++) {
    let [rest, from] = [i, 0]
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += (rest % to[axis]) * strides[permutation[axis]]
      rest = Math.floor(rest / to[axis])
    }
    result[i] = values[from]
  }
  return { shape: to, values: result }
}

const pair = (value: unknown): number[] => [value as number | number[]].flat().flatMap((n, _, { length }) => length === 2 ? [n] : [n, n]) // biome-ignore format: a line
const bias = ({ weight }: Place) => reordered(weight('bias').shape, weight('bias').values, [0])
const activation = ({ layer }: Place): Piece[] => (layer.options['activation'] === 'relu' ? [{ op: 'Relu' }] : [])

/** The attributes of a window, and its borders by our rule. */
function windowOf(input: readonly number[], window: number[], strides: number[], padding: Padding) {
  const axes = slide(input, { window, strides, dilation: [1, 1], padding })
  const pads = [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)]
  return { kernel_shape: window, strides, pads }
}

const pieces: Readonly<Record<string, (place: Place) => readonly Piece[]>> = {
  conv2d: (place) => {
    const { layer, inputShapes, weight } = place
    const { kernelSize, strides, padding } = layer.options
    const { shape, values } = weight('kernel')
    const attributes = windowOf(inputShapes[0].slice(0, 2), pair(kernelSize), pair(strides), padding as Padding)
    return [
      { op: 'Conv', attributes, weights: [reordered(shape, values, [3, 2, 0, 1]), bias(place)] },
      ...activation(place),
    ]
  },
  maxPooling2d: ({ layer, inputShapes }) => {
    const { poolSize, strides, padding } = layer.options
    const attributes = windowOf(
      inputShapes[0].slice(0, 2),
      pair(poolSize),
      pair(strides ?? poolSize),
      padding as Padding,
    )
    return [{ op: 'MaxPool', attributes }]
  },
  flatten: () => [{ op: 'Flatten' }],
  dropout: () => [],
  dense: (place) => {
    const { shape, values } = place.weight('kernel')
    const [height, width, channels] = place.flattened ?? [1, 1, shape[0]]
    const rows = reordered([height, width, channels, shape[1]], values, [2, 0, 1, 3]).values
    return [{ op: 'Gemm', weights: [{ shape, values: rows }, bias(place)] }, ...activation(place)]
  },
}

const layersOf = (calls: readonly Call[]) => calls.flatMap(({ of }) => (of.kind === 'layer' ? [of.layer] : []))

/** The network as an ONNX model from `x` to the softmax `y`, for batches of one size. */
export function toOnnx(
  { name, calls }: Network,
  weights: Readonly<Record<string, Numbers>>,
  batchSize: number,
): Uint8Array<ArrayBuffer> {
  const [height, width, channels] = calls[0].shape
  const nodes: Bytes[] = []
  const initializers: Bytes[] = []
  let current = 'x'
  const emit = ({ op, attributes = {}, weights: own = [] }: Piece, result = `v${nodes.length}`): void => {
    const names = own.map(({ shape, values }, i) => {
      initializers.push(tensor(`${result}.${i}`, shape, values))
      return `${result}.${i}`
    })
    const given = Object.entries(attributes).map(([key, value]) => attribute(key, value))
    nodes.push(message(fields(1, [current, ...names]), field(2, result), field(4, op), fields(5, given)))
    current = result
  }
  let flattened: readonly number[] | undefined
  for (const layer of layersOf(calls)) {
    const place: Place = {
      ...layer,
      flattened,
      weight: (key) => ({ shape: layer.weights[key].shape, values: weights[weightName(layer.name, key)] }),
    }
    for (const piece of pieces[layer.layer.type](place)) emit(piece)
    if (layer.layer.type === 'flatten') flattened = layer.inputShapes[0]
    else if (Object.keys(layer.weights).length > 0) flattened = undefined
  }
  emit({ op: 'Softmax' }, 'y')
  const graph = message(
    fields(1, nodes),
    field(2, name),
    fields(5, initializers),
    field(11, valueInfo('x', [batchSize, channels, height, width])),
    field(12, valueInfo('y', [batchSize, ...calls[calls.length - 1].shape])),
  )
  return message(field(1, 8), field(7, graph), field(8, message(field(1, ''), field(2, 17))))
}
