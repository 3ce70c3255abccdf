/** Models: layers wired together, with weights, that can be trained, judged, asked, described and saved. */
import { decodeImage, writeFile } from '#platform'
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { integer, settle, show, text } from '../base/options.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { Dataset, Parts } from '../data/dataset.ts'
import { fromArrays } from '../data/in-memory.ts'
import type { Preprocessing } from '../data/preprocessing.ts'
import { preprocess } from '../data/preprocessing.ts'
import type { EngineChoice } from '../engines/index.ts'
import { engineOptions, sharedEngine } from '../engines/index.ts'
import type { TypedArray } from '../graph/dtype.ts'
import { dtypeOf } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Layer } from '../nn/layer.ts'
import { input } from '../nn/layer.ts'
import type { Head } from '../nn/losses.ts'
import type { Optimizer } from '../nn/optimizers.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import type { SavedModel } from './file.ts'
import { modelToBytes } from './file.ts'
import { slotSpecs } from './graphs.ts'
import type { History, Logs } from './history.ts'
import { evaluate, INFERENCE_BATCH, predict } from './infer.ts'
import type { Network } from './network.ts'
import { networkWeights, wire } from './network.ts'
import type { LossChoice, Objective } from './objective.ts'
import { headsOf, objectiveFor } from './objective.ts'
import { Prediction } from './prediction.ts'
import { Session } from './session.ts'
import type { SummaryOptions } from './summary.ts'
import { summaryText, unbuiltView, viewOf } from './summary.ts'
import type { FitExtras } from './train.ts'
import { fit, fitOptions } from './train.ts'

export const modelTable = {
  name: text({ says: 'name of the model', optional: true }),
  seed: integer({ says: 'of the first weights', min: 0, default: 0 }),
  ...engineOptions,
}
export type ModelOptions = Options<typeof modelTable>

/** Options of `evaluate` and `predict`; the same for the library and the command. */
export const inferenceOptions = {
  batchSize: integer({
    says: 'samples per run; changes the speed, never the answer',
    min: 1,
    default: INFERENCE_BATCH,
  }),
  ...engineOptions,
}
export type InferenceOptions = Options<typeof inferenceOptions>

const fitTable = { ...fitOptions, ...engineOptions }
export type ModelFitOptions = Options<typeof fitTable> & FitExtras

/** Samples as a user may give them: a dataset, the array of the only input, or an array per input by name. */
export type Samples = Dataset | TypedArray | Readonly<Record<string, TypedArray>>

interface Recipe {
  readonly kind: 'sequential' | 'functional'
  readonly name: string
  readonly seed: number
  readonly engine: EngineChoice
  /** The network, or layers that wait for an input shape. */
  readonly from: Network | readonly Layer[]
}

export class Model {
  readonly name: string
  readonly kind: 'sequential' | 'functional'
  readonly seed: number
  /** One name per class; comes with the data that the model learned from. */
  classNames: readonly string[] | undefined
  /** What makes an input of a picture; comes with the data too. */
  preprocessing: Preprocessing | undefined
  #from: Recipe['from']
  #engine: EngineChoice
  #session: Session | undefined
  /** Settles when the last call that looked for the session has it. */
  #turn: Promise<unknown> = Promise.resolve()
  #isTraining = false
  #isClosed = false
  #given: Readonly<Record<string, Numbers>> = {}
  #heads: Readonly<Record<string, Head>> = {}
  #inputTypes: Readonly<Record<string, 'uint8' | 'float32'>> = {}
  #optimizerParams: number | undefined

  constructor({ kind, name, seed, engine, from }: Recipe, saved?: Omit<SavedModel, 'network' | 'kind'>) {
    this.kind = kind
    this.name = name
    this.seed = seed
    this.#engine = engine
    this.#from = from
    if (!saved) return
    this.#given = saved.weights
    this.#heads = saved.heads
    this.#inputTypes = saved.inputTypes
    this.classNames = saved.classNames
    this.preprocessing = saved.preprocessing
  }

