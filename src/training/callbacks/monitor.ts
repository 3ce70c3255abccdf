/** A log that callbacks watch: which way is better, and whether a value is an improvement. */
import { FoveaError } from '../../base/errors.ts'
import { choice, number, text } from '../../base/options.ts'
import type { EpochRecord, TrainingInfo } from '../history.ts'
import { logsOf } from '../history.ts'

export const monitorOptions = {
  monitor: text({ says: 'the log to watch', default: 'val_loss' }),
  mode: choice(['auto', 'min', 'max'], {
    says: "whether less or more is better; 'auto': more of what counts hits, less of everything else",
    default: 'auto',
  }),
}
export const minDelta = (value: number) =>
  number({ says: 'a smaller change is no improvement', min: 0, default: value })

interface Watched {
  readonly monitor: string
  readonly mode: 'auto' | 'min' | 'max'
}

/** Watches a log for a callback called `where`. */
export function watcher(watch: Watched, where: string) {
  let samples = 0
  return {
    /** Says before an epoch is spent that there will be no such log. */
    begin(info: TrainingInfo): void {
      samples = info.samples
      const { monitor } = watch
      if (!monitor.startsWith('val_') || info.validationSamples > 0) return
      const hint = `give validationData or validationSplit, or monitor '${monitor.slice(4)}'`
      throw new FoveaError('E_OPTION', { what: `'${monitor}' needs data for validation`, where, hint })
    },
    /** The watched value of an epoch; undefined where training ended within it. */
    valueOf(record: EpochRecord): number | undefined {
      if (record.samples < samples) return undefined
      const logs = logsOf(record)
      const got = watch.monitor
      if (got in logs) return logs[got]
      const expected = Object.keys(logs).join(', ')
      throw new FoveaError('E_OPTION', { what: "'monitor' names no log of this training", where, expected, got })
    },
    /** Is `value` better than `best` by more than `delta`? Any number is better than nothing, NaN than nothing at all. */
    isBetter: (value: number, best: number | undefined, delta = 0): boolean =>
      best === undefined ? !Number.isNaN(value) : isMax(watch) ? value - delta > best : value + delta < best,
  }
}

const isMax = ({ monitor, mode }: Watched): boolean =>
  mode === 'max' || (mode === 'auto' && /accuracy|precision|recall|auc|f1/i.test(monitor))
