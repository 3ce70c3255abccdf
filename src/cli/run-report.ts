/** What is told of a training run: to people as text, to programs as JSON, one object a line. */
import type { Callback, Logs, History as TrainingHistory } from '../model/history.ts'
import type { Model } from '../model/model.ts'
import { sizeText } from '../model/summary.ts'
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
  onTest?(logs: Logs): void
  onEnd?(end: RunEnd): void
}

export interface RunEnd {
  readonly ended: TrainingHistory['ended']
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
  return {
    onStart({ train, test }, model) {
      for (const { name, samples, source } of [train, test])
        terminal.print(`${name}: ${countText(samples)} images${source ? `, ${source}` : ''}`)
      terminal.print(`\n${model.summary({ columns: terminal.columns })}\n`)
    },
    onTrainBegin({ engine, arenaBytes, samples, validationSamples }) {
      terminal.print(`engine ${engine}`)
      terminal.print(`memory ${sizeText(arenaBytes)} for a step, weights and optimizer apart`)
      if (validationSamples > 0)
        terminal.print(`train on ${countText(samples)} images, validate on ${countText(validationSamples)}`)
      terminal.print('')
    },
    onTest(logs) {
      terminal.print('')
      for (const [name, value] of Object.entries(logs)) terminal.print(`test ${name} ${metricText(value)}`)
    },
    onEnd({ ended, steps, out, model }) {
      if (ended === 'aborted') terminal.print(`stopped after ${countText(steps)} steps`)
      terminal.print(`saved ${model}`)
      if (ended === 'finished') terminal.print(`try it: fovea predict ${out} <pictures>`)
    },
  }
}

/** The lines of a run's history: logged steps, epochs, the test. */
export function historyReport(write: (line: string) => void, every: number): RunReport {
  const event = (name: string, facts: object): void => write(JSON.stringify({ event: name, ...facts }))
  return {
    onBatchEnd(progress) {
      if (progress.step % every === 0) event('step', progress)
    },
    onEpochEnd: (record) => event('epoch', record),
    onTest: (logs) => event('test', logs),
  }
}

/** For programs: the history, between a start and an end. */
export function jsonReport(write: (line: string) => void, every: number): RunReport {
  let facts: RunFacts | undefined
  return {
    ...historyReport(write, every),
    onStart(given) {
      facts = given
    },
    onTrainBegin: (info) => write(JSON.stringify({ event: 'start', ...facts, ...info })),
    onEnd: (end) => write(JSON.stringify({ event: 'end', ...end })),
  }
}
