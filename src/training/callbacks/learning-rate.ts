/** Callbacks that set the learning rate. */
import { FoveaError } from '../../base/errors.ts'
import type { Options } from '../../base/options.ts'
import { integer, number, settle, show } from '../../base/options.ts'
import type { Callback } from '../history.ts'
import { minDelta, monitorOptions, watcher } from './monitor.ts'

export const plateauOptions = {
  ...monitorOptions,
  factor: number({ says: 'the rate is multiplied by it', min: 0, max: 1, ends: 'right-open', default: 0.1 }),
  patience: integer({ says: 'epochs without improvement that are allowed', min: 0, default: 10 }),
  minDelta: minDelta(1e-4),
  cooldown: integer({ says: 'epochs after a reduction that do not count', min: 0, default: 0 }),
  minLearningRate: number({ says: 'the rate never falls below', min: 0, default: 0 }),
}
export type PlateauOptions = Options<typeof plateauOptions>

interface State {
  readonly best?: number
  readonly wait: number
  readonly cooldown: number
}
const fresh: State = { wait: 0, cooldown: 0 }

/** Lowers the learning rate when a log does not improve any more. */
export function reduceLearningRateOnPlateau(given: PlateauOptions = {}): Callback {
  const name = 'reduceLearningRateOnPlateau'
  const settled = settle(plateauOptions, given, name)
  const { factor, patience, cooldown, minLearningRate, minDelta: delta, ...watch } = settled
  const log = watcher(watch, name)
  let state = fresh
  return {
    name,
    onTrainBegin(info, training) {
      if (!info.resumed) state = fresh
      log.begin(info)
      if (!training.hasSchedule) return
      const hint = 'give learningRate as a number'
      throw new FoveaError('E_OPTION', { what: 'the learning rate follows a schedule already', where: name, hint })
    },
    onEpochEnd(record, training) {
      const value = log.valueOf(record, training)
      if (value === undefined) return
      const isCooling = state.cooldown > 0
      if (isCooling) state = { ...state, cooldown: state.cooldown - 1, wait: 0 }
      if (log.isBetter(value, state.best, delta)) {
        state = { ...state, best: value, wait: 0 }
        return
      }
      if (state.cooldown > 0) return
      state = { ...state, wait: state.wait + 1 }
      if (state.wait < patience || training.learningRate <= minLearningRate) return
      training.learningRate = Math.max(training.learningRate * factor, minLearningRate)
      state = { ...state, wait: 0, cooldown }
    },
    state: () => state,
    restore(saved: State) {
      state = saved
    },
  }
}

/** Sets the learning rate of every epoch (1 for the first) to what `rate` makes of the epoch and the rate so far. */
export function learningRateScheduler(rate: (epoch: number, learningRate: number) => number): Callback {
  const name = 'learningRateScheduler'
  if (typeof rate !== 'function') {
    const expected = 'a function (epoch, learningRate) => learningRate'
    throw new FoveaError('E_OPTION', { what: 'not a schedule', where: name, expected, got: show(rate) })
  }
  return {
    name,
    onEpochBegin(epoch, training) {
      training.learningRate = rate(epoch, training.learningRate)
    },
  }
}
