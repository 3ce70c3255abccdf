/** Trainings for tests of callbacks that are made up of the logs of their epochs: nothing is computed. */
import type { Callback, EpochRecord, History, TrainingInfo } from '../../src/index.ts'

const info: TrainingInfo = {
  epochs: 20,
  batches: 1,
  samples: 10,
  validationSamples: 5,
  logs: [],
  logsToRaise: ['accuracy', 'val_accuracy'],
  engine: 'none',
  precision: 'float32',
  arenaBytes: 0,
}
const recordOf = (epoch: number, logs: Readonly<Record<string, number>>): EpochRecord => ({
  epoch,
  seconds: 0,
  samples: 10,
  learningRate: 1,
  ...logs,
})

export interface Played {
  /** What the callback did, in its order: `keep 1`, `stop 3`, `restore`, `save best-2`. */
  readonly deeds: readonly string[]
  readonly why: string | undefined
  /** The learning rate after each epoch; it begins as 1. */
  readonly rates: readonly number[]
}

/** Plays the training of these logs to a callback. */
export async function played(
  callback: Callback,
  epochs: readonly Readonly<Record<string, number>>[],
  { ended, hasSchedule = false, ...told }: Partial<TrainingInfo & History & { hasSchedule: boolean }> = {},
): Promise<Played> {
  const deeds: string[] = []
  const rates: number[] = []
  let [epoch, why] = [0, undefined as string | undefined]
  const training = {
    learningRate: 1,
    hasSchedule,
    isCutShort: false,
    stop(reason: string) {
      deeds.push(`stop ${epoch}`)
      why = reason
    },
    keepWeights: async () => void deeds.push(`keep ${epoch}`),
    restoreWeights: async () => deeds.push('restore') > 0,
    save: async (path: string) => void deeds.push(`save ${path}`),
  }
  const logs = [...new Set(epochs.flatMap((epoch) => Object.keys(epoch)))].filter((log) => log !== 'samples').sort()
  await callback.onTrainBegin?.({ ...info, logs, ...told }, training)
  for (const logs of epochs) {
    if (why !== undefined) break
    epoch++
    await callback.onEpochBegin?.(epoch, training)
    training.isCutShort = logs['samples'] !== undefined
    await callback.onEpochEnd?.(recordOf(epoch, logs), training)
    rates.push(training.learningRate)
  }
  const end = ended ?? (why === undefined ? 'finished' : 'stopped')
  await callback.onTrainEnd?.({ epochs: [], history: {}, steps: epoch, ended: end }, training)
  return { deeds, why, rates }
}
export const logsOf = (monitor: string, series: readonly number[]) => series.map((value) => ({ [monitor]: value }))
