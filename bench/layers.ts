/**
 * Layers one by one, forwards and back: what is measured, and the work of it: GFLOP/s of those that multiply, GB/s of those that
 * move, by the tensors that each pass must read and write at least.
 */
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf } from '../src/graph/shape.ts'
import type { Layer } from '../src/nn/layer.ts'
import { outputShape, weightsOf } from '../src/nn/layer.ts'
import { layers } from '../src/nn/layers/index.ts'
import type { Mode, PlainRow } from './protocol.ts'

interface Row {
  readonly layer: Layer
  /** Of a batch of its input; those that follow are of other inputs. */
  readonly shapes: readonly Shape[]
  /** Its gradients read the input again, or the result. */
  readonly rereads?: true
  /** It draws random numbers, which are others in every library. */
  readonly draws?: true
}

const sequences = [64, 1024, 32]
const images = [32, 32, 32, 64]
const volumes = [4, 16, 24, 24, 32]
const {
  conv1d,
  conv3d,
  separableConv1d,
  separableConv2d,
  conv1dTranspose,
  conv2dTranspose,
  conv3dTranspose,
  resizing,
} = layers
const three = { kernelSize: 3, padding: 'same' } as const
const two = { kernelSize: 4, strides: 2, padding: 'same' } as const

const layersOneByOne: Readonly<Record<string, Row>> = {
  'conv1d, causal': { layer: conv1d({ ...three, filters: 64, padding: 'causal' }), shapes: [sequences] },
  'conv1d, dilation 4': { layer: conv1d({ ...three, filters: 64, dilationRate: 4 }), shapes: [sequences] },
  conv3d: { layer: conv3d({ ...three, filters: 32 }), shapes: [volumes] },
  'conv3d, 4 groups': { layer: conv3d({ ...three, filters: 32, groups: 4 }), shapes: [volumes] },
  depthwiseConv1d: { layer: layers.depthwiseConv1d({ kernelSize: 3, padding: 'same' }), shapes: [sequences] },
  depthwiseConv2d: { layer: layers.depthwiseConv2d({ kernelSize: 3, padding: 'same' }), shapes: [images] },
  'depthwiseConv2d, 5 x 5': { layer: layers.depthwiseConv2d({ kernelSize: 5, padding: 'same' }), shapes: [images] },
  'depthwiseConv2d, dilation 2': {
    layer: layers.depthwiseConv2d({ kernelSize: 3, padding: 'same', dilationRate: 2 }),
    shapes: [images],
  },
  'depthwiseConv2d, 2 a channel': {
    layer: layers.depthwiseConv2d({ kernelSize: 3, padding: 'same', depthMultiplier: 2 }),
    shapes: [images],
  },
  separableConv1d: { layer: separableConv1d({ ...three, filters: 64 }), shapes: [sequences] },
  separableConv2d: { layer: separableConv2d({ ...three, filters: 128 }), shapes: [images] },
  conv1dTranspose: { layer: conv1dTranspose({ ...two, filters: 32 }), shapes: [sequences] },
  conv2dTranspose: { layer: conv2dTranspose({ ...two, filters: 32 }), shapes: [images] },
  'conv2dTranspose, stride 1': { layer: conv2dTranspose({ ...three, filters: 64 }), shapes: [images] },
  conv3dTranspose: { layer: conv3dTranspose({ ...two, kernelSize: 2, filters: 16 }), shapes: [volumes] },
  upSampling1d: { layer: layers.upSampling1d(), shapes: [sequences] },
  upSampling2d: { layer: layers.upSampling2d(), shapes: [images] },
  'upSampling2d, 3 channels': { layer: layers.upSampling2d({ size: 4 }), shapes: [[32, 56, 56, 3]] },
  'upSampling2d, bilinear': { layer: layers.upSampling2d({ interpolation: 'bilinear' }), shapes: [images] },
  'upSampling2d, bilinear, 3 channels': {
    layer: layers.upSampling2d({ size: 4, interpolation: 'bilinear' }),
    shapes: [[32, 56, 56, 3]],
  },
  upSampling3d: { layer: layers.upSampling3d(), shapes: [volumes] },
  'resizing, 224 to 160': { layer: resizing({ height: 160, width: 160 }), shapes: [[8, 224, 224, 3]] },
  'resizing, 96 to 224': { layer: resizing({ height: 224, width: 224 }), shapes: [[8, 96, 96, 3]] },
  cropping2d: { layer: layers.cropping2d({ cropping: 2 }), shapes: [images] },
  zeroPadding2d: { layer: layers.zeroPadding2d({ padding: 1 }), shapes: [images] },
  maxPooling1d: { layer: layers.maxPooling1d(), shapes: [sequences] },
  maxPooling2d: { layer: layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }), shapes: [images] },
  maxPooling3d: { layer: layers.maxPooling3d(), shapes: [volumes] },
  averagePooling2d: { layer: layers.averagePooling2d(), shapes: [images] },
  'averagePooling2d, counting its border': {
    layer: layers.averagePooling2d({ poolSize: 3, strides: 1, padding: 'same', countPadding: true }),
    shapes: [images],
  },
  'adaptiveAveragePooling2d, 32 to 7': {
    layer: layers.adaptiveAveragePooling2d({ outputSize: 7 }),
    shapes: [images],
  },
  'adaptiveMaxPooling2d, 32 to 7': { layer: layers.adaptiveMaxPooling2d({ outputSize: 7 }), shapes: [images] },
  globalAveragePooling2d: { layer: layers.globalAveragePooling2d(), shapes: [images] },
  globalMaxPooling2d: { layer: layers.globalMaxPooling2d(), shapes: [images] },
  'multiply by [1, 1, C]': { layer: layers.multiply(), shapes: [images, [32, 1, 1, 64]] },
  concatenate: { layer: layers.concatenate(), shapes: [images, images] },
  'permute, height and width': { layer: layers.permute({ dims: [2, 1, 3] }), shapes: [images] },
  repeatVector: { layer: layers.repeatVector({ n: 64 }), shapes: [[64, 512]] },
  masking: { layer: layers.masking(), shapes: [sequences] },
  'timeDistributed, dense': {
    layer: layers.timeDistributed({ layer: layers.dense({ units: 64 }) }),
    shapes: [sequences],
  },
  'prelu, shared': { layer: layers.prelu({ sharedAxes: [1, 2] }), shapes: [images], rereads: true },
  elu: { layer: layers.elu(), shapes: [images], rereads: true },
  'softmax of channels': { layer: layers.softmax(), shapes: [images], rereads: true },
  'softmax of rows': { layer: layers.softmax({ axis: 1 }), shapes: [images], rereads: true },
  dropout: { layer: layers.dropout({ rate: 0.5 }), shapes: [images], draws: true },
  spatialDropout2d: { layer: layers.spatialDropout2d({ rate: 0.5 }), shapes: [images], draws: true },
  alphaDropout: { layer: layers.alphaDropout({ rate: 0.5 }), shapes: [images], draws: true },
  gaussianNoise: { layer: layers.gaussianNoise({ stddev: 0.1 }), shapes: [images], draws: true },
}

