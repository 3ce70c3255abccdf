/**
 * Layers one by one, forwards and back: GFLOP/s of those that multiply, GB/s of those that move, by the tensors that each pass must
 * read and write at least.
 */
import { compile } from '../src/compile/program.ts'
import { State } from '../src/compile/state.ts'
import type { EngineName } from '../src/engines/index.ts'
import { openEngine } from '../src/engines/index.ts'
import type { Node } from '../src/graph/node.ts'
import { variable } from '../src/graph/node.ts'
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf } from '../src/graph/shape.ts'
import type { ForwardContext, Layer } from '../src/nn/layer.ts'
import { forwarded, outputShape, weightsOf } from '../src/nn/layer.ts'
import { layers } from '../src/nn/layers/index.ts'
import { mul } from '../src/ops/elementwise.ts'
import { gradients } from '../src/ops/gradient.ts'
import { slice } from '../src/ops/movement.ts'
import { sum } from '../src/ops/reduction.ts'
import { median } from './measure.ts'

interface Row {
  readonly layer: Layer
  /** Of a batch of its input; those that follow are of other inputs. */
  readonly shapes: readonly Shape[]
}

const sequences = [64, 1024, 32]
const images = [32, 32, 32, 64]
const volumes = [4, 16, 24, 24, 32]
const { conv1d, conv3d, separableConv1d, separableConv2d, conv1dTranspose, conv2dTranspose, conv3dTranspose } = layers
const three = { kernelSize: 3, padding: 'same' } as const
const two = { kernelSize: 4, strides: 2, padding: 'same' } as const

const rows: Readonly<Record<string, Row>> = {
  'conv1d, causal': { layer: conv1d({ ...three, filters: 64, padding: 'causal' }), shapes: [sequences] },
  'conv1d, dilation 4': { layer: conv1d({ ...three, filters: 64, dilationRate: 4 }), shapes: [sequences] },
  conv3d: { layer: conv3d({ ...three, filters: 32 }), shapes: [volumes] },
  'conv3d, 4 groups': { layer: conv3d({ ...three, filters: 32, groups: 4 }), shapes: [volumes] },
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
  upSampling3d: { layer: layers.upSampling3d(), shapes: [volumes] },
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
}

export interface LayerFigure {
  readonly layer: string
  readonly engine: EngineName
  readonly pass: 'forwards' | 'forwards and back'
  readonly milliseconds: number
  /** Of a layer with kernels; null for others. */
  readonly gflops: number | null
  readonly gigabytesPerSecond: number
}

const context: ForwardContext = {
  mode: 'infer',
  isTrainable: true,
  draw: () => {
    throw new Error('draws nothing')
  },
}

/** Every layer of the table on one engine. */
export async function measureLayers(engine: EngineName, threads: number, rounds: number): Promise<LayerFigure[]> {
  const opened = await openEngine({ engine, threads })
  const figures: LayerFigure[] = []
  try {
    for (const [name, row] of Object.entries(rows)) {
      const state = new State(opened)
      for (const [pass, milliseconds] of Object.entries(await timesOf(state, row, rounds))) {
        const isBack = pass !== 'forwards'
        const seconds = milliseconds / 1000
        const flops = (isBack ? 3 : 1) * flopsOf(row)
        figures.push({
          ...{ layer: name, engine, pass: pass as LayerFigure['pass'], milliseconds },
          gflops: flops > 0 ? flops / seconds / 1e9 : null,
          gigabytesPerSecond: ((isBack ? 2 : 1) * bytesOf(row)) / seconds / 1e9,
        })
      }
      state.close()
    }
  } finally {
    await opened.close()
  }
  return figures
}

const samplesOf = ({ shapes }: Row): Shape[] => shapes.map((shape) => shape.slice(1))
const resultOf = (row: Row): Shape => [row.shapes[0][0], ...outputShape(row.layer, samplesOf(row), 'bench')]

/** Multiply-adds, as two each: a kernel's elements are all used at every place of the result, of the input where it is transposed. */
function flopsOf(row: Row): number {
  const kernels = Object.entries(weightsOf(row.layer, samplesOf(row))).filter(([name]) => name !== 'bias')
  const places = row.layer.type.endsWith('Transpose') ? row.shapes[0] : resultOf(row)
  return kernels.reduce((total, [, { shape }]) => total + 2 * sizeOf(places.slice(0, -1)) * sizeOf(shape), 0)
}

/** Inputs read and the result written; back, the same tensors' gradients. */
const bytesOf = (row: Row): number =>
  4 * [...row.shapes, resultOf(row)].reduce((total, shape) => total + sizeOf(shape), 0)

/** Milliseconds of each pass. What is large stays in the engine. */
async function timesOf(state: State, row: Row, rounds: number): Promise<Record<LayerFigure['pass'], number>> {
  const filled = async (name: string, shape: Shape): Promise<Node> => {
    const value = (_: unknown, i: number) => (((i + name.length) * 7919) % 1024) / 512 - 1
    await state.add(name, { shape, dtype: 'float32' }, () => Float32Array.from({ length: sizeOf(shape) }, value))
    return variable(name, shape)
  }
  const inputs: Node[] = []
  for (const [i, shape] of row.shapes.entries()) inputs.push(await filled(`x${i}`, shape))
  const weights: Record<string, Node> = {}
  for (const [name, { shape }] of Object.entries(weightsOf(row.layer, samplesOf(row))))
    weights[name] = await filled(name, shape)
  const { output } = forwarded(row.layer, inputs as [Node, ...Node[]], weights, context)
  const [y, dy] = [await filled('y', output.shape), await filled('dy', output.shape)]
  const wanted = [...inputs, ...Object.values(weights)]
  const back: (readonly [Node, Node])[] = []
  for (const [i, flow] of gradients(sum(mul(output, dy)), wanted).entries())
    back.push([await filled(`d${i}`, flow.shape), flow])
  const one = slice(inputs[0], { begin: inputs[0].shape.map(() => 0), size: inputs[0].shape.map(() => 1) })
  const programs = {
    forwards: compile(state, { outputs: { one }, updates: [[y, output]] }),
    'forwards and back': compile(state, { outputs: { one }, updates: [[y, output], ...back] }),
  }
  const times = { forwards: [] as number[], 'forwards and back': [] as number[] }
  for (let round = 0; round < rounds + 3; round++) {
    for (const pass of Object.keys(programs) as LayerFigure['pass'][]) {
      const start = performance.now()
      await programs[pass].run({})
      if (round >= 3) times[pass].push(performance.now() - start) // kernels are compiled anew in the first ones
    }
  }
  for (const program of Object.values(programs)) program.close()
  return { forwards: median(times.forwards), 'forwards and back': median(times['forwards and back']) }
}
