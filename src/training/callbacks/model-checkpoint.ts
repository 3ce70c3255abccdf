import { disk } from '#platform'
import { FoveaError } from '../../base/errors.ts'
import type { Options } from '../../base/options.ts'
import { flag, integer, settle, text } from '../../base/options.ts'
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
  saveTopK: integer({
    says: 'keep the best models only, so many: the files of others are removed. The path must have the epoch or a log in it',
    min: 1,
    optional: true,
  }),
  saveLast: text({ says: 'another file, of the last model: written after every epoch', filled: true, optional: true }),
}
export type ModelCheckpointOptions = Options<typeof modelCheckpointOptions>

/** A file that was written, and the log for which it was. */
interface Saved {
  readonly path: string
  readonly value: number
}

interface State {
  readonly best?: number
  /** With `saveTopK`: the files that are kept. */
  readonly kept?: readonly Saved[]
}

function refuse(what: string, hint: string): never {
  throw new FoveaError('E_OPTION', { what, where: 'modelCheckpoint', hint })
}

/**
 * Saves the model after every epoch, or the best ones; as in Keras, over the file before where the path is the same. What a
 * training needs to continue is saved by fit's `checkpoints`.
 */
export function modelCheckpoint(given: ModelCheckpointOptions): Callback {
  const name = 'modelCheckpoint'
  const { path, saveBestOnly, saveTopK, saveLast, ...watch } = settle(modelCheckpointOptions, given, name)
  const log = watcher(watch, name)
  const pattern = pathPattern(path)
  if (saveTopK !== undefined && saveBestOnly)
    refuse("'saveTopK' and 'saveBestOnly' ask for two things", 'saveTopK: 1 keeps the best file alone')
  if (saveTopK !== undefined && pattern.isFixed)
    refuse("'saveTopK' needs a path for each model", "as in path: 'model-{epoch:02d}.safetensors'")
  let state: State = {}

  /** The files that are kept with the new one, and those that are not any more; nothing where it is worse than all. */
  function ranked(saved: Saved, most: number): { readonly kept: readonly Saved[]; readonly gone: readonly Saved[] } {
    const earlier = (state.kept ?? []).filter((other) => other.path !== saved.path)
    const at = earlier.findIndex((other) => log.isBetter(saved.value, other.value))
    const all = earlier.toSpliced(at < 0 ? earlier.length : at, 0, saved)
    return { kept: all.slice(0, most), gone: all.slice(most) }
  }

  return {
    name,
    onTrainBegin(info) {
      if (!info.resumed) state = {}
      if (saveBestOnly || saveTopK !== undefined) log.begin(info)
      pattern.check(info.logs)
    },
    async onEpochEnd(record, training) {
      if (saveLast !== undefined) await training.save(saveLast)
      const path = pattern.fill(record)
      if (!saveBestOnly && saveTopK === undefined) return training.save(path)
      const value = log.valueOf(record, training)
      if (value === undefined || Number.isNaN(value)) return
      if (saveTopK === undefined) {
        if (!log.isBetter(value, state.best)) return
        state = { best: value }
        return training.save(path)
      }
      const { kept, gone } = ranked({ path, value }, saveTopK)
      if (!kept.some((saved) => saved.path === path)) return
      await training.save(path)
      for (const { path } of gone) await disk.unlink(path).catch(() => undefined) // somebody else took it away
      state = { kept }
    },
    state: () => state,
    restore(saved: State) {
      state = saved
    },
  }
}
