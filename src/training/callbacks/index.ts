/** Every callback by name. A plain object with hooks is one too. */
import type { OptionTable } from '../../base/options.ts'
import { earlyStopping, earlyStoppingOptions } from './early-stopping.ts'
import { learningRateScheduler, plateauOptions, reduceLearningRateOnPlateau } from './learning-rate.ts'
import { csvLogger, csvOptions, jsonLogger, jsonOptions } from './logs.ts'
import { modelCheckpoint, modelCheckpointOptions } from './model-checkpoint.ts'

export const callbacks = {
  earlyStopping,
  modelCheckpoint,
  reduceLearningRateOnPlateau,
  learningRateScheduler,
  csvLogger,
  jsonLogger,
} as const

/** What they do, and their options: for docs and forms. */
export const callbackRows: {
  readonly [N in keyof typeof callbacks]: { readonly says: string; readonly options: OptionTable }
} = {
  earlyStopping: { says: 'Stops training when a log does not improve any more.', options: earlyStoppingOptions },
  modelCheckpoint: { says: 'Saves the model after every epoch, or the best ones.', options: modelCheckpointOptions },
  reduceLearningRateOnPlateau: {
    says: 'Lowers the learning rate when a log does not improve any more.',
    options: plateauOptions,
  },
  learningRateScheduler: {
    says: 'Sets the learning rate of every epoch: its only argument is `(epoch, learningRate) => learningRate`.',
    options: {},
  },
  csvLogger: { says: 'Writes a row per epoch to a CSV file.', options: csvOptions },
  jsonLogger: {
    says: 'Writes a JSON object a line to a file, per epoch or every so many steps.',
    options: jsonOptions,
  },
}
