/** A network as plain data, for those who know nothing of Fovea. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sizes } from '../src/base/options.ts'
import type { Numbers } from '../src/compile/engine.ts'
import { openEngine } from '../src/engines/index.ts'
import type { Shape } from '../src/graph/shape.ts'
import { sizeOf, slide } from '../src/graph/shape.ts'
import type { Call, Network } from '../src/network/network.ts'
import { weightName } from '../src/network/network.ts'
import { Session } from '../src/network/session.ts'
import type { WindowPadding } from '../src/nn/layers/borders.ts'
import { paddingOf } from '../src/nn/layers/borders.ts'
import { toOnnx } from './onnx.ts'
import type { PlainLayer } from './protocol.ts'

const pair = (value: Sizes): readonly number[] => (typeof value === 'number' ? [value, value] : value)

/** The window of a layer that has one, its borders in pixels. */
function windowOf({ of, inputs }: Call, calls: readonly Call[]): PlainLayer['window'] {
  if (of.kind === 'input') return undefined
  const { kernelSize, poolSize, strides = poolSize } = of.layer.layer.options as Record<string, Sizes>
  const padding = of.layer.layer.options['padding'] as WindowPadding
  if (kernelSize === undefined && poolSize === undefined) return undefined
  const [size, steps] = [pair(kernelSize ?? poolSize), pair(strides)]
  const image = calls[inputs[0]].shape.slice(0, 2)
  const axes = slide(image, {
    window: size,
    strides: steps,
    dilation: [1, 1],
    padding: paddingOf(padding, 2),
  })
  return { size, strides: steps, pads: axes.map(({ before, after }) => [before, after]) }
}

/** The layers, and their weights' places in one list of floats in the order of the layers. */
export function plainLayers({ calls }: Network): PlainLayer[] {
  let at = 0
  const placed = (shape: Shape, trained: boolean) => {
    const place = { shape, at, trained }
    at += sizeOf(shape)
    return place
  }
  return calls.map((call): PlainLayer => {
    const { of, inputs, shape } = call
    if (of.kind === 'input') return { type: 'input', name: of.name, inputs, shape, options: {}, weights: {} }
    const { layer, name, weights } = of.layer
    const window = windowOf(call, calls)
    return {
      type: layer.type,
      name,
      inputs,
      shape,
      options: layer.options,
      ...(window && { window }),
      weights: Object.fromEntries(
        Object.entries(weights).map(([key, spec]) => [key, placed(spec.shape, spec.trainable !== false)]),
      ),
    }
  })
}

/** Trained parameters of every layer that has some. */
export const parametersOf = (layers: readonly PlainLayer[]): number[] =>
  layers
    .map(({ weights }) =>
      Object.values(weights).reduce((sum, { shape, trained }) => sum + (trained ? sizeOf(shape) : 0), 0),
    )
    .filter((count) => count > 0)

function inOneList(
  layers: readonly PlainLayer[],
  values: Readonly<Record<string, Numbers>>,
): Float32Array<ArrayBuffer> {
  const all = layers.flatMap(({ name, weights }) => Object.keys(weights).map((key) => values[weightName(name, key)]))
  const list = new Float32Array(all.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const one of all) {
    list.set(one, at)
    at += one.length
  }
  return list
}

/** A network written down with the weights of seed 0. */
export interface Described {
  readonly layers: readonly PlainLayer[]
  readonly weightsFile: string
  readonly onnxFile: (batchSize: number) => string
}

/** Descriptions of networks, each made once, in a folder that `close` removes. */
export class Descriptions {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fovea-bench-'))

  async of(network: Network): Promise<Described> {
    const engine = openEngine({ engine: 'reference' })
    const values = await (await Session.open(network, engine, 0)).values()
    await engine.close()
    const layers = plainLayers(network)
    const weights = inOneList(layers, values)
    const written = (name: string, bytes: Uint8Array): string => {
      const path = join(this.#folder, name)
      writeFileSync(path, bytes)
      return path
    }
    return {
      layers,
      weightsFile: written(`${network.name}.f32`, new Uint8Array(weights.buffer)),
      onnxFile: (n) => written(`${network.name}-${n}.onnx`, toOnnx(layers, weights, n)),
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
