/** Callbacks that write files of logs. */
import { FoveaError } from '../../base/errors.ts'
import type { Options } from '../../base/options.ts'
import { custom, flag, integer, settle, text } from '../../base/options.ts'
import type { Callback } from '../history.ts'
import { logsOf } from '../history.ts'
import { csvRow, firstCsvRow } from './csv.ts'
import { logFile } from './log-file.ts'

const append = flag({ says: 'append to the file instead of starting it again', default: false })

export const csvOptions = {
  path: text({ says: 'the file', filled: true }),
  separator: custom<string>({
    says: 'between the columns',
    accepts: 'one character, no quote and no end of a line',
    as: text({ says: 'one character' }).kind,
    check: (v) => (typeof v === 'string' && /^[^"\r\n]$/u.test(v) ? v : undefined),
    default: ',',
    parse: (s) => s,
  }),
  append,
}
export type CsvLoggerOptions = Options<typeof csvOptions>

/**
 * A row per epoch, as Keras's CSVLogger writes it: `epoch` (0 for the first), then the logs by name; NA where an epoch that
 * was cut short has none. With `append` the columns are those of the file's first row, empty where this training has no
 * such log; E_OPTION, before an epoch is spent, where a log has no column there.
 */
export function csvLogger(given: CsvLoggerOptions): Callback {
  const name = 'csvLogger'
  const { path, separator, append } = settle(csvOptions, given, name)
  const file = logFile(path)
  let known: readonly string[] = []
  let columns: readonly string[] = []
  const write = (cells: readonly (string | number)[]): Promise<void> => file.write(csvRow(cells, separator))
  return {
    name,
    async onTrainBegin({ logs, resumed }) {
      await file.begin(append ? 'append' : 'new', resumed !== undefined)
      known = ['epoch', ...logs]
      columns = file.state().bytes === 0 ? known : firstCsvRow(await file.head(), separator)
      if (columns === known) return write(columns)
      const missing = known.filter((log) => !columns.includes(log))
      if (missing.length === 0) return
      const [expected, got] = [`columns for ${known.join(', ')}`, columns.join(', ')]
      const hint = `it has no column for ${missing.join(', ')}: name another file, or start this one again without 'append'`
      throw new FoveaError('E_OPTION', { what: 'the file has other columns', where: path, expected, got, hint })
    },
    async onEpochEnd(record) {
      const logs: Readonly<Record<string, number>> = { ...logsOf(record), epoch: record.epoch - 1 }
      await write(
        columns.map((column) => (Object.hasOwn(logs, column) ? logs[column] : known.includes(column) ? 'NA' : '')),
      )
    },
    state: () => file.state(),
    restore: (saved: { bytes: number }) => file.restore(saved),
  }
}

export const jsonOptions = {
  path: text({ says: 'the file', filled: true }),
  every: integer({ says: 'steps from one line to the next; only epochs when absent', min: 1, optional: true }),
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
    onTrainBegin: ({ resumed }) => file.begin(append ? 'append' : 'new', resumed !== undefined),
    async onBatchEnd(progress) {
      if (progress.step % every === 0) await file.write(JSON.stringify({ event: 'step', ...progress }))
    },
    onEpochEnd: (record) => file.write(JSON.stringify({ event: 'epoch', ...record })),
    state: () => file.state(),
    restore: (saved: { bytes: number }) => file.restore(saved),
  }
}