const places = [64, 28, 28, 64]
const { batchNormalization, groupNormalization, layerNormalization, unitNormalization } = layers
const norms: Readonly<Record<string, Row>> = {
  'plain pass': { layer: layers.rescaling({ scale: 2, offset: 1 }), shapes: [places] },
  'batch norm': { layer: batchNormalization(), shapes: [places], rereads: true },
  'layer norm': { layer: layerNormalization(), shapes: [places], rereads: true },
  'group norm, 8 groups': { layer: groupNormalization({ groups: 8 }), shapes: [places], rereads: true },
  'instance norm': { layer: groupNormalization({ groups: -1 }), shapes: [places], rereads: true },
  'unit norm': { layer: unitNormalization(), shapes: [places], rereads: true },
  'local response': {
    layer: layers.localResponseNormalization({ size: 5, alpha: 1e-4, beta: 0.75, k: 2 }),
    shapes: [places],
    rereads: true,
  },
}

export const layerParts = { layers: layersOneByOne, norms } as const satisfies Record<PlainRow['part'], unknown>

/** The rows of a part as anybody can read them; those whose names hold a text. */
export const plainRows = (part: PlainRow['part'], text: string): PlainRow[] =>
  Object.entries(layerParts[part]).flatMap(([name, row]) => {
    const { layer, shapes } = row
    const specs = Object.entries(weightsOf(layer, samplesOf(row)))
    const weights = Object.fromEntries(
      specs.map(([weight, { shape, trainable = true }]) => [weight, { shape, trained: trainable }]),
    )
    const plain = { part, name, type: layer.type, options: layer.options, shapes, weights, draws: row.draws ?? false }
    return name.includes(text) ? [plain] : []
  })

const samplesOf = ({ shapes }: Row): Shape[] => shapes.map((shape) => shape.slice(1))
const resultOf = (row: Row): Shape => [row.shapes[0][0], ...outputShape(row.layer, samplesOf(row), 'bench')]

/** What a pass has to do at least. */
export interface Work {
  /** Of a layer with kernels; 0 for others. */
  readonly flops: number
  readonly bytes: number
}

/** Forwards; or, in training, forwards and back. */
export function workOf({ part, name }: PlainRow, mode: Mode): Work {
  const row = layerParts[part][name]
  const [flops, tensors, read] = [flopsOf(row), bytesOf(row), 4 * sizeOf(row.shapes[0])]
  if (mode === 'infer') return { flops, bytes: tensors }
  return { flops: 3 * flops, bytes: 2 * tensors + (row.rereads ? read : 0) }
}

/** Multiply-adds, as two each: a kernel's elements are all used at every place of the result, of the input where it is transposed. */
function flopsOf(row: Row): number {
  const kernels = Object.entries(weightsOf(row.layer, samplesOf(row))).filter(([name]) => /kernel/i.test(name))
  const places = row.layer.type.endsWith('Transpose') ? row.shapes[0] : resultOf(row)
  return kernels.reduce((total, [, { shape }]) => total + 2 * sizeOf(places.slice(0, -1)) * sizeOf(shape), 0)
}

/** Inputs read and the result written; back, the same tensors' gradients. */
const bytesOf = (row: Row): number =>
  4 * [...row.shapes, resultOf(row)].reduce((total, shape) => total + sizeOf(shape), 0)
