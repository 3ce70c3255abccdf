/** Trains a network and leaves a run folder. */
import { exitCodes, FoveaError } from '../../base/errors.ts'
import { choice, flag, integer, type Settled, text } from '../../base/options.ts'
import type { Dataset, Parts } from '../../data/dataset.ts'
import { type EngineName, engineNames, engineOptions, engines } from '../../engines/index.ts'
import type { Model } from '../../model/model.ts'
import { objectiveOptions } from '../../network/objective.ts'
import { callbacks } from '../../training/callbacks/index.ts'
import { fitOptions } from '../../training/fit-options.ts'
import type { Callback, History } from '../../training/history.ts'
import { version } from '../about.ts'
import type { Call, Command } from '../command.ts'
import { chosen, defineCommand, readCall } from '../command.ts'
import { dataOptions, datasetNames, isUnavailable, loadData, reasonOf, refuseForeign } from '../data.ts'
import { catchSignals } from '../interrupt.ts'
import { networkArgument, openNetwork, zooNames } from '../network.ts'
import {
  beginOfRun,
  checkRunFolder,
  makeRunFolder,
  type RunFolder,
  removeRunFolder,
  runFolderAt,
} from '../run-folder.ts'
import type { DataFacts, RunReport } from '../run-report.ts'
import { historyReport, jsonReport, textReports } from '../run-report.ts'
import type { Terminal } from '../terminal.ts'

const groups = {
  data: {
    ...dataOptions,
    data: choice(datasetNames, { says: 'the data set; a run that goes on has it already', optional: true }),
    fallback: choice(datasetNames, { says: 'the data set to take when --data cannot be had', optional: true }),
  },
  training: {
    ...fitOptions,
    batchSize: { ...fitOptions.batchSize, default: 128 },
    seed: { ...fitOptions.seed, says: 'of all that is random: weights, order, dropout, drawn digits' },
  },
  engine: engineOptions,
  'ends and checkpoints': {
    earlyStopping: integer({
      says: 'epochs without a better val_loss (so with --validation-split) after which training stops, with the best weights',
      min: 0,
      optional: true,
    }),
    reduceOnPlateau: integer({
      says: 'epochs without a better val_loss (so with --validation-split) after which the learning rate falls to a tenth',
      min: 0,
      optional: true,
    }),
    checkpointEvery: integer({
      says: 'steps from one checkpoint to the next; there is one at the end of every epoch anyway',
      min: 1,
      optional: true,
    }),
    resume: text({
      says: 'go on with the run in this folder from its last checkpoint, by the options that it began with and those given now',
      optional: true,
    }),
  },
  output: {
    out: text({ says: 'folder of the run; runs/<network>-<date>-<time> when absent', optional: true }),
    logEvery: integer({ says: 'steps from one line of the history to the next', min: 1, default: 50 }),
    json: flag({ says: 'print events as JSON, one object a line', default: false }),
  },
}
const trainOptions = {
  ...groups.data,
  ...groups.training,
  ...groups.engine,
  ...groups['ends and checkpoints'],
  ...groups.output,
}

const command: Command<typeof trainOptions> = {
  says: 'Train a network and keep the run: its configuration, its history and the model',
  arguments: [{ ...networkArgument, takes: 'maybe' }],
  options: trainOptions,
  groups,
  examples: [
    'fovea train lenet --data mnist --epochs 2',
    'fovea train lenet --data digits --validation-split 0.2 --learning-rate 3e-4',
    'fovea train lenet --data mnist --optimizer \'{ "type": "sgd", "momentum": 0.9 }\'',
    'fovea train --resume runs/lenet-2026-01-31-09-05-00',
  ],
  async run(given, terminal) {
    const call = await goneOn(given)
    const { arguments: names, options } = call
    if (options.out !== undefined && options.resume === undefined) await checkRunFolder(options.out)
    const model = await openNetwork(names[0], { seed: options.seed, ...chosen(engineOptions, options) })
    const parts = await readParts(call, terminal)
    model.check(parts.train, chosen(objectiveOptions, options)) // before anything is written
    const folder =
      options.resume === undefined
        ? await makeRunFolder({ path: options.out, name: model.name, now: new Date() })
        : runFolderAt(options.resume)
    const reports = [
      ...(options.json ? [jsonReport(terminal.print, options.logEvery)] : textReports(terminal, options.logEvery)),
      historyReport(folder.historyPath, options.logEvery),
    ]
    return trainAndTest(call, { model, parts, folder, reports, terminal })
  },
}
export const train = defineCommand(command)

const missing = (what: string, expected: string): FoveaError =>
  new FoveaError('E_OPTION', { what, where: 'train', expected, hint: 'see fovea train --help' })

