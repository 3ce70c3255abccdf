/** Models: layers wired together, with weights, that can be trained, judged, asked, described and saved. */
import { decodeImage, writeFile } from '#platform'
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { custom, integer, settle, settleOne, show, text } from '../base/options.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { Goals } from '../compile/goals.ts'
import type { Dataset } from '../data/dataset.ts'
import { wantDataset } from '../data/dataset.ts'
import type { Preprocessing } from '../data/preprocessing.ts'
import { preprocess } from '../data/preprocessing.ts'
import type { EngineChoice } from '../engines/index.ts'
import { engineOptions } from '../engines/index.ts'
import type { TypedArray } from '../graph/dtype.ts'
import { asFloat32 } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import type { GraphGoals, GraphOptions, ModelGraph, RunOptions } from '../network/model-graph.ts'
import { checkGoals, graphOptions, modelGraph, runGoals, runOptions } from '../network/model-graph.ts'
import type { Network } from '../network/network.ts'
import { chain, networkWeights, weightName } from '../network/network.ts'
import type { Objective, ObjectiveOptions } from '../network/objective.ts'
import { headsOf, objectiveFor, objectiveOptions } from '../network/objective.ts'
import { Placement } from '../network/placement.ts'
import type { Session } from '../network/session.ts'
import { asItIs, callOf, layersCalled, layersInCommon, partOf, renamed } from '../network/subnetwork.ts'
import type { SummaryOptions } from '../network/summary.ts'
import { optimizerParams, summaryText, unbuiltView, viewOf } from '../network/summary.ts'
import type { Head } from '../nn/heads.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { countOf } from '../nn/layer.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import type { SavedModel } from '../saved/model-file.ts'
import { modelToBytes } from '../saved/model-file.ts'
import type { RateSearch } from '../training/find-rate.ts'
import { findRateOptions, rateSearch } from '../training/find-rate.ts'
import { fit } from '../training/fit.ts'
import { fitExtras, fitOptions } from '../training/fit-options.ts'
import type { History, Logs } from '../training/history.ts'
import { evaluate, INFERENCE_BATCH, predict } from '../training/inference.ts'
import { checkLength, sampleWeightOptions } from '../training/sample-weights.ts'
import { fileBytes, fileName, filePath } from './files.ts'
import { Prediction } from './prediction.ts'
import type { Samples } from './samples.ts'
import { asDataset, checkClassNames, valuesByName } from './samples.ts'

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

export const evaluateTable = { ...inferenceOptions, ...objectiveOptions, ...sampleWeightOptions }
export type EvaluateOptions = Options<typeof evaluateTable>

export const fitTable = { ...fitOptions, ...engineOptions, ...fitExtras }
export type ModelFitOptions = Options<typeof fitTable>

const { optimizer, batchSize, shuffle, seed, classWeight } = fitOptions
const { sampleWeight, signal } = fitExtras
export const findTable = {
  ...findRateOptions,
  ...{ optimizer, batchSize, shuffle, seed, classWeight, sampleWeight, signal },
  ...objectiveOptions,
  ...engineOptions,
}
export type FindLearningRateOptions = Options<typeof findTable>

interface Recipe {
  readonly kind: 'sequential' | 'functional'
  readonly name: string
  readonly seed: number
  readonly engine: EngineChoice
  /** The network, or layers that wait for an input shape. */
  readonly from: Network | readonly Layer[]
  /** Where the weights live already, for a part of another model. */
  readonly placement?: Placement
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
  readonly #placement: Placement
  #heads: Readonly<Record<string, Head>> = {}
  /** What the last training was told to minimise and measure; `evaluate` goes by it. */
  #objective: ObjectiveOptions | undefined
  #optimizerParams: number | undefined

  constructor(recipe: Recipe, saved?: Omit<SavedModel, 'network' | 'kind'>) {
    if (typeof recipe !== 'object' || recipe === null || !('from' in recipe)) {
      const hint = 'sequential(...), model(...) and loadModel(...) make models'
      throw new FoveaError('E_MODEL', { what: 'no model can be made of it', where: 'Model', got: show(recipe), hint })
    }
    const { kind, name, seed, engine, from, placement, weightsFrom } = recipe
    this.kind = kind
    this.name = name
    this.seed = seed
    this.#from = from
    const own = 'calls' in from ? from.layers.map(({ layer }) => layer) : from
    const taken = weightsFrom ? weightsFrom.#weightsFor(own, name) : undefined
    const given = async () => saved?.weights ?? (await taken?.(() => this.network)) ?? {}
    this.#placement = placement ?? new Placement({ name, seed, engine, network: () => this.network, given })
    if (!saved) return
    this.#heads = saved.heads
    this.#objective = saved.objective
    this.classNames = saved.classNames
    this.preprocessing = saved.preprocessing
  }

