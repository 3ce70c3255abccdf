/** A run: a model trained on a dataset and judged by its test part, kept in a folder from which it can continue. */
import type { FoveaError } from '../base/errors.ts'
import { chosen } from '../base/options.ts'
import type { Dataset, Parts } from '../data/dataset.ts'
import { wantDataset } from '../data/dataset.ts'
import type { DatasetName } from '../data/datasets/index.ts'
import { engineOptions } from '../engines/index.ts'
import type { Model } from '../model/model.ts'
import { objectiveOptions } from '../network/objective.ts'
import { networkToJson } from '../saved/model-file.ts'
import { callbacks } from '../training/callbacks/index.ts'
import { fitOptions } from '../training/fit-options.ts'
import type { Callback, History } from '../training/history.ts'
import type { PauseControl } from '../training/pause.ts'
import { isUnavailable, loadData } from './data.ts'
import { networkOptions } from './network-options.ts'
import { absoluteNetwork, openForTraining } from './open-model.ts'
import type { DataFacts, RunReport } from './report.ts'
import { historyReport } from './report.ts'
import type { ClaimedFolder, RunFolder } from './run-folder.ts'
import { checkRunFolder, makeRunFolder, runFolderAt } from './run-folder.ts'
import type { RunOptions, RunRequest } from './run-options.ts'
import { version } from './version.ts'

/** A run whose data are read and whose folder is made; nothing has been trained. */
export interface Run {
  readonly request: RunRequest
  readonly model: Model
  readonly parts: Parts
  readonly folder: RunFolder | ClaimedFolder
  /** What was given, in the place of what the request names. */
  readonly own: { readonly model: boolean; readonly parts: boolean }
}

export interface OpeningRun {
  /** One's own data, in the place of those that the request names. */
  readonly parts?: Parts | undefined
  /** One's own model, in the place of the network that the request names. */
  readonly model?: Model | undefined
  /** The folder of a run to continue, rather than a new one. */
  readonly resume?: string | undefined
  /** Called before a dataset is read. */
  readonly onReading?: (data: DatasetName) => void
  /** Called when `fallback` stands in for data that are not available. */
  readonly onFallback?: (reason: FoveaError, data: DatasetName, fallback: DatasetName) => void
}

/**
 * Opens the network, reads the data, and makes the folder once it is known that the data fit the model. Throws what these
 * throw; then nothing has been written.
 */
export async function openRun(request: RunRequest, { resume, ...own }: OpeningRun = {}): Promise<Run> {
  const { network, options } = request
  if (options.out !== undefined && resume === undefined) await checkRunFolder(options.out)
  const model = own.model ?? (await openForTraining(network, openingOf(options)))
  const parts = own.parts ?? (await readParts(options, own))
  wantDataset(parts.train, 'parts.train')
  wantDataset(parts.test, 'parts.test')
  model.check(parts.train, chosen(objectiveOptions, options)) // before anything is written
  const folder =
    resume === undefined
      ? await makeRunFolder({ path: options.out, name: model.name, now: new Date() })
      : runFolderAt(resume)
  return { request, model, parts, folder, own: { model: own.model !== undefined, parts: own.parts !== undefined } }
}

const openingOf = (options: RunOptions) => ({
  seed: options.seed,
  ...chosen(engineOptions, options),
  ...chosen(networkOptions, options),
})

async function readParts(
  options: RunOptions,
  { onReading, onFallback }: Pick<OpeningRun, 'onReading' | 'onFallback'>,
): Promise<Parts> {
  const { data, fallback } = options
  onReading?.(data)
  try {
    return await loadData(data, options)
  } catch (error) {
    if (fallback === undefined || !isUnavailable(error)) throw error
    onFallback?.(error, data, fallback)
    return loadData(fallback, options)
  }
}

/**
 * Trains, saves the model after every epoch and at the end, and judges it unless it was aborted or diverged. A run that is
 * refused before its first step leaves no folder behind, and one that was there already as it was.
 */
