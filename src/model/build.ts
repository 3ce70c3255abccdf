/** How models come to be: a stack of layers, a network of any form, a file. */

import { noFileHint, readFile } from '#platform'
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { custom, integer, list, settle, settleOne, show } from '../base/options.ts'
import { isListOf } from '../base/realm.ts'
import { engineOptions } from '../engines/index.ts'
import { Namer, wire } from '../network/network.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { isLayer, isTensor } from '../nn/layer.ts'
import type { AnyLayerMaker } from '../saved/model-file.ts'
import { modelFromBytes } from '../saved/model-file.ts'
import { fileBytes, fileName, filePath } from './files.ts'
import type { ModelOptions } from './model.ts'
import { Model, modelTable } from './model.ts'

export const sequentialTable = {
  inputShape: list(integer({ says: 'a size', min: 1 }), {
    says: 'sizes of one sample, as [height, width, channels]; without it the model is wired when it first sees data',
    length: { min: 1 },
    optional: true,
  }),
  ...modelTable,
}
export type SequentialOptions = Options<typeof sequentialTable>

/** A stack of layers. */
export function sequential(layers: readonly Layer[]): Model
export function sequential(options: SequentialOptions, layers: readonly Layer[]): Model
export function sequential(first: SequentialOptions | readonly Layer[], second?: readonly Layer[]): Model {
  const [given, layers] = second ? [first, second] : [{}, first as readonly Layer[]]
  const {
    inputShape,
    name = 'sequential',
    engine,
    threads,
    precision,
    ...rest
  } = settle(sequentialTable, given, 'sequential')
  if (!isListOf<Layer>(layers, isLayer) || layers.length === 0) {
    const hint = 'as in sequential({ inputShape: [28, 28, 1] }, [flatten(), dense({ units: 10 })])'
    const stray = Array.isArray(layers) ? layers.findIndex((one) => !isLayer(one)) : -1
    const got = stray < 0 ? undefined : `${show(layers[stray])} in place ${stray + 1} of ${layers.length}`
    throw new FoveaError('E_MODEL', { what: 'needs a list of layers', where: 'sequential', ...(got && { got }), hint })
  }
  const model = new Model({
    kind: 'sequential',
    name,
    engine: { engine, threads, precision },
    from: [...layers],
    ...rest,
  })
  return inputShape ? model.build(inputShape) : model
}

type Ends = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>

/** A network of any form, from inputs to outputs; a list or a record where there are several. */
export function model(inputs: Ends, outputs: Ends, options: ModelOptions = {}): Model {
  const { name = 'functional', engine, threads, precision, ...rest } = settle(modelTable, options, 'model')
  const namer = new Namer()
  for (const tensor of listOf(inputs))
    if (tensor.source.kind === 'input' && tensor.source.name) namer.claim(tensor.source.name)
  const named = entries(
    inputs,
    (tensor) => (tensor.source.kind === 'input' && tensor.source.name) || namer.make('InputLayer'),
  )
  const answers = entries(outputs, (_, i) => (isTensor(outputs) ? 'output' : `output_${i}`))
  return new Model({
    kind: 'functional',
    name,
    engine: { engine, threads, precision },
    from: wire(name, named, answers),
    ...rest,
  })
}

/** The tensors themselves; anything else is refused. */
function listOf(ends: Ends): readonly Tensor[] {
  const list: unknown = isTensor(ends) ? [ends] : Array.isArray(ends) ? ends : Object.values(ends ?? {})
  if (isListOf<Tensor>(list, isTensor) && list.length > 0) return list
  const hint = 'as in model(x, y) or model({ left, right }, { digit }), each from input(...) or a layer called on one'
  throw new FoveaError('E_MODEL', { what: 'needs tensors as inputs and outputs', where: 'model', hint })
}

function entries(ends: Ends, nameOf: (tensor: Tensor, index: number) => string): Record<string, Tensor> {
  const list = listOf(ends)
  if (isTensor(ends) || Array.isArray(ends))
    return Object.fromEntries(list.map((tensor, i) => [nameOf(tensor, i), tensor]))
  return { ...(ends as Record<string, Tensor>) }
}

export const loadTable = {
  ...engineOptions,
  customLayers: custom<readonly AnyLayerMaker[]>({
    says: 'kinds of layers that are not part of Fovea: results of `defineLayer`',
    accepts: 'a list of what defineLayer gives',
    check: (v) => (isListOf<AnyLayerMaker>(v, (make) => typeof make === 'function' && 'type' in make) ? v : undefined),
    default: [],
  }),
}
export type LoadOptions = Options<typeof loadTable>

/** A model from the bytes of a file; `file` names it in complaints. */
export function modelFrom(bytes: Uint8Array, file = 'model', options: LoadOptions = {}): Model {
  const { customLayers, ...engine } = settle(loadTable, options, 'loadModel')
  settleOne(fileName, file, 'file', 'modelFrom')
  const saved = modelFromBytes(settleOne(fileBytes, bytes, 'bytes', 'modelFrom'), file, customLayers)
  const { kind, network } = saved
  return new Model({ kind, name: network.name, seed: 0, engine, from: network }, saved)
}

/** Reads a model that `save` wrote. Throws E_FILE or E_VERSION when the file is not one. */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<Model> {
  const bytes = await readFile(settleOne(filePath, path, 'path', 'loadModel'))
  if (!bytes) throw new FoveaError('E_IO', { what: 'there is no such file', where: path, ...noFileHint })
  return modelFrom(bytes, path, options)
}
