/** What training reports: records of epochs, progress of batches, and the callbacks. */
import type { Precision } from '../compile/precision.ts'

/** Sums turned into means, by the names that logs use: `loss`, `accuracy`, `val_loss`. */
export type Logs = Readonly<Record<string, number>>

export type EpochRecord = Logs & {
  /** 1 for the first. */
  readonly epoch: number
  readonly seconds: number
  /** Samples trained on: fewer than others where training ended within the epoch. */
  readonly samples: number
  /** That of the epoch's last step. */
  readonly learningRate: number
}

export interface History {
  readonly epochs: readonly EpochRecord[]
  /** The same by name: `history.history.val_accuracy[2]` is that of the third epoch. */
  readonly history: Readonly<Record<string, readonly number[]>>
  /** Steps taken in all. */
  readonly steps: number
  /**
   * How training ended: all epochs or steps done, stopped before (`why`), a step that was not finite with `onNonFinite:
   * 'stop'`, the abort signal, an error (which `fit` throws).
   */
  readonly ended: 'finished' | 'stopped' | 'diverged' | 'aborted' | 'failed'
  /** Who stopped it and for what. */
  readonly why?: string
}

/** How far an epoch is; `logs` are means over the epoch so far. */
export interface Progress {
  readonly epoch: number
  readonly epochs: number
  /** Batches done, and in all. */
  readonly batch: number
  readonly batches: number
  /** Steps since training began. */
  readonly step: number
  /** Samples of this epoch that were trained on. */
  readonly samples: number
  readonly learningRate: number
  readonly imagesPerSecond: number
  /** Of this epoch, or until the last step that was asked for. */
  readonly secondsLeft: number
  readonly logs: Logs
  /** Loss and metrics of this batch only. */
  readonly batchLogs: Logs
}

export interface TrainingInfo {
  readonly epochs: number
  readonly batches: number
  /** Of an epoch; absent where batches come from an iterable. */
  readonly samples?: number
  readonly validationSamples: number
  /** Names of the logs that every epoch will have, sorted: `accuracy`, `loss`, `val_loss`. */
  readonly logs: readonly string[]
  /** Those of which more is better; of losses and errors less is. */
  readonly logsToRaise: readonly string[]
  readonly engine: string
  /** How the engine computes, and what was asked of it where it cannot do that. */
  readonly precision: Precision
  readonly askedPrecision?: Precision
  /** The checkpoint that training continues from, and why newer ones could not be used. */
  readonly resumed?: { readonly path: string; readonly step: number; readonly skipped: readonly string[] }
  /** Bytes planned for a training step, without weights and optimizer state. */
  readonly arenaBytes: number
}

/** What a step has computed, before anything is made of it. What is written into the arrays is what counts. */
export interface GradientStep {
  readonly epoch: number
  readonly batch: number
  /** Steps since training began, this one included. */
  readonly step: number
  /** In the batch. */
  readonly samples: number
  /** Of the mean loss of the batch, by weight that is trained: `gradients['dense/kernel']`, of the weight's size. */
  readonly gradients: Readonly<Record<string, Values>>
  /** The next values of weights that are not trained: running means and variances. */
  readonly statistics: Readonly<Record<string, Values>>
  /**
   * Sums over the batch by log, one number each: `sums.loss[0]`. A mean is such a sum over `samples`, or over
   * `sums['loss/weight'][0]` where there is one. A metric that is no mean of samples has several, each of a fixed size:
   * `sums['auc/truePositives']`. All of them may be added to those of other batches.
   */
  readonly sums: Readonly<Record<string, Values>>
}

/** Numbers of an engine: float64 on `reference`. */
type Values = Float32Array | Float64Array

/** What a callback may do to its training. */
export interface TrainingControl {
  /** Ends training once the steps under way are done. */
  stop(why: string): void
  /**
   * The rate that was set last, or that of the next step. What is set, a number >= 0, replaces a number or
   * a schedule: from the next step on, or in `onBatchEnd` from the one after that, since the next is under way already.
   */
  learningRate: number
  /** Does the rate follow a schedule? */
  readonly hasSchedule: boolean
  /** In `onEpochEnd`: training ended within the epoch. */
  readonly isCutShort: boolean
  /** Keeps the weights as they are now under a name, on the engine and in checkpoints. */
  keepWeights(name: string): Promise<void>
  /** Puts kept weights back; false when none are kept under the name. */
  restoreWeights(name: string): Promise<boolean>
  /** Writes the model as it is now to a file. */
  save(path: string): Promise<void>
}

/** Functions that are called during training; a promise is waited for. */
export interface Callback {
  /** Under this name its state is found again in a checkpoint. */
  readonly name?: string
  onTrainBegin?(info: TrainingInfo, training: TrainingControl): void | Promise<void>
  onEpochBegin?(epoch: number, training: TrainingControl): void | Promise<void>
  /** Before a step, which may be taken while the one before it is still under way. */
  onBatchBegin?(
    place: { readonly epoch: number; readonly batch: number },
    training: TrainingControl,
  ): void | Promise<void>
  /**
   * Between a step's gradients and what the optimizer makes of them: to look at them, to change them, to share them with
   * others. A rate that is set here holds for this very step. Steps are then taken in two halves, one after the other.
   */
  onGradients?(step: GradientStep, training: TrainingControl): void | Promise<void>
  onBatchEnd?(progress: Progress, training: TrainingControl): void | Promise<void>
  onEpochEnd?(record: EpochRecord, training: TrainingControl): void | Promise<void>
  onTrainEnd?(history: History, training: TrainingControl): void | Promise<void>
  /** What it must know to go on, as plain JSON: goes into every checkpoint. */
  state?(): unknown
  /** Takes what `state` gave, before `onTrainBegin`. */
  restore?(state: never): void | Promise<void>
}

/** The loss and metrics of an epoch, without the counts beside them. */
export function logsOf({
  epoch: _epoch,
  seconds: _seconds,
  samples: _samples,
  learningRate: _learningRate,
  ...logs
}: EpochRecord): Logs {
  return logs
}

export function historyOf(
  epochs: readonly EpochRecord[],
  steps: number,
  { ended, why }: { ended: History['ended']; why?: string | undefined },
): History {
  const history: Record<string, number[]> = {}
  for (const record of epochs) {
    for (const [name, value] of Object.entries(logsOf(record))) history[name] = [...(history[name] ?? []), value]
  }
  return { epochs, history, steps, ended, ...(why !== undefined && { why }) }
}
