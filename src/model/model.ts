/** Models: layers wired together, with weights, that can be trained, evaluated, asked, described and saved. */

import { writeFile } from '#platform'
import { FoveaError } from '../base/errors.ts'
import type { Options, Settled } from '../base/options.ts'
import { custom, integer, settle, settleOne, text, wantOptions } from '../base/options.ts'
import type { Engine, Numbers } from '../compile/engine.ts'
import type { Goals } from '../compile/goals.ts'
import type { Dataset } from '../data/dataset.ts'
import { wantDataset } from '../data/dataset.ts'
import type { Preprocessing, PreprocessingOptions } from '../data/preprocessing.ts'
import type { EngineChoice } from '../engines/index.ts'
import { engineOptions } from '../engines/index.ts'
import type { TypedArray } from '../graph/dtype.ts'
import { asFloat32 } from '../graph/dtype.ts'
import type { Shape } from '../graph/shape.ts'
import type { GraphGoals, GraphOptions, ModelGraph, RunOptions } from '../network/model-graph.ts'
import { graphOptions, modelGraph, runGoals, runOptions, takeGoals } from '../network/model-graph.ts'
import type { Network } from '../network/network.ts'
import { chain, networkWeights } from '../network/network.ts'
import type { Objective, ObjectiveOptions } from '../network/objective.ts'
import { headsOf, objectiveFor, objectiveIn, objectiveOptions } from '../network/objective.ts'
import { Placement } from '../network/placement.ts'
import type { Session } from '../network/session.ts'
import { asItIs, callOf, layersCalled, partOf, renamedInputs } from '../network/subnetwork.ts'
import type { SummaryOptions } from '../network/summary.ts'
import { optimizerParams, summaryText, unbuiltView, viewOf } from '../network/summary.ts'
import type { Layer, Tensor } from '../nn/layer.ts'
import { countOf } from '../nn/layer.ts'
import { settleOptimizer } from '../nn/optimizers.ts'
import type { LearnedFrom, SavedModel } from '../saved/model-file.ts'
import { modelToBytes } from '../saved/model-file.ts'
import type { Lesson } from '../training/begin.ts'
import type { BatchSizeSearch } from '../training/find-batch-size.ts'
import { batchSizeFinder } from '../training/find-batch-size.ts'
import type { RateSearch } from '../training/find-rate.ts'
import { rateFinder } from '../training/find-rate.ts'
import { fit } from '../training/fit.ts'
import type { History, Logs } from '../training/history.ts'
import { evaluate, predict } from '../training/inference.ts'
import { pacerOf } from '../training/pause.ts'
import type { StepProfile } from '../training/profile.ts'
import { stepProfiler } from '../training/profile.ts'
import { checkLength, checkValidationWeight } from '../training/sample-weights.ts'
import type { Arrays, Batches } from '../training/stream.ts'
import { checkForm, isBatches, openStream, wantData } from '../training/stream.ts'
import type { Task } from '../training/task.ts'
import type {
  EvaluateOptions,
  FindBatchSizeOptions,
  FindLearningRateOptions,
  ModelFitOptions,
  PredictOptions,
  ProfileOptions,
  ReportOptions,
} from './call-options.ts'
import {
  evaluateTable,
  findSizeTable,
  findTable,
  fitTable,
  predictTable,
  profileTable,
  reportTable,
} from './call-options.ts'
import type { ClassificationReport } from './classification-report.ts'
import { reportOn } from './classification-report.ts'
import { fileName, filePath } from './files.ts'
import type { Knowledge, Known } from './knowledge.ts'
import { knowledgeAfter, knownOf, untrained } from './knowledge.ts'
import type { PictureGiven } from './pictures.ts'
import { noPreprocessing, pictureSample } from './pictures.ts'
import type { Prediction } from './prediction.ts'
import { predictionOf } from './prediction.ts'
import type { RecipeOf } from './recipe.ts'
import { wantRecipe } from './recipe.ts'
import type { Samples } from './samples.ts'
import { asDataset, checkClassNames, checkNumbers, valuesByName } from './samples.ts'
import type { TrainOnBatchOptions } from './single-step.ts'
import { stepOn } from './single-step.ts'
import { checkKnown, toldClassNames, toldPreprocessing } from './told.ts'
import { sharedWeights, takeWeights } from './weights.ts'