  /** What these layers have learnt up to this call, for a network that shares them. */
  #weightsFor(layers: readonly Layer[], where: string): (network: () => Network) => Promise<Record<string, Numbers>> {
    const common = layersInCommon(this.network, layers, where)
    const values = this.#placement.valuesNow(
      common.flatMap(({ name, weights }) => Object.keys(weights).map((weight) => weightName(name, weight))),
    )
    return async (network) => renamed(network(), common, await values())
  }

  /** The wired layers. A sequential model without an input shape has none until it sees data. */
  get network(): Network {
    if ('calls' in this.#from) return (this.#from = asItIs(this.#from))
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
    const part = new Model({
      kind: 'functional',
      name: `${name}-features`,
      seed,
      engine: {},
      from,
      placement: this.#placement,
    })
    part.preprocessing = this.preprocessing
    return part
  }

  /**
   * Keeps the weights of layers as they are in training, of all where none is named; `*` in a name stands for any text. It sets
   * their `trainable`, as in Keras: so they are frozen in every model that has them.
   */
  freeze(...names: readonly string[]): this {
    return this.#setTrainable(names, false)
  }

  /** Lets frozen layers learn again, all of them where none is named, in every model that has them. */
  unfreeze(...names: readonly string[]): this {
    return this.#setTrainable(names, true)
  }

  #setTrainable(names: readonly string[], trainable: boolean): this {
    for (const layer of layersCalled(this.network, names.length > 0 ? names : ['*'])) layer.trainable = trainable
    return this
  }

  /** The table of layers, output shapes and parameters, as Keras prints it. */
  summary(options?: SummaryOptions): string {
    const view =
      'calls' in this.#from
        ? viewOf(this.network, {
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
    const { engine, threads, precision, ...rest } = settle(fitTable, options, 'fit')
    const { validationData, callbacks, signal, sampleWeight, checkpoints, resume, ...settings } = rest
    const { loss, metrics, lossReduction } = settings
    const objective = this.#objectiveFor(data, settings)
    if (validationData) this.#objectiveFor(validationData, settings)
    const onBegun = (): void => {
      this.#heads = headsOf(objective)
      this.#objective = { loss, metrics, lossReduction }
      this.classNames = data.classNames ?? this.classNames
      this.preprocessing = data.preprocessing ?? this.preprocessing
      this.#optimizerParams = optimizerParams(this.network, settleOptimizer(settings.optimizer))
    }
    const save = async (path: string, judged: Readonly<Record<string, string>>) =>
      writeFile(path, await this.#bytesBy(judged))
    const extras = { sampleWeight, validationData, callbacks, signal, checkpoints, resume, save, onBegun }
    const choice = { engine, threads, precision }
    return this.#placement.train(choice, (session) => fit(session.as(this.network), data, settings, extras))
  }

  /**
   * Looks for a good learning rate: trains for some steps while the rate grows, and puts everything back as it was.
   * Options are `from`, `to`, `steps` and those of `fit` that make its steps; `suggestion` is where the loss falls fastest.
   */
  async findLearningRate(data: Dataset, options: FindLearningRateOptions = {}): Promise<RateSearch> {
    const { engine, threads, precision, ...rest } = settle(findTable, options, 'findLearningRate')
    const { from, to, steps, sampleWeight, signal, ...made } = rest
    this.#objectiveFor(data, made)
    const { callback, result } = rateSearch({ from, to, steps })
    const save = async (): Promise<void> => {}
    const settings = { ...settle(fitOptions, {}, 'fit'), ...made, steps, onNonFinite: 'stop' as const }
    return this.#placement.train({ engine, threads, precision }, async (whole) => {
      const session = whole.as(this.network)
      const memory = await session.remember()
      try {
        await fit(session, data, settings, { sampleWeight, signal, callbacks: [callback], save })
        return result()
      } finally {
        await memory.putBack()
      }
    })
  }

  /** Throws what `fit` would say of data that do not fit the model, and does nothing else. */
  check(data: Dataset, options: ObjectiveOptions = {}): void {
    this.#objectiveFor(data, settle(objectiveOptions, options, 'check'))
  }

  /** A model without an input shape takes that of the data. */
  #objectiveFor(data: Dataset, options: ObjectiveOptions): Objective {
    wantDataset(data, this.name)
    const only = Object.values(data.inputs)
    if (only.length === 1) this.build(only[0].shape)
    const objective = objectiveFor(this.network, data, options)
    checkClassNames(data, this.network, objective)
    return objective
  }

  /** Means of loss and metrics, `{ accuracy, loss }`: those of the last `fit` unless others are asked for. */
  async evaluate(data: Dataset, options: EvaluateOptions = {}): Promise<Logs> {
    const given = { ...this.#objective, ...options }
    const { engine, threads, precision, ...settings } = settle(evaluateTable, given, 'evaluate')
    this.#objectiveFor(data, settings)
    checkLength(settings.sampleWeight, data)
    const session = await this.#on({ engine, threads, precision })
    return (await evaluate(session, data, settings)) as Logs // nothing ends it early
  }

  /**
   * Answers for samples, a row each: probabilities from a trained classifier; a model that was never trained does not
   * know its loss and gives its raw outputs. Bytes are taken as pixels, 0 to 255.
   */
  async predict(samples: Samples, options: InferenceOptions = {}): Promise<Prediction> {
    const { batchSize, engine, threads, precision } = settle(inferenceOptions, options, 'predict')
    const data = asDataset(samples, this)
    const session = await this.#on({ engine, threads, precision })
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
    settleOne(fileBytes, bytes, 'bytes', 'predictPicture')
    settleOne(fileName, name, 'name', 'predictPicture')
    return this.predict(preprocess(await decodeImage(bytes, name), this.preprocessing))
  }

  /**
   * The model as a graph: nodes of its inputs, of every layer by name, of weights, logits and outputs, to go on from with `ops` and
   * `gradients`. What is made of them is computed by `run`.
   */
  graph(options: GraphOptions = {}): ModelGraph {
    return modelGraph(this.network, this.#heads, settle(graphOptions, options, 'graph'))
  }

  /**
   * Computes goals made of nodes of `graph`, by the model's own weights on the engine where they are: `outputs` by name, and `updates`
   * of weights where there are any. Values are given by the names of inputs (an array alone for the only one) and of placeholders of
   * your own; bytes are taken as pixels, as in `predict`. A program is planned once for a goals object: keep it, and call again.
   */
  async run<const Outputs extends Goals['outputs']>(
    goals: GraphGoals<Outputs>,
    inputs: TypedArray | Readonly<Record<string, TypedArray>>,
    options: RunOptions = {},
  ): Promise<{ readonly [Name in keyof Outputs]: Numbers }> {
    const { seed } = settle(runOptions, options, 'run')
    checkGoals(goals, this.name)
    const given = valuesByName(inputs, Object.keys(this.network.inputs), this.name)
    const results = await runGoals(await this.#on(), goals, { given, seed })
    return results as { [Name in keyof Outputs]: Numbers }
  }

  /** All weights by name, `conv2d/kernel` and so on. */
  weights(): Promise<Record<string, Float32Array>> {
    return this.#valuesOf({})
  }

  async #valuesOf(judged: Readonly<Record<string, string>>): Promise<Record<string, Float32Array>> {
    const { state } = await this.#on()
    const names = Object.keys(networkWeights(this.network))
    const values = await Promise.all(names.map((name) => state.read(judged[name] ?? name)))
    return Object.fromEntries(names.map((name, i) => [name, asFloat32(values[i], name)]))
  }

  /** Overwrites weights by name. */
  async setWeights(values: Readonly<Record<string, Numbers>>): Promise<void> {
    if (typeof values !== 'object' || values === null) {
      const expected = "arrays by name, as in { 'dense/kernel': new Float32Array(...) }"
      throw new FoveaError('E_MODEL', { what: 'no weights', where: this.name, expected, got: show(values) })
    }
    const { state } = await this.#on()
    const known = networkWeights(this.network)
    for (const name of Object.keys(values)) {
      if (!Object.hasOwn(known, name))
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
    await writeFile(settleOne(filePath, path, 'path', 'save'), await this.toBytes())
  }

  /** The engine that holds the weights now. */
  async engine(): Promise<Engine> {
    return (await this.#on()).state.engine
  }

  /** Gives the model's memory on its engine back; the model cannot be used any more. Dropping it does the same, later. */
  close(): Promise<void> {
    return this.#placement.close()
  }

  /** `await using model = ...` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #on(choice: EngineChoice = {}): Promise<Session> {
    return this.#placement.on(choice).then((session) => session.as(this.network))
  }
}
