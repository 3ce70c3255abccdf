/** What is told of a training run: to people as text, to programs as JSON, one object a line. */

import type { Model } from '../model/model.ts'
import { sizeText } from '../network/summary.ts'
import { logFile } from '../training/callbacks/log-file.ts'
import type { Callback, EpochRecord, Logs, Progress, History as TrainingHistory } from '../training/history.ts'
import { typed } from './about.ts'
import { countText, metricText } from './number-text.ts'
import { plainLines, progressBar } from './progress.ts'
import type { Terminal } from './terminal.ts'

/** Where samples came from. */
export interface DataFacts {
  readonly name: string
  readonly samples: number
  readonly source: string | undefined
}

/** What is known before training begins. */
export interface RunFacts {
  readonly network: string
  readonly parameters: number
  readonly train: DataFacts
  readonly test: DataFacts
  /** The folder of the run. */
  readonly out: string
}

/** Hears of a run: the library's events, and three of the command's own. */
export interface RunReport extends Callback {
  onStart?(facts: RunFacts, model: Model): void
  /** Loss and metrics on the test part. */
  onTest?(logs: Logs): void | Promise<void>
  onEnd?(end: RunEnd): void
}

export interface RunEnd {
  readonly ended: TrainingHistory['ended']
  readonly why?: string
  readonly steps: number
  readonly out: string
  /** The model's file. */
  readonly model: string
}

/** For people. */
export function textReports(terminal: Terminal, every: number): RunReport[] {
  return [headings(terminal), terminal.isLive ? progressBar(terminal) : plainLines(terminal, every)]
}

function headings(terminal: Terminal): RunReport {
  let resumedAt: number | undefined
  return {
    onStart({ train, test }, model) {
      for (const { name, samples, source } of [train, test])
        terminal.print(`${name}: ${countText(samples)} images${source ? `, ${source}` : ''}`)
      terminal.print(`\n${model.summary({ columns: terminal.columns })}\n`)
    },
    onTrainBegin({ engine, precision, askedPrecision, arenaBytes, samples, validationSamples, resumed }) {
      terminal.print(`engine ${engine}`)
      const instead = askedPrecision && `, which this engine has in the place of ${askedPrecision}`
      terminal.print(`precision ${precision}${instead ?? ''}`)
      terminal.print(`memory ${sizeText(arenaBytes)} for a step, weights and optimizer apart`)
      if (validationSamples > 0 && samples !== undefined)
        terminal.print(`train on ${countText(samples)} images, validate on ${countText(validationSamples)}`)
      for (const reason of resumed?.skipped ?? []) terminal.note(`an unusable checkpoint is left out: ${reason}`)
      resumedAt = resumed?.step
      if (resumed) terminal.print(`goes on after step ${countText(resumed.step)}, from ${resumed.path}`)
      terminal.print('')
    },
    onTest(logs) {
      terminal.print('')
      for (const [name, value] of Object.entries(logs)) terminal.print(`test ${name} ${metricText(value)}`)
    },
    onEnd({ ended, why, steps, out, model }) {
      if (why !== undefined) terminal.print(why)
      if (steps === resumedAt) terminal.print('there was nothing left to do; --epochs or --steps asks for more')
      if (ended === 'aborted') {
        terminal.print(`stopped after ${countText(steps)} steps`)
        terminal.print(`to go on: ${typed} train --resume ${out}`)
      }
      terminal.print(`saved ${model}`)
      if (ended !== 'aborted') terminal.print(`try it: ${typed} predict ${out} <pictures>`)
    },
  }
}

/** What the history of a run is made of, and what programs hear of it: logged steps, epochs, the test. */
function events(write: (line: string) => void | Promise<void>, every: number) {
  const event = (name: string, facts: object) => write(JSON.stringify({ event: name, ...facts }))
  return {
    onBatchEnd: (progress: Progress) => (progress.step % every === 0 ? event('step', progress) : undefined),
    onEpochEnd: (record: EpochRecord) => event('epoch', record),
    onTest: (logs: Logs) => event('test', logs),
  }
}

/** The history in the run's folder; of a run that goes on, what came after its checkpoint is cut off. */
export function historyReport(path: string, every: number): RunReport {
  const file = logFile(path)
  return {
    name: 'history',
    ...events(file.write, every),
    onTrainBegin: ({ resumed }) => file.begin('anew', resumed !== undefined),
    state: file.state,
    restore: file.restore,
  }
}

/** For programs: the history, between a start and an end. */
export function jsonReport(write: (line: string) => void, every: number): RunReport {
  let facts: RunFacts | undefined
  return {
    ...events(write, every),
    onStart(given) {
      facts = given
    },
    onTrainBegin: (info) => write(JSON.stringify({ event: 'start', ...facts, ...info })),
    onEnd: (end) => write(JSON.stringify({ event: 'end', ...end })),
  }
}
