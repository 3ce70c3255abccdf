/** Every callback by name. A plain object with hooks is one too. */
import { earlyStopping } from './early-stopping.ts'
import { learningRateScheduler, reduceLearningRateOnPlateau } from './learning-rate.ts'
import { csvLogger, jsonLogger } from './logs.ts'
import { modelCheckpoint } from './model-checkpoint.ts'

export const callbacks = {
  earlyStopping,
  modelCheckpoint,
  reduceLearningRateOnPlateau,
  learningRateScheduler,
  csvLogger,
  jsonLogger,
} as const
