/** Reports of a training run: its events, as calls and as JSON, one object a line. */

import type { Model } from '../model/model.ts'
import { logFile } from '../training/callbacks/log-file.ts'
import type { Callback, EpochRecord, Logs, Progress, History as TrainingHistory } from '../training/history.ts'

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

/** Functions that are called during a run: the library's events, and three of the command's own. */
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
  /** The folder of the run; absent where a new run was aborted before its first step: its folder is gone again. */
  readonly out?: string
  /** The model's file; absent where the run was aborted before its first step: nothing was saved. */
  readonly model?: string
}

/** What the history of a run is made of, and what programs get of it: logged steps, epochs, the test. */
function events(write: (line: string) => void | Promise<void>, every: number) {
  const event = (name: string, facts: object) => write(JSON.stringify({ event: name, ...facts }))
  return {
    onBatchEnd: (progress: Progress) => (progress.step % every === 0 ? event('step', progress) : undefined),
    onEpochEnd: (record: EpochRecord) => event('epoch', record),
    onTest: (logs: Logs) => event('test', logs),
  }
}

/** The history in the run's folder; of a resumed run, what came after its checkpoint is cut off. */
export function historyReport(path: string, every: number): RunReport {
  const file = logFile(path)
  return {
    name: 'history',
    ...events(file.write, every),
    onTrainBegin: ({ resumed }) => file.begin('new', resumed !== undefined),
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
