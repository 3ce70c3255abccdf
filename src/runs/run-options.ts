/** The options of a run, by the groups in which a help text or a form shows them. */
import type { Settled } from '../base/options.ts'
import { choice, integer, text } from '../base/options.ts'
import { engineOptions } from '../engines/index.ts'
import { fitOptions } from '../training/fit-options.ts'
import { dataOptions, datasetNames } from './data.ts'
import { networkOptions } from './network-options.ts'

export const runGroups = {
  data: {
    ...dataOptions,
    fallback: choice(datasetNames, { says: 'the data set to use when --data is not available', optional: true }),
  },
  training: {
    ...fitOptions,
    batchSize: { ...fitOptions.batchSize, default: 128 },
    seed: { ...fitOptions.seed, says: 'seed of all that is random: weights, order, dropout, drawn digits' },
  },
  network: networkOptions,
  engine: engineOptions,
  'ends and checkpoints': {
    earlyStopping: integer({
      says: 'epochs without a better val_loss (so with --validation-split) after which training stops, with the best weights',
      min: 0,
      optional: true,
    }),
    reduceOnPlateau: integer({
      says: 'epochs without a better val_loss (so with --validation-split) after which the learning rate falls to a tenth',
      min: 0,
      optional: true,
    }),
    checkpointEvery: integer({
      says: 'steps from one checkpoint to the next; there is one at the end of every epoch anyway',
      min: 1,
      optional: true,
    }),
  },
  output: {
    out: text({ says: 'folder of the run; runs/<network>-<date>-<time> when absent', optional: true }),
    logEvery: integer({ says: 'steps from one line of the history to the next', min: 1, default: 50 }),
  },
}

export const runOptions = {
  ...runGroups.data,
  ...runGroups.training,
  ...runGroups.network,
  ...runGroups.engine,
  ...runGroups['ends and checkpoints'],
  ...runGroups.output,
}

/** All options of a run, defaults filled in. */
export type RunOptions = Settled<typeof runOptions>

/** A run as it is asked for: plain data, kept in its folder. */
export interface RunRequest {
  /** A network of the zoo, or the path of a model's file or of a run's folder. */
  readonly network: string
  readonly options: RunOptions
}
