/** What training reports: records of epochs, progress of batches, and the callbacks that hear of them. */

/** Sums turned into means, by the names that logs use: `loss`, `accuracy`, `val_loss`. */
export type Logs = Readonly<Record<string, number>>

export type EpochRecord = Logs & {
  /** 1 for the first. */
  readonly epoch: number
  readonly seconds: number
  /** Samples trained on: fewer than the data set has when training ended within the epoch. */
  readonly samples: number
}

export interface History {
  readonly epochs: readonly EpochRecord[]
  /** The same by name: `history.history.val_accuracy[2]` is that of the third epoch. */
  readonly history: Readonly<Record<string, readonly number[]>>
  /** Steps taken in all. */
  readonly steps: number
  /** Why training ended: all epochs or steps done, the abort signal, or an error (which `fit` then throws). */
  readonly ended: 'finished' | 'aborted' | 'failed'
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
  readonly imagesPerSecond: number
  readonly secondsLeft: number
  readonly logs: Logs
  /** Loss and metrics of this batch alone. */
  readonly batchLogs: Logs
}

export interface TrainingInfo {
  readonly epochs: number
  readonly batches: number
  readonly samples: number
  readonly validationSamples: number
  readonly engine: string
  /** Bytes planned for a training step, weights and optimizer state apart. */
  readonly arenaBytes: number
}

/** Hears of training; a promise is waited for. */
export interface Callback {
  onTrainBegin?(info: TrainingInfo): void | Promise<void>
  onEpochBegin?(epoch: number): void | Promise<void>
  onBatchEnd?(progress: Progress): void | Promise<void>
  onEpochEnd?(record: EpochRecord): void | Promise<void>
  onTrainEnd?(history: History): void | Promise<void>
}

/** The loss and metrics of an epoch, without the counts beside them. */
export function logsOf({ epoch: _epoch, seconds: _seconds, samples: _samples, ...logs }: EpochRecord): Logs {
  return logs
}

export function historyOf(epochs: readonly EpochRecord[], steps: number, ended: History['ended']): History {
  const history: Record<string, number[]> = {}
  for (const record of epochs) {
    for (const [name, value] of Object.entries(logsOf(record))) history[name] = [...(history[name] ?? []), value]
  }
  return { epochs, history, steps, ended }
}
