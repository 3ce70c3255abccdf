/** Trains a network and leaves a run folder. */
import { choice, flag, integer, text } from '../../base/options.ts'
import type { Dataset, Parts } from '../../data/dataset.ts'
import { engineOptions } from '../../engines/index.ts'
import type { History } from '../../model/history.ts'
import type { Model } from '../../model/model.ts'
import { objectiveOptions } from '../../model/objective.ts'
import { fitOptions } from '../../model/train.ts'
import type { Call } from '../command.ts'
import { chosen, defineCommand } from '../command.ts'
import { dataOptions, datasetNames, isUnavailable, loadData, reasonOf, refuseForeign } from '../data.ts'
import { catchSignals } from '../interrupt.ts'
import { networkArgument, openNetwork } from '../network.ts'
import { checkRunFolder, makeRunFolder, type RunFolder } from '../run-folder.ts'
import type { DataFacts, RunReport } from '../run-report.ts'
import { historyReport, jsonReport, textReports } from '../run-report.ts'
import type { Terminal } from '../terminal.ts'
import { version } from '../version.ts'

const groups = {
  data: {
    ...dataOptions,
    fallback: choice(datasetNames, { says: 'the data set to take when --data cannot be had', optional: true }),
  },
  training: {
    ...fitOptions,
    batchSize: { ...fitOptions.batchSize, default: 128 },
    seed: { ...fitOptions.seed, says: 'of all that is random: weights, order, dropout, drawn digits' },
  },
  engine: engineOptions,
  output: {
    out: text({ says: 'folder of the run; runs/<network>-<date>-<time> when absent', optional: true }),
    logEvery: integer({ says: 'steps from one line of the history to the next', min: 1, default: 50 }),
    json: flag({ says: 'print events as JSON, one object a line', default: false }),
  },
}
const trainOptions = { ...groups.data, ...groups.training, ...groups.engine, ...groups.output }

export const train = defineCommand({
  says: 'Train a network and keep the run: its configuration, its history and the model',
  arguments: [networkArgument],
  options: trainOptions,
  groups,
  examples: [
    'fovea train lenet --data mnist --epochs 2',
    'fovea train lenet --data digits --validation-split 0.2 --learning-rate 3e-4',
    'fovea train lenet --data mnist --optimizer \'{ "type": "sgd", "momentum": 0.9 }\'',
  ],
  async run(call, terminal) {
    const { arguments: names, options } = call
    if (options.out !== undefined) await checkRunFolder(options.out)
    const model = await openNetwork(names[0], { seed: options.seed, ...chosen(engineOptions, options) })
    const parts = await readParts(call, terminal)
    model.check(parts.train, chosen(objectiveOptions, options)) // before anything is written
    const folder = await makeRunFolder({ path: options.out, name: model.name, now: new Date() })
    const reports = [
      ...(options.json ? [jsonReport(terminal.print, options.logEvery)] : textReports(terminal, options.logEvery)),
      historyReport(folder.append, options.logEvery),
    ]
    return trainAndTest(call, { model, parts, folder, reports, terminal })
  },
})

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
  await folder.writeConfig({
    command: call.words,
    versions: { fovea: version(), node: process.versions.node },
    engine: { name, description, threads },
    ...facts,
    options: call.options,
  })
  for (const report of reports) report.onStart?.(facts, model)
  const { history, exitCode } = await fitUntilStopped(call, run)
  if (exitCode === 0) {
    const logs = await model.evaluate(parts.test)
    for (const report of reports) report.onTest?.(logs)
  }
  const { ended, steps } = history
  for (const report of reports) report.onEnd?.({ ended, steps, out: folder.path, model: folder.modelPath })
  return exitCode
}

/** Fits, and saves the model after every epoch, the last one being cut short by Ctrl-C. */
async function fitUntilStopped(
  { options }: Call<typeof trainOptions>,
  { model, parts, folder, reports, terminal }: Run,
): Promise<{ history: History; exitCode: number }> {
  const interruption = catchSignals(() =>
    terminal.note('stopping after this step; Ctrl-C again leaves at once, without saving'),
  )
  try {
    const history = await model.fit(parts.train, {
      ...chosen(fitOptions, options),
      callbacks: [...reports, { onEpochEnd: () => model.save(folder.modelPath) }],
      signal: interruption.signal,
    })
    if (history.epochs.length === 0) await model.save(folder.modelPath)
    const exitCode = history.ended === 'aborted' ? (interruption.exitCode ?? 0) : 0
    return { history, exitCode }
  } finally {
    interruption.release()
  }
}

async function readParts({ options, given }: Call<typeof trainOptions>, terminal: Terminal): Promise<Parts> {
  const { data, fallback } = options
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
