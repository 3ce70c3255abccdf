/** A log that callbacks watch: which way is better, and whether a value is an improvement. */
import { FoveaError } from '../../base/errors.ts'
import { choice, number, text } from '../../base/options.ts'
import type { EpochRecord, TrainingControl, TrainingInfo } from '../history.ts'

export const monitorOptions = {
  monitor: text({ says: 'the log to watch', default: 'val_loss' }),
  mode: choice(['auto', 'min', 'max'], {
    says: "whether less or more is better; 'auto': as the metric has it, less of losses",
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
  let isMax = watch.mode === 'max'
  return {
    /** Says before an epoch is spent that there will be no such log. */
    begin(info: TrainingInfo): void {
      const { monitor, mode } = watch
      if (mode === 'auto') isMax = info.logsToRaise.includes(monitor)
      if (info.logs.includes(monitor)) return
      const isOfValidation = monitor.startsWith('val_') && info.logs.includes(monitor.slice(4))
      if (!isOfValidation || info.validationSamples > 0) {
        const expected = info.logs.join(', ')
        throw new FoveaError('E_OPTION', {
          what: "'monitor' names no log of this training",
          where,
          expected,
          got: monitor,
        })
      }
      const hint = `give validationData or validationSplit, or monitor '${monitor.slice(4)}'`
      throw new FoveaError('E_OPTION', { what: `'${monitor}' needs data for validation`, where, hint })
    },
    /** The watched value of an epoch; undefined where training ended within it. */
    valueOf: (record: EpochRecord, { isCutShort }: TrainingControl): number | undefined =>
      isCutShort ? undefined : record[watch.monitor],
    /** Is `value` better than `best` by more than `delta`? Any number is better than nothing, NaN than nothing at all. */
    isBetter: (value: number, best: number | undefined, delta = 0): boolean =>
      best === undefined ? !Number.isNaN(value) : isMax ? value - delta > best : value + delta < best,
  }
}
