/** THE table of commands. */
import type { Command } from '../command.ts'
import { engines } from './engines.ts'
import { evaluate } from './evaluate.ts'
import { findLearningRate } from './find-learning-rate.ts'
import { native } from './native.ts'
import { predict } from './predict.ts'
import { summary } from './summary.ts'
import { train } from './train.ts'

export const commands: Readonly<Record<string, Command>> = {
  train,
  evaluate,
  predict,
  summary,
  'find-learning-rate': findLearningRate,
  engines,
  native,
}