/** A call that goes on with a run: its words, then those given now, of which the last ones count. */
async function goneOn(call: Call<typeof trainOptions>): Promise<Call<typeof trainOptions>> {
  const { resume, out } = call.options
  if (resume === undefined) {
    if (call.arguments.length === 0) throw missing('<network> is missing', zooNames.join(', '))
    return call
  }
  const astray = call.arguments[0] ?? out
  if (astray !== undefined) {
    const what = 'a run that goes on has its network and its folder already'
    throw new FoveaError('E_OPTION', { what, where: 'train', got: `'${astray}'` })
  }
  const [, ...words] = call.words
  const at = words.findIndex((word) => word.startsWith('--resume'))
  const more = words.toSpliced(at, words[at] === '--resume' ? 2 : 1)
  const { words: first, engine } = await beginOfRun(resume, 'train')
  const begun = readCall('train', command, [...first, ...more])
  if (begun === 'help') return call
  return {
    ...begun,
    options: { ...begun.options, resume, engine: begun.options.engine ?? (await engineOfBegin(engine, resume)) },
  }
}

/** The engine that a run began with, which `auto` chose then: a checkpoint goes on with its engine alone. */
async function engineOfBegin(name: string | undefined, run: string): Promise<EngineName | undefined> {
  const known = engineNames.find((engine) => engine === name)
  const missing = known && (await engines[known].missing())
  if (missing === undefined) return known
  throw new FoveaError('E_ENGINE', {
    what: `the run began on the engine ${known}, which is not here`,
    where: run,
    got: missing,
    hint: `a checkpoint goes on with its engine alone; fovea train ${run} --data ... trains its model further on another`,
  })
}

interface Run {
  readonly model: Model
  readonly parts: Parts
  readonly folder: RunFolder
  readonly reports: readonly RunReport[]
  readonly terminal: Terminal
}

async function trainAndTest(call: Call<typeof trainOptions>, run: Run): Promise<number> {
  const { model, parts, folder, reports } = run
  const facts = {
    network: model.name,
    parameters: model.parameterCount,
    train: factsOf(parts.train),
    test: factsOf(parts.test),
    out: folder.path,
  }
  const { name, description, threads } = await model.engine()
  const config = {
    command: call.words,
    versions: { fovea: version(), node: process.versions.node },
    engine: { name, description, threads },
    precision: call.options.precision ?? 'float32',
    ...facts,
    options: call.options,
  }
  for (const report of reports) report.onStart?.(facts, model)
  const { history, exitCode } = await fitUntilStopped(call, run, () => folder.writeConfig(config))
  if (exitCode === 0) {
    const logs = await model.evaluate(parts.test)
    for (const report of reports) await report.onTest?.(logs)
  }
  const { ended, why, steps } = history
  const end = { ended, ...(why !== undefined && { why }), steps, out: folder.path, model: folder.modelPath }
  for (const report of reports) report.onEnd?.(end)
  return exitCode
}

/**
 * Fits, and saves the model after every epoch, the last one being cut short by Ctrl-C. What is refused before it begins
 * leaves no folder behind, and one that is there already as it was.
 */
async function fitUntilStopped(
  { options }: Call<typeof trainOptions>,
  { model, parts, folder, reports, terminal }: Run,
  onBegin: () => Promise<void>,
): Promise<{ history: History; exitCode: number }> {
  let hasBegun = options.resume !== undefined
  const interruption = catchSignals(() =>
    terminal.note('stopping after this step; Ctrl-C again leaves at once, without saving'),
  )
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
      resume: options.resume !== undefined,
      signal: interruption.signal,
    })
    await model.save(folder.modelPath) // the end may have put better weights in their place
    const exitCode =
      history.ended === 'diverged' ? exitCodes.numeric : history.ended === 'aborted' ? (interruption.exitCode ?? 0) : 0
    return { history, exitCode }
  } catch (error) {
    if (!hasBegun) await removeRunFolder(folder)
    throw error
  } finally {
    interruption.release()
  }
}

function callbacksOf({ earlyStopping: stop, reduceOnPlateau: plateau }: Settled<typeof trainOptions>): Callback[] {
  return [
    ...(stop === undefined ? [] : [callbacks.earlyStopping({ patience: stop, restoreBestWeights: true })]),
    ...(plateau === undefined ? [] : [callbacks.reduceLearningRateOnPlateau({ patience: plateau })]),
  ]
}

async function readParts({ options, given }: Call<typeof trainOptions>, terminal: Terminal): Promise<Parts> {
  const { data, fallback } = options
  if (data === undefined) throw missing("'--data' is missing", dataOptions.data.accepts)
  const ofData = [...given].filter((name) => !Object.hasOwn(fitOptions, name))
  refuseForeign(ofData, fallback ? [data, fallback] : [data], 'train')
  if (!options.json) terminal.draw(`reading ${data} ...`)
  try {
    return await loadData(data, options)
  } catch (error) {
    if (fallback === undefined || !isUnavailable(error)) throw error
    const named = process.env['FOVEA_DATA']
    const where = named ? `not in FOVEA_DATA, ${named}; ` : ''
    const way = error.complaint.hint ? `; to have it, ${error.complaint.hint}` : ''
    terminal.note(`${data} cannot be had (${where}${reasonOf(error)}): training on ${fallback} instead${way}`)
    return loadData(fallback, options)
  }
}

const factsOf = ({ name, length, source }: Dataset): DataFacts => ({ name, samples: length, source })
