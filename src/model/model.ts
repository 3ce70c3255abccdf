/** Models: layers wired together, with weights, that can be trained, judged, asked, described and saved. */
import { decodeImage, writeFile } from '#platform'
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { custom, integer, settle, show, text } from '../base/options.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { Dataset, Parts } from '../data/dataset.ts'
import { fromArrays } from '../data/in-memory.ts'
import type { Preprocessing } from '../data/preprocessing.ts'
import { preprocess } from '../data/preprocessing.ts'
import type { EngineChoice } from '../engines/index.ts'
import { engineOptions } from '../engines/index.ts'
import type { TypedArray } from '../graph/dtype.ts'
import { dtypeOf } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import type { Head } from '../nn/heads.ts'
import { classesOf } from '../nn/heads.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { countOf, input } from '../nn/layer.ts'
import { lossRow } from '../nn/losses.ts'
import type { Optimizer } from '../nn/optimizers.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import { stepSlots } from '../nn/step.ts'
import type { SavedModel } from './file.ts'
import { modelToBytes } from './file.ts'
import type { FindRateOptions, RateSearch } from './find-rate.ts'
import { findRateOptions, rateSearch } from './find-rate.ts'
import { fitExtras, fitOptions } from './fit-options.ts'
import type { History, Logs } from './history.ts'
import { Home } from './home.ts'
import { evaluate, INFERENCE_BATCH, predict } from './infer.ts'
import type { Network } from './network.ts'
import { networkWeights, trainedWeights, weightName, wire } from './network.ts'
import type { Objective, ObjectiveOptions } from './objective.ts'
import { headsOf, objectiveFor, objectiveOptions } from './objective.ts'
import { callOf, partOf, withFrozen } from './part.ts'
import { Prediction } from './prediction.ts'
import { checkLength, sampleWeightOptions } from './sample-weights.ts'
import type { Session } from './session.ts'
import type { SummaryOptions } from './summary.ts'
import { summaryText, unbuiltView, viewOf } from './summary.ts'
import { fit } from './train.ts'

