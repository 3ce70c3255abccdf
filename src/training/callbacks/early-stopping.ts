import type { Options } from '../../base/options.ts'
import { flag, integer, number, settle } from '../../base/options.ts'
import type { Callback } from '../history.ts'
import { minDelta, monitorOptions, watcher } from './monitor.ts'

export const earlyStoppingOptions = {
  ...monitorOptions,
  minDelta: minDelta(0),
  patience: integer({ says: 'epochs without improvement that are allowed', min: 0, default: 0 }),
  baseline: number({ says: 'the log must also be better than this value', optional: true }),
  startFromEpoch: integer({ says: 'epochs that are not watched, at the start', min: 0, default: 0 }),
  restoreBestWeights: flag({ says: 'end with the weights of the best epoch, not the last', default: false }),
}
export type EarlyStoppingOptions = Options<typeof earlyStoppingOptions>

interface State {
  readonly wait: number
  readonly best?: number
  readonly bestEpoch?: number
}

/** Stops training when a log does not improve any more. */
export function earlyStopping(given: EarlyStoppingOptions = {}): Callback {
  const name = 'earlyStopping'
  const {
    patience,
    baseline,
    startFromEpoch,
    restoreBestWeights,
    minDelta: delta,
    ...watch
  } = settle(earlyStoppingOptions, given, name)
  const log = watcher(watch, name)
  let state: State = { wait: 0 }
  return {
    name,
    onTrainBegin(info) {
      if (!info.resumed) state = { wait: 0 }
      log.begin(info)
    },
    async onEpochEnd(record, training) {
      const { epoch } = record
      const value = log.valueOf(record, training)
      if (value === undefined || epoch <= startFromEpoch) return
      if (log.isBetter(value, state.best, delta)) {
        if (restoreBestWeights) await training.keepWeights(name)
        const isBelow = baseline !== undefined && !log.isBetter(value, baseline, delta)
        state = { wait: isBelow ? state.wait + 1 : 0, best: value, bestEpoch: epoch }
        return // as in Keras, the epoch of an improvement never stops training, a missed baseline or not
      }
      state = { ...state, wait: state.wait + 1 }
      if (state.wait < patience || epoch === 1) return
      const best =
        state.best === undefined ? '' : `; its best, ${state.best.toPrecision(4)}, was that of epoch ${state.bestEpoch}`
      training.stop(`early stopping: no better ${watch.monitor} in ${state.wait} epochs${best}`)
    },
    async onTrainEnd({ ended }, training) {
      if (restoreBestWeights && ended !== 'failed') await training.restoreWeights(name)
    },
    state: () => state,
    restore(saved: State) {
      state = saved
    },
  }
}
