/** THE table of commands. */
import type { Command } from '../command.ts'
import { engines } from './engines.ts'
import { evaluate } from './evaluate.ts'
import { findBatchSize } from './find-batch-size.ts'
import { findLearningRate } from './find-learning-rate.ts'
import { native } from './native.ts'
import { predict } from './predict.ts'
import { profile } from './profile.ts'
import { summary } from './summary.ts'
import { train } from './train.ts'

export const commands: Readonly<Record<string, Command>> = {
  train,
  evaluate,
  predict,
  summary,
  'find-learning-rate': findLearningRate,
  'find-batch-size': findBatchSize,
  profile,
  engines,
  native,
}