export const modelTable = {
  name: text({ says: 'name of the model', optional: true }),
  seed: integer({ says: 'of the first weights', min: 0, default: 0 }),
  weightsFrom: custom<Model>({
    says: 'a model whose layers this one shares: it begins with their weights',
    accepts: 'a model',
    check: (v) => (v instanceof Model ? v : undefined),
    optional: true,
  }),
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

const evaluateTable = { ...inferenceOptions, ...objectiveOptions, ...sampleWeightOptions }
export type EvaluateOptions = Options<typeof evaluateTable>

const fitTable = { ...fitOptions, ...engineOptions, ...fitExtras }
export type ModelFitOptions = Options<typeof fitTable>

/** Samples as a user may give them: a dataset, the array of the only input, or an array per input by name. */
export type Samples = Dataset | TypedArray | Readonly<Record<string, TypedArray>>

interface Recipe {
  readonly kind: 'sequential' | 'functional'
  readonly name: string
  readonly seed: number
  readonly engine: EngineChoice
  /** The network, or layers that wait for an input shape. */
  readonly from: Network | readonly Layer[]
  /** Where the weights live already, for a part of another model. */
  readonly home?: Home
  /** A model whose layers this one shares: it begins with their weights. */
  readonly weightsFrom?: Model | undefined
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
  readonly #home: Home
  #heads: Readonly<Record<string, Head>> = {}
  /** What the last training was told to minimise and measure; `evaluate` goes by it. */
  #objective: ObjectiveOptions | undefined
  #optimizerParams: number | undefined

  constructor(
    { kind, name, seed, engine, from, home, weightsFrom }: Recipe,
    saved?: Omit<SavedModel, 'network' | 'kind'>,
  ) {
    this.kind = kind
    this.name = name
    this.seed = seed
    this.#from = from
    const given = async () => saved?.weights ?? (weightsFrom ? takenOver(weightsFrom, this.network) : {})
    this.#home = home ?? new Home({ name, seed, engine, network: () => this.network, given })
    if (!saved) return
    this.#heads = saved.heads
    this.#objective = saved.objective
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
    return countOf(Object.values(networkWeights(this.network)))
  }

  /** The layers by their names, in the order in which they are first used. */
  get layers(): Readonly<Record<string, Layer>> {
    return Object.fromEntries(this.network.layers.map(({ name, layer }) => [name, layer]))
  }

  /** What a layer (or an input) gives, to wire other layers onto: `dense({ units: 2 })(base.tensor('flatten'))`. */
  tensor(name: string): Tensor {
    return this.network.calls[callOf(this.network, name)].tensor
  }

  /**
   * A model that answers with what these layers give. It shares the weights of this one: what one learns, the other
   * knows, and closing one closes both.
   */
  features(...names: readonly [string, ...string[]]): Model {
    const { name, seed } = this
    const from = partOf(this.network, names)
    const part = new Model({ kind: 'functional', name: `${name}-features`, seed, engine: {}, from, home: this.#home })
    part.preprocessing = this.preprocessing
    return part
  }

  /** Keeps the weights of layers as they are in training, of all where none is named; `*` in a name stands for any text. */
  freeze(...names: readonly string[]): this {
    this.#from = withFrozen(this.network, names.length > 0 ? names : ['*'], true)
    return this
  }

  /** Lets frozen layers learn again, all of them where none is named. */
  unfreeze(...names: readonly string[]): this {
    this.#from = withFrozen(this.network, names.length > 0 ? names : ['*'], false)
    return this
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
   * logits, through a final softmax or sigmoid if there is one; other float32 targets mean the mean squared error.
   * Throws E_NONFINITE when a loss or gradient is not finite, E_SHAPE, E_DATA and E_LABEL when the data do not fit.
   */
  async fit(data: Dataset, options: ModelFitOptions = {}): Promise<History> {
    const { engine, threads, validationData, callbacks, signal, sampleWeight, checkpoints, resume, ...settings } =
      settle(fitTable, options, 'fit')
    const { loss, metrics, lossReduction } = settings
    const objective = this.#objectiveFor(data, settings)
    if (validationData) this.#objectiveFor(validationData, settings)
    return this.#home.train({ engine, threads }, (whole) => {
      const session = whole.as(this.network)
      this.#heads = headsOf(objective)
      this.#objective = { loss, metrics, lossReduction }
      this.classNames = data.classNames ?? this.classNames
      this.preprocessing = data.preprocessing ?? this.preprocessing
      this.#optimizerParams = optimizerParams(session.network, settings.optimizer)
      const save = async (path: string, judged: Readonly<Record<string, string>>) =>
        writeFile(path, await this.#bytesBy(judged))
      return fit(session, data, settings, {
        sampleWeight,
        validationData,
        callbacks,
        signal,
        checkpoints,
        resume,
        save,
      })
    })
  }

  /**
   * Looks for a good learning rate: trains for some steps while the rate grows, and puts everything back as it was.
   * `options` are those of `fit` besides `from`, `to` and `steps`; `suggestion` is where the loss falls fastest.
   */
  async findLearningRate(
    data: Dataset,
    options: FindRateOptions & Omit<ModelFitOptions, 'steps'> = {},
  ): Promise<RateSearch> {
    const { from, to, steps, ...rest } = options
    const search = settle(findRateOptions, { from, to, steps }, 'findLearningRate')
    const { callback, result } = rateSearch(search)
    const memory = await (await this.#on(rest)).remember()
    try {
      const callbacks = [...(rest.callbacks ?? []), callback]
      await this.fit(data, { ...rest, callbacks, steps: search.steps, onNonFinite: 'stop' })
      return result()
    } finally {
      await memory.putBack()
    }
  }

  /** Throws what `fit` would say of data that do not fit the model, and does nothing else. */
  check(data: Dataset, options: ObjectiveOptions = {}): void {
    this.#objectiveFor(data, options)
  }

  /** A model without an input shape takes that of the data. */
  #objectiveFor(data: Dataset, options: ObjectiveOptions): Objective {
    checkDataset(data, this.name)
    const only = Object.values(data.inputs)
    if (only.length === 1) this.build(only[0].shape)
    const objective = objectiveFor(this.network, data, options)
    checkClassNames(data, this.network, objective)
    return objective
  }

  /** Means of loss and metrics, `{ accuracy, loss }`: those of the last `fit` unless others are asked for. */
  async evaluate(data: Dataset, options: EvaluateOptions = {}): Promise<Logs> {
    const given = { ...this.#objective, ...options }
    const { engine, threads, ...settings } = settle(evaluateTable, given, 'evaluate')
    this.check(data, settings)
    checkLength(settings.sampleWeight, data)
    const session = await this.#on({ engine, threads })
    return (await evaluate(session, data, settings)) as Logs // nothing ends it early
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
    return new Prediction(Object.fromEntries(shaped), { heads: this.#heads, classNames: this.classNames })
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
    const named = asPixels(samples) ? { [names[0]]: samples } : { ...(samples as object) }
    const fields = names.map((name) => {
      const data = asPixels((named as Record<string, unknown>)[name])
      if (data) return [name, { shape: this.inputs[name], data }]
      const hint = 'pictures: model.predictPicture(bytes), or preprocess(...) first; lists: Float32Array.from(list)'
      const expected = `a dataset, a Uint8Array of pixels or a Float32Array${names.length > 1 ? `, by name: ${names.join(', ')}` : ''}`
      throw new FoveaError('E_MISMATCH', {
        what: 'these are no samples',
        where: this.name,
        expected,
        got: show(samples),
        hint,
      })
    })
    return fromArrays({ name: this.name, inputs: Object.fromEntries(fields), targets: {} })
  }

  /** All weights by name, `conv2d/kernel` and so on. */
  weights(): Promise<Record<string, Float32Array>> {
    return this.#valuesOf({})
  }

  async #valuesOf(judged: Readonly<Record<string, string>>): Promise<Record<string, Float32Array>> {
    const { state } = await this.#on()
    const names = Object.keys(networkWeights(this.network))
    const values = await Promise.all(names.map((name) => state.read(judged[name] ?? name)))
    return Object.fromEntries(names.map((name, i) => [name, Float32Array.from(values[i])]))
  }

  /** Overwrites weights by name. */
  async setWeights(values: Readonly<Record<string, Numbers>>): Promise<void> {
    const { state } = await this.#on()
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
  toBytes(): Promise<Uint8Array> {
    return this.#bytesBy({})
  }

  /** The same with other tensors of the state in the place of weights, by name. */
  async #bytesBy(judged: Readonly<Record<string, string>>): Promise<Uint8Array> {
    return modelToBytes({
      network: this.network,
      kind: this.kind,
      weights: await this.#valuesOf(judged),
      heads: this.#heads,
      objective: this.#objective,
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
    return (await this.#on()).state.engine
  }

  /** Gives the model's memory on its engine back; the model cannot be used any more. Dropping it does the same, later. */
  close(): Promise<void> {
    return this.#home.close()
  }

  /** `await using model = ...` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #on(choice: EngineChoice = {}): Promise<Session> {
    return this.#home.on(choice).then((session) => session.as(this.network))
  }
}

/** Typed arrays that a program takes; those of a canvas are bytes as well. */
function asPixels(values: unknown): TypedArray | undefined {
  if (values instanceof Uint8ClampedArray) return new Uint8Array(values.buffer, values.byteOffset, values.length)
  return dtypeOf(values) ? (values as TypedArray) : undefined
}

const isDataset = (samples: unknown): samples is Dataset => typeof (samples as Dataset | undefined)?.read === 'function'

function checkDataset(data: unknown, where: string): asserts data is Dataset {
  const { length, inputs, targets } = (data ?? {}) as Partial<Dataset>
  const isWhole = Number.isSafeInteger(length) && typeof inputs === 'object' && typeof targets === 'object'
  if (isDataset(data) && isWhole && data.length > 0) return
  const hint = isDataset((data as Partial<Parts> | undefined)?.train)
    ? 'did you mean its part .train or .test?'
    : undefined
  const got = isDataset(data) ? `length ${length}, inputs ${typeof inputs}, targets ${typeof targets}` : show(data)
  const expected = 'samples by number: { name, length >= 1, inputs, targets, read }, as fromArrays makes them'
  throw new FoveaError('E_MISMATCH', { what: 'wants a dataset', where, expected, got, ...(hint && { hint }) })
}

/** Names for more or fewer classes than a network tells apart belong to other data. */
function checkClassNames({ classNames, name }: Dataset, network: Network, { goals }: Objective): void {
  if (!classNames || goals.length !== 1) return
  const [{ loss, output }] = goals
  const classes = classesOf(lossRow(loss).head, network.calls[network.outputs[output]].shape)
  if (classNames.length === classes) return
  throw new FoveaError('E_MISMATCH', {
    what: 'the network has another number of outputs than the data has classes',
    where: name,
    expected: `${classNames.length} (${classNames.slice(0, 3).join(', ')}${classNames.length > 3 ? ', ...' : ''})`,
    got: `${classes}`,
  })
}

/** Numbers that an optimizer keeps; Keras counts the step and the learning rate too. */
function optimizerParams(network: Network, optimizer: Optimizer): number {
  const specs = networkWeights(network)
  const trained = countOf(trainedWeights(network).map((name) => specs[name]))
  return Object.keys(stepSlots(settleOptimizer(optimizer))).length * trained + 2
}

/** Weights of the layers that a network has in common with another model, by their names here. */
async function takenOver(from: Model, network: Network): Promise<Record<string, Numbers>> {
  const values = await from.weights()
  const common = network.layers.flatMap(({ name, layer, weights }) => {
    const there = from.network.layers.find((other) => other.layer === layer)?.name
    return there === undefined
      ? []
      : Object.keys(weights).map((weight) => [weightName(name, weight), values[weightName(there, weight)]] as const)
  })
  return Object.fromEntries(common)
}

function chain(name: string, layers: readonly Layer[], inputShape: Shape): Network {
  const start = input(inputShape, { name: 'input_layer' })
  const end = layers.reduce((tensor, layer) => layer(tensor), start)
  return wire(name, { input_layer: start }, { output: end })
}
