/** How models come to be: a stack of layers, a network of any form, a file. */
import { readFile } from '#platform'
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { settle, text } from '../base/options.ts'
import type { EngineChoice } from '../engines/index.ts'
import { engineOptions } from '../engines/index.ts'
import type { Shape } from '../graph/shape.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { modelFromBytes } from './file.ts'
import type { ModelOptions } from './model.ts'
import { Model, modelTable } from './model.ts'
import { Namer, wire } from './network.ts'

const sequentialTable = {
  ...modelTable,
  name: text({ says: 'name of the model', default: 'sequential' }),
}

/** A stack of layers. Without `inputShape` (sizes of one sample) it is wired when it first sees data. */
export function sequential(layers: readonly Layer[]): Model
export function sequential(
  options: Options<typeof sequentialTable> & { inputShape?: Shape },
  layers: readonly Layer[],
): Model
export function sequential(
  first: (Options<typeof sequentialTable> & { inputShape?: Shape }) | readonly Layer[],
  second?: readonly Layer[],
): Model {
  const [given, layers] = second
    ? [first as Options<typeof sequentialTable> & { inputShape?: Shape }, second]
    : [{}, first as readonly Layer[]]
  if (
    !Array.isArray(layers) ||
    layers.length === 0 ||
    !layers.every((layer) => typeof layer === 'function' && 'row' in layer)
  ) {
    throw new FoveaError('E_MODEL', {
      what: 'wants a list of layers',
      where: 'sequential',
      hint: 'as in sequential({ inputShape: [28, 28, 1] }, [flatten(), dense({ units: 10 })])',
    })
  }
  const { inputShape, ...options } = given
  const { name, seed, engine, threads } = settle(sequentialTable, options, 'sequential')
  const model = new Model({ kind: 'sequential', name, seed, engine: { engine, threads }, from: layers })
  return inputShape ? model.build(inputShape) : model
}

type Ends = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>

/** A network of any form, from inputs to outputs; a list or a record where there are several. */
export function model(inputs: Ends, outputs: Ends, options: ModelOptions = {}): Model {
  const { name = 'functional', seed, engine, threads } = settle(modelTable, options, 'model')
  const namer = new Namer()
  const named = entries(
    inputs,
    (tensor) => (tensor.source.kind === 'input' && tensor.source.name) || namer.make('InputLayer'),
  )
  const answers = entries(outputs, (_, i) => (isTensor(outputs) ? 'output' : `output_${i}`))
  return new Model({ kind: 'functional', name, seed, engine: { engine, threads }, from: wire(name, named, answers) })
}

const isTensor = (ends: Ends): ends is Tensor => 'source' in ends && 'shape' in ends

function entries(ends: Ends, nameOf: (tensor: Tensor, index: number) => string): Record<string, Tensor> {
  if (isTensor(ends)) return { [nameOf(ends, 0)]: ends }
  return Array.isArray(ends)
    ? Object.fromEntries(ends.map((tensor, i) => [nameOf(tensor, i), tensor]))
    : { ...(ends as Record<string, Tensor>) }
}

/** A model from the bytes of a file; `file` names it in complaints. */
export function modelFrom(bytes: Uint8Array, file = 'model', options: EngineChoice = {}): Model {
  const saved = modelFromBytes(bytes, file)
  return new Model(
    {
      kind: saved.kind,
      name: saved.network.name,
      seed: 0,
      engine: settle(engineOptions, options, 'loadModel'),
      from: saved.network,
    },
    saved,
  )
}

/** Reads a model that `save` wrote. Throws E_FILE or E_VERSION when the file is not one. */
export async function loadModel(path: string, options: EngineChoice = {}): Promise<Model> {
  const bytes = await readFile(path)
  if (!bytes) throw new FoveaError('E_IO', { what: 'there is no such file', where: path })
  return modelFrom(bytes, path, options)
}
