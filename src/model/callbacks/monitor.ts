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

/** Is `value` better than `best` by more than `delta`? Anything is better than nothing. */
export function isBetter(
  { monitor, mode }: Watched,
  { value, best, delta = 0 }: { readonly value: number; readonly best: number | undefined; readonly delta?: number },
): boolean {
  const isMax = mode === 'max' || (mode === 'auto' && /accuracy|precision|recall|auc|f1/i.test(monitor))
  return best === undefined || (isMax ? value - delta > best : value + delta < best)
}

/** Says before an epoch is spent that there will be no such log. */
export function wantValidation({ monitor }: Watched, { validationSamples }: TrainingInfo, where: string): void {
  if (!monitor.startsWith('val_') || validationSamples > 0) return
  const hint = `give validationData or validationSplit, or monitor '${monitor.slice(4)}'`
  throw new FoveaError('E_OPTION', { what: `'${monitor}' needs data for validation`, where, hint })
}

/** The watched value of an epoch. */
export function watched({ monitor }: Watched, record: EpochRecord, where: string): number {
  const logs = logsOf(record)
  if (monitor in logs) return logs[monitor]
  const expected = Object.keys(logs).join(', ')
  throw new FoveaError('E_OPTION', { what: "'monitor' names no log of this training", where, expected, got: monitor })
}