export const modelTable = {
  name: text({ says: 'name of the model', optional: true }),
  seed: integer({ says: 'seed of the first weights', min: 0, default: 0 }),
  weightsFrom: custom<Model>({
    says: 'a model whose layers this one shares: it begins with their weights',
    accepts: 'a model',
    check: (v) => (v instanceof Model ? v : undefined),
    optional: true,
  }),
  ...engineOptions,
}
export type ModelOptions = Options<typeof modelTable>

type Recipe = RecipeOf<Model>

export class Model {
  readonly name: string
  readonly kind: 'sequential' | 'functional'
  readonly seed: number
  #known: Known = untrained
  #from: Recipe['from']
  readonly #placement: Placement

  constructor(recipe: Recipe, saved?: Omit<SavedModel, 'network' | 'kind'>) {
    wantRecipe(recipe)
    const { kind, name, seed, engine, from, placement, weightsFrom } = recipe
    this.kind = kind
    this.name = name
    this.seed = seed
    this.#from = from
    const own = 'calls' in from ? from.layers.map(({ layer }) => layer) : from
    const taken =
      weightsFrom && sharedWeights({ network: weightsFrom.network, placement: weightsFrom.#placement }, own, name)
    const given = async () => saved?.weights ?? (await taken?.(() => this.network)) ?? {}
    this.#placement = placement ?? new Placement({ name, seed, engine, network: () => this.network, given })
    const inherited = weightsFrom && 'calls' in from
    const learnedFrom = inherited ? renamedInputs(from, weightsFrom.network, weightsFrom.#known.learnedFrom) : {}
    this.#known = { ...untrained, learnedFrom, ...(saved && knownOf(saved)) }
  }

  /** One name per class; comes with the data that the model learned from. Setting it throws E_OPTION where it does not fit. */
  get classNames(): readonly string[] | undefined {
    return this.#known.classNames
  }

  set classNames(names: readonly string[] | undefined) {
    this.#known = toldClassNames(this.#known, names, this.#told)
  }

  /**
   * What makes an input of a picture; comes with the data too, and can be set: defaults are filled in. Setting it throws
   * E_OPTION for wrong settings, E_MISMATCH where they make something else than the model takes or has learned from.
   */
  get preprocessing(): Preprocessing | undefined {
    return this.#known.preprocessing
  }

  set preprocessing(how: PreprocessingOptions | undefined) {
    this.#known = toldPreprocessing(this.#known, how, this.#told)
  }

  get #told() {
    return { network: 'calls' in this.#from ? this.#from : undefined, where: this.name }
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
    const recipe = { kind: 'functional', name: `${name}-features`, seed, engine: {}, from } as const
    const part = new Model({ ...recipe, placement: this.#placement })
    const { preprocessing, learnedFrom } = this.#known
    part.#known = { ...untrained, preprocessing, learnedFrom }
    return part
  }

  /**
   * Keeps the weights of layers as they are in training, of all where none is named; `*` in a name matches any text. It sets
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
            ...(this.#known.optimizerParams !== undefined && { optimizerParams: this.#known.optimizerParams }),
          })
        : unbuiltView(this.name, this.#from)
    return summaryText(view, options)
  }

  /** Wires a sequential model for inputs of this shape. Does nothing where that has been done. */
  build(inputShape: Shape): this {
    if ('calls' in this.#from) return this
    const network = chain(this.name, this.#from, inputShape)
    checkKnown(this.#known, network, this.name)
    this.#from = network
    return this
  }

  /**
   * Trains. The loss follows from the targets unless it is given: class indices or one-hot rows mean cross-entropy over
   * logits, through a final softmax or sigmoid if there is one; other float32 targets mean the mean squared error.
   * Data are a dataset, or batches as they come (an async iterable or a generator of `[inputs, targets]` or
   * `{ inputs, targets }`, typed arrays of whole samples), of which `stepsPerEpoch` make an epoch.
   * Throws E_NONFINITE when a loss or gradient is not finite, E_SHAPE, E_DATA and E_LABEL when the data do not fit.
   */
  async fit(data: Dataset | Batches, options: ModelFitOptions = {}): Promise<History> {
    wantData(data, options, this.name)
    const training = async (): Promise<History> => {
      const settled = settle(fitTable, options, 'fit')
      checkForm(data, options)
      return isBatches(data) ? this.#fitTo(data, settled) : this.#fit(this.#taskOf(data, settled), settled)
    }
    return pacerOf(options?.control)?.during(training) ?? training()
  }

  /** One step of `fit` on arrays of whole samples: gives loss and metrics, `{ accuracy, loss }`. The optimizer goes on from call to call. */
  async trainOnBatch(inputs: Arrays, targets: Arrays, options: TrainOnBatchOptions = {}): Promise<Logs> {
    return stepOn((batches, how) => this.fit(batches, how), { inputs, targets }, options)
  }

  async #fitTo(batches: Batches, settled: Settled<typeof fitTable>): Promise<History> {
    const { signal, stepsPerEpoch = 1 } = settled
    const { data, source, close } = await openStream(batches, this.network, { stepsPerEpoch, signal })
    try {
      return await this.#fit({ data, source, objective: objectiveFor(this.network, data, settled) }, settled)
    } finally {
      await close()
    }
  }

  async #fit(lesson: Lesson, settled: Settled<typeof fitTable>): Promise<History> {
    const { engine, threads, precision, ...rest } = settled
    const { validationData, validationSampleWeight, sampleWeight, callbacks, ...others } = rest
    const { signal, control, checkpoints, resume, stepsPerEpoch: _, ...settings } = others
    const about = this.#aboutSamples(lesson.data, lesson.objective)
    checkValidationWeight(validationSampleWeight, validationData)
    const judged = validationData && this.#taskOf(validationData, settings, about.learnedFrom)
    const validation = judged && { ...judged, sampleWeight: validationSampleWeight }
    const begun = (): void => {
      const params = optimizerParams(this.network, settleOptimizer(settings.optimizer))
      const objective = objectiveIn(settings)
      this.#known = { heads: headsOf(lesson.objective), objective, ...about, optimizerParams: params }
    }
    const save = async (path: string, judged: Readonly<Record<string, string>>) =>
      writeFile(path, await this.#bytesBy(judged))
    const extras = { sampleWeight, validation, callbacks, signal, control, checkpoints, resume, save }
    const { network } = this
    return this.#placement.train({ engine, threads, precision }, ({ open, keep }) => {
      const onBegun = (): void => {
        keep()
        begun()
      }
      const learner = { network, openSession: async () => (await open()).as(network) }
      return fit(learner, lesson, settings, { ...extras, onBegun })
    })
  }

  /**
   * Looks for a good learning rate: trains a copy of the model for some steps while the rate grows. The model stays as it is.
   * Options are `from`, `to`, `steps` and those of `fit` that make its steps; `suggestion` is where the loss falls fastest.
   */
  async findLearningRate(data: Dataset, options: FindLearningRateOptions = {}): Promise<RateSearch> {
    const { engine, threads, precision, ...rest } = settle(findTable, options, 'findLearningRate')
    return this.#aside({ engine, threads, precision }, rateFinder(this.#taskOf(data, rest), rest))
  }

  /** The speed and memory of a training step by its batch size, with a copy of the model; `suggestion` is one to take. */
  async findBatchSize(data: Dataset, options: FindBatchSizeOptions = {}): Promise<BatchSizeSearch> {
    const { engine, threads, precision, ...rest } = settle(findSizeTable, options, 'findBatchSize')
    return this.#aside({ engine, threads, precision }, batchSizeFinder(this.#taskOf(data, rest), rest))
  }

  /** Where the time of a step goes, by stages: of training, or `mode: 'predict'`, on the first batch, with a copy of the model. */
  async profile(data: Dataset, options: ProfileOptions = {}): Promise<StepProfile> {
    const { engine, threads, precision, ...rest } = settle(profileTable, options, 'profile')
    return this.#aside({ engine, threads, precision }, stepProfiler(this.#taskOf(data, rest), rest))
  }

  /** What is tried on a copy of the model, which stays as it is. */
  #aside<T>(choice: EngineChoice, search: (session: Session) => Promise<T>): Promise<T> {
    const { network } = this
    return this.#placement.aside(choice, (session) => search(session.as(network)))
  }

  /** Throws what `fit` would say of data that do not fit the model, and does nothing else. */
  check(data: Dataset, options: ObjectiveOptions = {}): void {
    const { objective } = this.#taskOf(data, settle(objectiveOptions, options, 'check'))
    this.#aboutSamples(data, objective)
  }

  #aboutSamples(data: Lesson['data'], objective: Objective): Knowledge {
    return knowledgeAfter(data, objective, { inputs: this.inputs, before: this.#known })
  }

  /** A model without an input shape takes that of the data. */
  #taskOf(data: Dataset, options: ObjectiveOptions, learnedFrom: LearnedFrom = {}): Task {
    wantDataset(data, this.name)
    const only = Object.values(data.inputs)
    if (only.length === 1) this.build(only[0].shape)
    const objective = objectiveFor(this.network, data, options)
    checkClassNames(data, this.network, objective)
    checkNumbers(data, this.network, learnedFrom)
    return { data, objective }
  }

  /**
   * Means of loss and metrics, `{ accuracy, loss }`: those of the last `fit` unless others are asked for. On another engine
   * than where the model lives it computes on a copy of the weights.
   */
  async evaluate(data: Dataset, options: EvaluateOptions = {}): Promise<Logs> {
    return this.#judge(data, { table: evaluateTable, options, where: 'evaluate' }, evaluate)
  }

  /**
   * How the classes of an output fare: the confusion matrix, precision, recall, F1 and support of every class with averages, as
   * data and, by `toString`, as a table; with what `evaluate` gives, from one pass over the data. For several labels per sample
   * there is no matrix. Throws E_MISMATCH for outputs that are no classes.
   */
  async classificationReport(data: Dataset, options: ReportOptions = {}): Promise<ClassificationReport> {
    const call = { table: reportTable, options, where: 'classificationReport' }
    return this.#judge(data, call, (session, task, how) =>
      reportOn(session, task, { ...how, classNames: this.classNames }),
    )
  }

  /** By what `fit` was told, unless others are asked for. */
  async #judge<T extends typeof evaluateTable, R>(
    data: Dataset,
    { table, options, where }: { readonly table: T; readonly options: Options<T>; readonly where: string },
    judge: (session: Session, task: Task, settings: Settled<T>) => Promise<R>,
  ): Promise<R> {
    wantDataset(data, this.name)
    wantOptions(options, where, ['batchSize'])
    const settled = settle(table, { ...this.#known.objective, ...options }, where)
    const { engine, threads, precision, sampleWeight } = settled
    const task = this.#taskOf(data, settled, this.#known.learnedFrom)
    checkLength(sampleWeight, data)
    return this.#placement.visit({ engine, threads, precision }, (session) =>
      judge(session.as(this.network), task, settled),
    )
  }

  /**
   * Answers for samples, a row each: probabilities from a trained classifier; a model that was never trained does not
   * know its loss and gives the outputs as they are. Bytes are taken as pixels, 0 to 255; a model that learned from floats refuses
   * them. Arrays are taken during the call: they may be filled again at once. On another engine than where the model lives
   * it computes on a copy of the weights.
   */
  async predict(samples: Samples, options: PredictOptions = {}): Promise<Prediction> {
    const { engine, threads, precision, ...how } = settle(predictTable, options, 'predict')
    const { network, classNames } = this
    const heads = this.#known.heads
    const data = asDataset(samples, network, this.#known.learnedFrom)
    const answers = await this.#placement.visit({ engine, threads, precision }, (session) =>
      predict(session.as(network), data, { heads, ...how }),
    )
    return predictionOf(network, answers, { samples: data.length, heads, classNames })
  }

  /**
   * Answers for one picture, prepared as the data were that the model learned from: the bytes of a PNG, JPEG, WebP, GIF
   * or AVIF file (`name` is what errors call it), a `File` or `Blob`, or pixels: `{ width, height, channels, pixels }`
   * as `decodeImage` gives them, an `ImageData`, in a browser also a canvas, an `ImageBitmap` or a `VideoFrame`. Throws
   * E_FILE when the picture cannot be decoded, E_MODEL where the model has no `preprocessing`.
   */
  async predictPicture(picture: PictureGiven, name = 'picture'): Promise<Prediction> {
    const how = this.preprocessing
    if (!how) throw noPreprocessing(this.name, this.inputs, this.#known.learnedFrom)
    settleOne(fileName, name, 'name', 'predictPicture')
    return this.predict(await pictureSample(picture, how, name))
  }

  /**
   * The model as a graph: nodes of its inputs, of every layer by name, of weights, logits and outputs, to extend with `ops` and
   * `gradients`. What is made of them is computed by `run`.
   */
  graph(options: GraphOptions = {}): ModelGraph {
    const settled = settle(graphOptions, options, 'graph')
    return modelGraph(this.network, this.#known.heads, { ...settled, owner: this.#placement })
  }

  /**
   * Computes goals made of nodes of `graph`, by the model's own weights on the engine where they are: `outputs` by name, and `updates`
   * of weights where there are any. Values are given by the names of inputs (just an array where there is only one) and of placeholders of
   * your own; bytes are taken as pixels, as in `predict`. Goals and arrays are taken during the call. A program is planned once for
   * the same nodes: keep them, and call again. Throws E_GRAPH for nodes of another model's graph.
   */
  async run<const Outputs extends Goals['outputs']>(
    goals: GraphGoals<Outputs>,
    inputs: TypedArray | Readonly<Record<string, TypedArray>>,
    options: RunOptions = {},
  ): Promise<{ readonly [Name in keyof Outputs]: Numbers }> {
    const { seed } = settle(runOptions, options, 'run')
    const network = this.network
    const taken = takeGoals(goals, this.name)
    const given = valuesByName(inputs, network, this.#known.learnedFrom)
    const owner = this.#placement
    const { results } = await owner.queue((session) => runGoals(session.as(network), taken, { given, seed, owner }))
    return (await results) as { [Name in keyof Outputs]: Numbers }
  }

  /** All weights by name, `conv2d/kernel` and so on. */
  weights(): Promise<Record<string, Float32Array>> {
    return this.#valuesOf({})
  }

  async #valuesOf(judged: Readonly<Record<string, string>>): Promise<Record<string, Float32Array>> {
    const { state } = await this.#placement.home()
    const names = Object.keys(networkWeights(this.network))
    const values = await Promise.all(names.map((name) => state.read(judged[name] ?? name)))
    return Object.fromEntries(names.map((name, i) => [name, asFloat32(values[i], name)]))
  }

  /** Overwrites weights by name. The arrays are taken during the call. */
  async setWeights(values: Readonly<Record<string, Numbers>>): Promise<void> {
    const taken = takeWeights(values, () => this.network, this.name)
    await this.#placement.change(({ state }) => Promise.all(taken.map(([name, numbers]) => state.write(name, numbers))))
  }

  /** The model as the bytes of a file: architecture, weights, class names, preprocessing. */
  toBytes(): Promise<Uint8Array> {
    return this.#bytesBy({})
  }

  /** The same with other tensors of the state instead of weights, by name. */
  async #bytesBy(judged: Readonly<Record<string, string>>): Promise<Uint8Array> {
    const { network, kind } = this
    return modelToBytes({ ...this.#known, network, kind, weights: await this.#valuesOf(judged) })
  }

  /** Writes the model to one safetensors file. A crash leaves the complete file, or what was there before. */
  async save(path: string): Promise<void> {
    await writeFile(settleOne(filePath, path, 'path', 'save'), await this.toBytes())
  }

  /** The engine that holds the weights now. */
  async engine(): Promise<Engine> {
    return (await this.#placement.home()).state.engine
  }

  /**
   * Moves the weights, with what the optimizer keeps, to another engine: all that is asked without an engine computes there
   * from then on. Models made by `features` move along. Throws E_MODEL while the model is being trained, E_ENGINE where
   * there is no such engine.
   */
  async moveTo(choice: EngineChoice): Promise<void> {
    await this.#placement.moveTo(settle(engineOptions, choice, 'moveTo'))
  }

  /** Gives the model's memory on its engine back; the model cannot be used any more. Dropping it does the same, later. */
  close(): Promise<void> {
    return this.#placement.close()
  }

  /** `await using model = ...` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
