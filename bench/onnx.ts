/** Just enough ONNX (onnx.proto3, opset 17) to give our networks to another runtime: images as [n, c, h, w]. */
import { sizeOf } from '../src/graph/shape.ts'
import type { PlainLayer } from './protocol.ts'

type Bytes = Uint8Array<ArrayBuffer>
type Floats = Float32Array<ArrayBuffer>
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
const float32 = (number: number, value: number): Bytes =>
  joined([Uint8Array.from(varint(number * 8 + 5)), new Uint8Array(Float32Array.of(value).buffer)])

const tensor = (name: string, { shape, values }: Tensor): Bytes =>
  message(fields(1, shape), field(2, FLOAT), field(8, name), field(9, new Uint8Array(values.buffer)))
const valueInfo = (name: string, shape: readonly number[]): Bytes => {
  const sizes = shape.map((n) => message(field(1, n)))
  return message(field(1, name), field(2, message(field(1, message(field(1, FLOAT), field(2, fields(1, sizes)))))))
}
type Attribute = number | readonly number[] | { readonly float: number }
function attribute(name: string, value: Attribute): Bytes {
  if (typeof value === 'number') return message(field(1, name), field(3, value), field(20, 2))
  if ('float' in value) return message(field(1, name), float32(2, value.float), field(20, 1))
  return message(field(1, name), fields(8, value), field(20, 7))
}

interface Tensor {
  readonly shape: readonly number[]
  readonly values: Floats
}

interface Piece {
  readonly op: string
  readonly attributes?: Readonly<Record<string, Attribute>>
  /** Inputs after those of the layer. */
  readonly weights?: readonly Tensor[]
}

interface Place extends PlainLayer {
  readonly weight: (name: string) => Tensor
  /** The image that was flattened into the vector this layer reads, if one was. */
  readonly flattened: readonly number[] | undefined
}

/** What was at `from(i)` stands at i: another order of axes. */
function reordered({ shape, values }: Tensor, permutation: readonly number[]): Tensor {
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

const scalar = (value: number): Tensor => ({ shape: [], values: Float32Array.of(value) })
const activations: Readonly<Record<string, readonly Piece[]>> = {
  linear: [],
  relu: [{ op: 'Relu' }],
  relu6: [{ op: 'Clip', weights: [scalar(0), scalar(6)] }],
  softmax: [{ op: 'Softmax' }],
}
const activation = (options: PlainLayer['options']): readonly Piece[] => activations[options['activation'] as string]
const bias = ({ weights, weight }: Place): Tensor[] => ('bias' in weights ? [weight('bias')] : [])

function windowAttributes({ window }: Place): Record<string, readonly number[]> {
  const { size, strides, pads } = window as NonNullable<Place['window']>
  return { kernel_shape: size, strides, pads: [...pads.map(([before]) => before), ...pads.map(([, after]) => after)] }
}

const convolution = (place: Place, kernel: Tensor, group: number): readonly Piece[] => [
  {
    op: 'Conv',
    attributes: { ...windowAttributes(place), group },
    weights: [reordered(kernel, [3, 2, 0, 1]), ...bias(place)],
  },
  ...activation(place.options),
]

const pieces: Readonly<Record<string, (place: Place) => readonly Piece[]>> = {
  conv2d: (place) => convolution(place, place.weight('kernel'), place.options['groups'] as number),
  depthwiseConv2d: (place) => {
    const { shape, values } = place.weight('kernel')
    const [height, width, channels, multiplier] = shape
    return convolution(place, { shape: [height, width, 1, channels * multiplier], values }, channels)
  },
  batchNormalization: ({ options, weight }) => [
    {
      op: 'BatchNormalization',
      attributes: { epsilon: { float: options['epsilon'] as number } },
      weights: ['gamma', 'beta', 'movingMean', 'movingVariance'].map(weight),
    },
  ],
  activation: ({ options }) => activation(options),
  add: () => [{ op: 'Add' }],
  maxPooling2d: (place) => [{ op: 'MaxPool', attributes: windowAttributes(place) }],
  globalAveragePooling2d: () => [{ op: 'GlobalAveragePool' }, { op: 'Flatten' }],
  flatten: () => [{ op: 'Flatten' }],
  dropout: () => [],
  dense: (place) => {
    const { shape, values } = place.weight('kernel')
    const [height, width, channels] = place.flattened ?? [1, 1, shape[0]]
    const rows = reordered({ shape: [height, width, channels, shape[1]], values }, [2, 0, 1, 3]).values
    return [{ op: 'Gemm', weights: [{ shape, values: rows }, ...bias(place)] }, ...activation(place.options)]
  },
}

/** The image behind a vector, if it is one that was flattened. */
function flattenedBefore(layers: readonly PlainLayer[], index: number): readonly number[] | undefined {
  const { type, inputs } = layers[index]
  if (type === 'flatten') return layers[inputs[0]].shape
  return type === 'dropout' || type === 'activation' ? flattenedBefore(layers, inputs[0]) : undefined
}

/** The network as an ONNX model from `x` to the softmax `y`, for batches of one size; `weights` is one list of all. */
export function toOnnx(layers: readonly PlainLayer[], weights: Floats, batchSize: number): Bytes {
  const nodes: Bytes[] = []
  const initializers: Bytes[] = []
  const emit = ({ op, attributes = {}, weights: own = [] }: Piece, from: readonly string[], result: string): string => {
    const names = own.map((weight, i) => {
      initializers.push(tensor(`${result}.${i}`, weight))
      return `${result}.${i}`
    })
    const given = Object.entries(attributes).map(([key, value]) => attribute(key, value))
    nodes.push(message(fields(1, [...from, ...names]), field(2, result), field(4, op), fields(5, given)))
    return result
  }
  const values = ['x']
  for (const [index, layer] of layers.entries()) {
    if (index === 0) continue
    const place: Place = {
      ...layer,
      flattened: flattenedBefore(layers, layer.inputs[0]),
      weight: (name) => {
        const { shape, at } = layer.weights[name]
        return { shape, values: weights.slice(at, at + sizeOf(shape)) }
      },
    }
    let from = layer.inputs.map((i) => values[i])
    for (const [i, piece] of pieces[layer.type](place).entries()) from = [emit(piece, from, `v${index}.${i}`)]
    values.push(from[0])
  }
  emit({ op: 'Softmax' }, [values[values.length - 1]], 'y')
  const [height, width, channels] = layers[0].shape
  const graph = message(
    fields(1, nodes),
    field(2, 'network'),
    fields(5, initializers),
    field(11, valueInfo('x', [batchSize, channels, height, width])),
    field(12, valueInfo('y', [batchSize, ...layers[layers.length - 1].shape])),
  )
  return message(field(1, 8), field(7, graph), field(8, message(field(1, ''), field(2, 17))))
}
