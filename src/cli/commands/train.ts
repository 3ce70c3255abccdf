/** Trains a network and leaves a run folder. */
import { exitCodes, FoveaError } from '../../base/errors.ts'
import type { OptionTable, Settled } from '../../base/options.ts'
import { choice, chosen, flag, flagName, text } from '../../base/options.ts'
import { dataOptions, datasetNames, reasonOf, refuseForeign } from '../../runs/data.ts'
import { classifierNames } from '../../runs/open-model.ts'
import { jsonReport } from '../../runs/report.ts'
import { openRun, trainRun } from '../../runs/run.ts'
import type { RunOptions, RunRequest } from '../../runs/run-options.ts'
import { runGroups, runOptions } from '../../runs/run-options.ts'
import { requestOf } from '../../runs/saved-run.ts'
import { fitOptions } from '../../training/fit-options.ts'
import type { Call, Command } from '../command.ts'
import { defineCommand } from '../command.ts'
import { catchSignals } from '../interrupt.ts'
import { trainedArgument } from '../network.ts'
import { progressOption, textReports } from '../run-text.ts'

const resume = text({
  says: 'continue the run in this folder from its last checkpoint, with its own options and those given now',
  optional: true,
})
const json = flag({ says: 'print events as JSON, one object a line', default: false })
const data = choice(datasetNames, { says: 'the data set; a resumed run already has it', optional: true })

const groups = {
  ...runGroups,
  data: { ...runGroups.data, data },
  'ends and checkpoints': { ...runGroups['ends and checkpoints'], resume },
  output: { ...runGroups.output, progress: progressOption, json },
} satisfies Record<string, OptionTable>
const trainOptions = { ...runOptions, data, resume, progress: progressOption, json }

const command: Command<typeof trainOptions> = {
  says: 'Train a network and keep the run: its configuration, its history and the model',
  arguments: [{ ...trainedArgument, takes: 'maybe' }],
  options: trainOptions,
  groups,
  examples: [
    'fovea train lenet --data mnist --epochs 2',
    'fovea train lenet --data digits --validation-split 0.2 --learning-rate 3e-4',
    'fovea train lenet --data mnist --optimizer \'{ "type": "sgd", "momentum": 0.9 }\'',
    'fovea train resnet20 --data mnist --input-shape 28,28,1 --epochs 1',
    'fovea train --resume runs/lenet-2026-01-31-09-05-00',
  ],
  async run(call, terminal) {
    const { json, resume, progress } = call.options
    const request = await requestFor(call)
    const { data, fallback, logEvery } = request.options
    refuseUnjudged(request.options)
    const ofData = [...call.given].filter((name) => !Object.hasOwn(fitOptions, name))
    refuseForeign(ofData, fallback ? [data, fallback] : [data], 'train')
    const run = await openRun(request, {
      resume,
      onReading: (name) => json || terminal.draw(`reading ${name} ...`),
      onFallback: (reason, name, other) => terminal.note(standsIn(reason, name, other)),
    })
    const interruption = catchSignals(() =>
      terminal.note('stopping after this step; Ctrl-C again leaves at once, without saving'),
    )
    try {
      const reports = json
        ? [jsonReport(terminal.print, logEvery)]
        : textReports(terminal, { every: logEvery, progress })
      const { ended } = await trainRun(run, { reports, signal: interruption.signal, command: call.words })
      if (ended === 'diverged') return exitCodes.numeric
      return ended === 'aborted' ? (interruption.exitCode ?? 0) : 0
    } finally {
      interruption.release()
    }
  },
}
export const train = defineCommand(command)

/** Options that use val_loss need a share for validation; refused before any data are read. */
function refuseUnjudged(options: RunOptions): void {
  if (options.validationSplit > 0) return
  const name = (['earlyStopping', 'reduceOnPlateau'] as const).find((one) => options[one] !== undefined)
  if (name === undefined) return
  const what = `'--${flagName(name)}' needs val_loss, and there is none`
  throw new FoveaError('E_OPTION', {
    what,
    where: 'train',
    hint: 'keep a share for validation: --validation-split 0.2',
  })
}

/** What the command line asks for: a new run, or one that continues with other options. */
async function requestFor(call: Call<typeof trainOptions>): Promise<RunRequest> {
  const {
    arguments: [network],
    options,
    given,
  } = call
  const { resume, data, out } = options
  if (resume === undefined) {
    if (network === undefined) throw missing('<network> is missing', classifierNames.join(', '))
    if (data === undefined) throw missing("'--data' is missing", dataOptions.data.accepts)
    return { network, options: { ...chosen(runOptions, options as Settled<typeof runOptions>), data } }
  }
  const stray = network ?? out
  if (stray !== undefined) {
    const what = 'a run that is resumed already has its network and its folder'
    throw new FoveaError('E_OPTION', { what, where: 'train', got: `'${stray}'` })
  }
  const now = [...given]
    .filter((name) => Object.hasOwn(runOptions, name))
    .map((name) => [name, options[name as 'seed']])
  return requestOf(resume, Object.fromEntries(now) as Partial<RunOptions>)
}

const missing = (what: string, expected: string): FoveaError =>
  new FoveaError('E_OPTION', { what, where: 'train', expected, hint: 'see fovea train --help' })

/** Why other data are trained on, and how to get those that were asked for. */
function standsIn(reason: FoveaError, data: string, fallback: string): string {
  const named = process.env['FOVEA_DATA']
  const where = named ? `not in FOVEA_DATA, ${named}; ` : ''
  const { hint } = reason.complaint
  const way = hint ? `; to have it, ${hint}` : ''
  return `${data} is not available (${where}${reasonOf(reason)}): training on ${fallback} instead${way}`
}