export async function trainRun(
  run: Run,
  {
    reports: listeners = [],
    signal,
    control,
    command,
  }: {
    readonly reports?: readonly RunReport[]
    readonly signal?: AbortSignal
    /** Pauses training, takes single steps, and continues. */
    readonly control?: PauseControl
    /** The words of the command that began it, where a command did. */
    readonly command?: readonly string[]
  } = {},
): Promise<History> {
  const { request, model, parts, folder, own } = run
  const { options } = request
  const reports = [...listeners, historyReport(folder.historyPath, options.logEvery)]
  const facts = {
    network: model.name,
    parameters: model.parameterCount,
    train: factsOf(parts.train),
    test: factsOf(parts.test),
    out: folder.path,
  }
  const { name, description, threads } = await model.engine()
  const config = {
    ...(command && { command }),
    versions: { fovea: version(), node: process.versions.node },
    engine: { name, description, threads },
    precision: options.precision ?? 'float32',
    ...facts,
    network: own.model ? request.network : absoluteNetwork(request.network),
    ...(own.model && { ownModel: networkToJson(model.network, 'functional') }),
    ...(own.parts && { ownData: { train: dataOf(parts.train), test: dataOf(parts.test) } }),
    options: own.parts ? { ...options, data: undefined } : options, // which names others
  }
  for (const report of reports) report.onStart?.(facts, model)
  const { history, hasBegun } = await fitAndSave(run, reports, {
    signal,
    control,
    onBegin: () => folder.writeConfig(config),
  })
  const { ended, why, steps } = history
  if (ended === 'finished' || ended === 'stopped') {
    const logs = await model.evaluate(parts.test)
    for (const report of reports) await report.onTest?.(logs)
  }
  const end = {
    ended,
    ...(why !== undefined && { why }),
    steps,
    ...((hasBegun || !('giveBack' in folder)) && { out: folder.path }),
    ...(hasBegun && { model: folder.modelPath }),
  }
  for (const report of reports) report.onEnd?.(end)
  return history
}

async function fitAndSave(
  { request: { options }, model, parts, folder }: Run,
  reports: readonly RunReport[],
  {
    signal,
    control,
    onBegin,
  }: { signal: AbortSignal | undefined; control: PauseControl | undefined; onBegin: () => Promise<void> },
): Promise<{ readonly history: History; readonly hasBegun: boolean }> {
  const claimed = 'giveBack' in folder ? folder : undefined
  let hasBegun = false
  try {
    const history = await model.fit(parts.train, {
      ...chosen(fitOptions, options),
      callbacks: [
        ...reports,
        ...callbacksOf(options),
        {
          async onTrainBegin() {
            hasBegun = true
            await onBegin()
          },
          onEpochEnd: (_, training) => training.save(folder.modelPath),
        },
      ],
      checkpoints: { folder: folder.checkpointPath, every: options.checkpointEvery },
      resume: claimed === undefined,
      signal,
      control,
    })
    if (hasBegun)
      await model.save(folder.modelPath) // the end may have put better weights in their place
    else await claimed?.giveBack() // aborted before its first step
    return { history, hasBegun }
  } catch (error) {
    if (!hasBegun) await claimed?.giveBack()
    throw error
  }
}

function callbacksOf({ earlyStopping: stop, reduceOnPlateau: plateau }: RunOptions): Callback[] {
  return [
    ...(stop === undefined ? [] : [callbacks.earlyStopping({ patience: stop, restoreBestWeights: true })]),
    ...(plateau === undefined ? [] : [callbacks.reduceLearningRateOnPlateau({ patience: plateau })]),
  ]
}

/** One's own data, as far as they are data. */
const dataOf = ({ name, length, inputs, targets, classNames, source, transforms }: Dataset) => ({
  name,
  samples: length,
  inputs,
  targets,
  classNames,
  source,
  transforms,
})

const factsOf = ({ name, length, source }: Dataset): DataFacts => ({ name, samples: length, source })
