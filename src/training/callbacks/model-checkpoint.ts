import { FoveaError } from '../../base/errors.ts'
import type { Options } from '../../base/options.ts'
import { flag, settle, text } from '../../base/options.ts'
import type { Callback, EpochRecord } from '../history.ts'
import { logsOf } from '../history.ts'
import { monitorOptions, watcher } from './monitor.ts'

export const modelCheckpointOptions = {
  path: text({ says: "the model's file; {epoch} and logs in braces, as in best-{epoch}-{val_loss}, are filled in" }),
  ...monitorOptions,
  saveBestOnly: flag({ says: 'save when the log has improved, not after every epoch', default: false }),
}
export type ModelCheckpointOptions = Options<typeof modelCheckpointOptions>

interface State {
  readonly best?: number
}

/** Saves the model after every epoch, or the best one. What a training needs to go on is saved by fit's `checkpoints`. */
export function modelCheckpoint(given: ModelCheckpointOptions): Callback {
  const name = 'modelCheckpoint'
  const { path, saveBestOnly, ...watch } = settle(modelCheckpointOptions, given, name)
  const log = watcher(watch, name)
  let state: State = {}
  return {
    name,
    onTrainBegin(info) {
      if (!info.resumed) state = {}
      if (saveBestOnly) log.begin(info)
    },
    async onEpochEnd(record, training) {
      if (saveBestOnly) {
        const value = log.valueOf(record)
        if (value === undefined || !log.isBetter(value, state.best)) return
        state = { best: value }
      }
      await training.save(filled(path, record))
    },
    state: () => state,
    restore(saved: State) {
      state = saved
    },
  }
}

const filled = (path: string, record: EpochRecord): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, log: string) => {
    const value = record[log]
    if (value !== undefined) return Number.isInteger(value) ? String(value) : value.toFixed(4)
    const expected = `epoch, ${Object.keys(logsOf(record)).join(', ')}`
    throw new FoveaError('E_OPTION', { what: "'path' names no log", where: 'modelCheckpoint', expected, got: log })
  })