  /** The wired layers. A sequential model without an input shape has none until it sees data. */
  get network(): Network {
    if ('calls' in this.#from) return this.#from
    throw new FoveaError('E_MODEL', {
      what: 'has no input shape yet',
      where: this.name,
      hint: 'give inputShape, or fit it first',
    })
  }

  /** Sizes of one sample per input. */
  get inputs(): Readonly<Record<string, Shape>> {
    return this.network.inputs
  }

  /** Number of parameters. */
  get parameterCount(): number {
    return Object.values(networkWeights(this.network)).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  }

  /** The table of layers, output shapes and parameters, as Keras prints it. */
  summary(options?: SummaryOptions): string {
    const view =
      'calls' in this.#from
        ? viewOf(this.#from, {
            kind: this.kind,
            ...(this.#optimizerParams !== undefined && { optimizerParams: this.#optimizerParams }),
          })
        : unbuiltView(this.name, this.#from)
    return summaryText(view, options)
  }

  /** Wires a sequential model for inputs of this shape. Does nothing where that has been done. */
  build(inputShape: Shape): this {
    if (!('calls' in this.#from)) this.#from = chain(this.name, this.#from, inputShape)
    return this
  }

  /**
   * Trains. The loss follows from the targets unless it is given: class indices or one-hot rows mean cross-entropy over
   * logits, through a final softmax if there is one.
   * Throws E_NONFINITE when a loss or gradient is not finite, E_SHAPE, E_DATA and E_LABEL when the data do not fit.
   */
  async fit(data: Dataset, options: ModelFitOptions = {}): Promise<History> {
    const { validationData, callbacks, signal, ...plain } = options
    for (const given of validationData ? [data, validationData] : [data]) checkDataset(given, this.name)
    for (const callback of callbacks ?? []) checkCallback(callback)
    const { engine, threads, ...settings } = settle(fitTable, plain, 'fit')
    const only = Object.values(data.inputs)
    if (only.length === 1) this.build(only[0].shape)
    const objective = objectiveFor(this.network, data, settings.loss)
    checkClassNames(data, this.network, objective)
    const session = await this.#on({ engine, threads })
    this.#heads = headsOf(objective)
    this.#inputTypes = Object.fromEntries(
      Object.entries(objective.inputs).map(([name, field]) => [
        name,
        data.inputs[field].dtype === 'uint8' ? 'uint8' : 'float32',
      ]),
    )
    this.classNames = data.classNames ?? this.classNames
    this.preprocessing = data.preprocessing ?? this.preprocessing
    this.#optimizerParams = optimizerParams(this.network, settings.optimizer)
    const extras = {
      ...(validationData && { validationData }),
      ...(callbacks && { callbacks }),
      ...(signal && { signal }),
    }
    if (this.#isTraining) throw this.#busy('cannot be trained')
    this.#isTraining = true
    try {
      return await fit(session, data, settings, extras)
    } finally {
      this.#isTraining = false
    }
  }

  /** Means of loss and metrics: `{ accuracy, loss }`. */
  async evaluate(data: Dataset, options: InferenceOptions & { loss?: LossChoice } = {}): Promise<Logs> {
    checkDataset(data, this.name)
    const { loss, ...plain } = options
    const { batchSize, engine, threads } = settle(inferenceOptions, plain, 'evaluate')
    const only = Object.values(data.inputs)
    if (only.length === 1) this.build(only[0].shape)
    const session = await this.#on({ engine, threads })
    return (await evaluate(session, data, { loss, batchSize })) as Logs // nothing ends it early
  }

  /**
   * Answers for samples, a row each: probabilities from a trained classifier; a model that was never trained does not
   * know its loss and gives its raw outputs. Bytes are taken as pixels, 0 to 255.
   */
  async predict(samples: Samples, options: InferenceOptions = {}): Promise<Prediction> {
    const { batchSize, engine, threads } = settle(inferenceOptions, options, 'predict')
    const data = isDataset(samples) ? samples : this.#asDataset(samples)
    const session = await this.#on({ engine, threads })
    const answers = await predict(session, data, this.#heads, batchSize)
    const { calls, outputs } = this.network
    const shaped = Object.entries(answers).map(([name, values]) => [
      name,
      { shape: [data.length, ...calls[outputs[name]].shape], data: values },
    ])
    return new Prediction(Object.fromEntries(shaped), this.classNames)
  }

  /**
   * Answers for one picture, a PNG or JPEG file's bytes (`name` stands for it in complaints), prepared as the data were
   * that the model learned from. Throws E_FILE when the picture cannot be decoded.
   */
  async predictPicture(bytes: Uint8Array, name = 'picture'): Promise<Prediction> {
    if (!this.preprocessing) {
      throw new FoveaError('E_MODEL', {
        what: 'does not know what to make of pictures: it learned from data that had none',
        where: this.name,
        hint: 'set model.preprocessing, as in { size: [28, 28], channels: 1, ... }',
      })
    }
    return this.predict(preprocess(await decodeImage(bytes, name), this.preprocessing))
  }

  #asDataset(samples: Exclude<Samples, Dataset>): Dataset {
    const names = Object.keys(this.inputs)
    if (samples === null || typeof samples !== 'object' || Array.isArray(samples)) {
      const expected = 'a dataset, a Uint8Array of pixels or a Float32Array, or one per input by name'
      throw new FoveaError('E_DATA', { what: 'these are no samples', where: this.name, expected, got: show(samples) })
    }
    const arrays = dtypeOf(samples)
      ? { [names[0]]: samples as TypedArray }
      : (samples as Readonly<Record<string, TypedArray>>)
    const missing = names.find((name) => !arrays[name])
    if (missing !== undefined)
      throw new FoveaError('E_DATA', {
        what: `no samples for input '${missing}'`,
        where: this.name,
        expected: names.join(', '),
      })
    const fields = names.map((name) => [name, { shape: this.inputs[name], data: arrays[name] }])
    return fromArrays({ name: 'samples', inputs: Object.fromEntries(fields), targets: {} })
  }

  /** All weights by name, `conv2d/kernel` and so on. */
  async weights(): Promise<Record<string, Numbers>> {
    const { state } = await this.#on({})
    const names = Object.keys(networkWeights(this.network))
    const values = await Promise.all(names.map((name) => state.read(name)))
    return Object.fromEntries(names.map((name, i) => [name, values[i]]))
  }

  /** Overwrites weights by name. */
  async setWeights(values: Readonly<Record<string, Numbers>>): Promise<void> {
    const { state } = await this.#on({})
    const known = networkWeights(this.network)
    for (const name of Object.keys(values)) {
      if (!known[name])
        throw new FoveaError('E_MODEL', {
          what: `has no weight '${name}'`,
          where: this.name,
          expected: Object.keys(known).join(', '),
        })
    }
    await Promise.all(Object.entries(values).map(([name, numbers]) => state.write(name, numbers)))
  }

  /** The model as the bytes of a file: architecture, weights, class names, preprocessing. */
  async toBytes(): Promise<Uint8Array> {
    return modelToBytes({
      network: this.network,
      kind: this.kind,
      weights: await this.weights(),
      heads: this.#heads,
      inputTypes: this.#inputTypes,
      classNames: this.classNames,
      preprocessing: this.preprocessing,
    })
  }

  /** Writes the model to one safetensors file, whole or not at all. */
  async save(path: string): Promise<void> {
    await writeFile(path, await this.toBytes())
  }

  /** The engine that holds the weights now. */
  async engine(): Promise<Engine> {
    return (await this.#on({})).state.engine
  }

  /** Gives the model's memory on its engine back; the model cannot be used any more. Dropping it does the same, later. */
  async close(): Promise<void> {
    await this.#turn
    this.#isClosed = true
    this.#session?.close()
  }

  /** The session on the engine asked for, or where the model is; the state moves when it must. One call after the other. */
  #on(choice: EngineChoice): Promise<Session> {
    const session = this.#turn.then(() => this.#settle(choice))
    this.#turn = session.catch(() => {})
    return session
  }

  async #settle({ engine, threads }: EngineChoice): Promise<Session> {
    if (this.#isClosed) throw new FoveaError('E_CLOSED', { what: 'the model was closed', where: this.name })
    const isAsked = engine !== undefined || threads !== undefined
    const wanted = isAsked
      ? { engine: engine ?? this.#engine.engine, threads: threads ?? this.#engine.threads }
      : this.#engine
    const target = sharedEngine(wanted)
    const current = this.#session
    if (current?.state.engine === target) return current
    if (this.#isTraining) throw this.#busy(`cannot move to ${target.name}`)
    this.#session = await move(current, this.network, target, this.seed, this.#given)
    this.#engine = wanted
    return this.#session
  }

  #busy(what: string): FoveaError {
    return new FoveaError('E_MODEL', {
      what: `${what} while it is being trained`,
      where: this.name,
      hint: 'await fit first',
    })
  }
}

async function move(
  from: Session | undefined,
  network: Network,
  engine: Engine,
  seed: number,
  given: Readonly<Record<string, Numbers>>,
): Promise<Session> {
  const values = from ? await from.values() : given
  const session = await Session.open(network, engine, seed, values)
  if (!from) return session
  session.steps = from.steps
  session.epochs = from.epochs
  for (const [name, numbers] of Object.entries(values)) {
    const { spec } = from.state.resident(name)
    await session.state.add(name, spec, () => numbers)
  }
  from.close()
  return session
}

const isDataset = (samples: unknown): samples is Dataset => typeof (samples as Dataset | undefined)?.read === 'function'

function checkDataset(data: unknown, where: string): void {
  if (isDataset(data) && data.length > 0) return
  const hint = isDataset((data as Partial<Parts> | undefined)?.train)
    ? 'did you mean its part .train or .test?'
    : undefined
  const got = isDataset(data) ? 'one without samples' : show(data)
  throw new FoveaError('E_DATA', { what: 'wants a dataset', where, got, ...(hint && { hint }) })
}

function checkCallback(callback: unknown): void {
  if (typeof callback === 'object' && callback !== null) return
  throw new FoveaError('E_OPTION', {
    what: "'callbacks' holds no callback",
    where: 'fit',
    expected: 'objects such as { onEpochEnd(record) { ... } }',
    got: show(callback),
  })
}

/** Names for more or fewer classes than a network tells apart belong to other data. */
function checkClassNames({ classNames, name }: Dataset, network: Network, { goals }: Objective): void {
  if (!classNames || goals.length !== 1) return
  const [classes] = network.calls[network.outputs[goals[0].output]].shape
  if (classNames.length === classes) return
  throw new FoveaError('E_DATA', {
    what: 'the network has another number of outputs than the data has classes',
    where: name,
    expected: `${classNames.length} (${classNames.slice(0, 3).join(', ')}${classNames.length > 3 ? ', ...' : ''})`,
    got: `${classes}`,
  })
}

/** Keras counts the step and the learning rate too. */
function optimizerParams(network: Network, optimizer: Optimizer): number {
  const slots = Object.values(slotSpecs(network, settleOptimizer(optimizer)))
  return slots.reduce((sum, { shape }) => sum + sizeOf(shape), 2)
}

function chain(name: string, layers: readonly Layer[], inputShape: Shape): Network {
  const start = input(inputShape, { name: 'input_layer' })
  const end = layers.reduce((tensor, layer) => layer(tensor), start)
  return wire(name, { input_layer: start }, { output: end })
}
