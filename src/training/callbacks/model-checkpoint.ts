import type { Options } from '../../base/options.ts'
import { flag, settle, text } from '../../base/options.ts'
import type { Callback } from '../history.ts'
import { monitorOptions, watcher } from './monitor.ts'
import { pathPattern } from './path-pattern.ts'

export const modelCheckpointOptions = {
  path: text({
    says: "the model's file; the epoch and logs in braces, as in best-{epoch:02d}-{val_loss:.2f}, are filled in",
    filled: true,
  }),
  ...monitorOptions,
  saveBestOnly: flag({ says: 'save only when the log has improved', default: false }),
}
export type ModelCheckpointOptions = Options<typeof modelCheckpointOptions>

interface State {
  readonly best?: number
}

/**
 * Saves the model after every epoch, or the best one; as in Keras, over the file before where the path is the same. What a training needs to continue is saved by
 * fit's `checkpoints`.
 */
export function modelCheckpoint(given: ModelCheckpointOptions): Callback {
  const name = 'modelCheckpoint'
  const { path, saveBestOnly, ...watch } = settle(modelCheckpointOptions, given, name)
  const log = watcher(watch, name)
  const pattern = pathPattern(path)
  let state: State = {}
  return {
    name,
    onTrainBegin(info) {
      if (!info.resumed) state = {}
      if (saveBestOnly) log.begin(info)
      pattern.check(info.logs)
    },
    async onEpochEnd(record, training) {
      if (saveBestOnly) {
        const value = log.valueOf(record, training)
        if (value === undefined || !log.isBetter(value, state.best)) return
        state = { best: value }
      }
      await training.save(pattern.fill(record))
    },
    state: () => state,
    restore(saved: State) {
      state = saved
    },
  }
}
