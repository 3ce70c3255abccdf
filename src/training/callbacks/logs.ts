/** Callbacks that write files of logs. */
import type { Options } from '../../base/options.ts'
import { flag, integer, settle, text } from '../../base/options.ts'
import type { Callback } from '../history.ts'
import { logsOf } from '../history.ts'
import { logFile } from './log-file.ts'

const append = flag({ says: 'go on at the end of the file, rather than begin it anew', default: false })

export const csvOptions = {
  path: text({ says: 'the file' }),
  separator: text({ says: 'between the columns', default: ',' }),
  append,
}
export type CsvLoggerOptions = Options<typeof csvOptions>

/** A row per epoch, as Keras's CSVLogger writes it: `epoch` (0 for the first), then the logs by name; NA where one is missing. */
export function csvLogger(given: CsvLoggerOptions): Callback {
  const name = 'csvLogger'
  const settled = settle(csvOptions, given, name)
  const file = logFile(settled.path)
  let columns: readonly string[] | undefined
  const row = (cells: readonly (string | number)[]): Promise<void> => file.write(cells.join(settled.separator))
  return {
    name,
    async onTrainBegin({ resumed }) {
      if (resumed) return
      columns = undefined
      await file.begin(settled.append ? 'append' : 'anew')
    },
    async onEpochEnd(record) {
      const logs = logsOf(record)
      if (!columns) {
        columns = Object.keys(logs).sort()
        if (file.state().bytes === 0) await row(['epoch', ...columns])
      }
      await row([record.epoch - 1, ...columns.map((column) => logs[column] ?? 'NA')])
    },
    state: () => ({ ...file.state(), columns }),
    async restore(saved: { bytes: number; columns?: readonly string[] }) {
      columns = saved.columns
      await file.restore(saved)
    },
  }
}

export const jsonOptions = {
  path: text({ says: 'the file' }),
  every: integer({ says: 'steps from one line to the next; epochs alone when absent', min: 1, optional: true }),
  append,
}
export type JsonLoggerOptions = Options<typeof jsonOptions>

/** A JSON object a line: `{ "event": "epoch", "epoch": 1, "loss": ... }`, and of every so many steps `{ "event": "step", ... }`. */
export function jsonLogger(given: JsonLoggerOptions): Callback {
  const name = 'jsonLogger'
  const { path, every = Infinity, append } = settle(jsonOptions, given, name)
  const file = logFile(path)
  return {
    name,
    async onTrainBegin({ resumed }) {
      if (!resumed) await file.begin(append ? 'append' : 'anew')
    },
    async onBatchEnd(progress) {
      if (progress.step % every === 0) await file.write(JSON.stringify({ event: 'step', ...progress }))
    },
    onEpochEnd: (record) => file.write(JSON.stringify({ event: 'epoch', ...record })),
    state: () => file.state(),
    restore: (saved: { bytes: number }) => file.restore(saved),
  }
}
