/** Ctrl-C: the first one asks, a later one does not wait for the answer. */
import { constants } from 'node:os'

const caught = ['SIGINT', 'SIGTERM'] as const
type Caught = (typeof caught)[number]

/** A terminal and npm may both deliver the same Ctrl-C: within this time, in milliseconds, they count as one. */
const SAME_PRESS = 1000

export interface Interruption {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal
  /** 128 + the signal's number, once there was one. */
  readonly exitCode: number | undefined
  /** Signals do again what they always did. */
  release(): void
}

/** Catches signals; `onFirst` may say that the end is near. */
export function catchSignals(onFirst: () => void): Interruption {
  const abort = new AbortController()
  let exitCode: number | undefined
  let firstAt = 0
  const onSignal = (name: Caught): void => {
    if (exitCode === undefined) {
      exitCode = 128 + constants.signals[name]
      firstAt = performance.now()
      abort.abort()
      onFirst()
    } else if (performance.now() - firstAt > SAME_PRESS) process.exit(128 + constants.signals[name])
  }
  for (const name of caught) process.on(name, onSignal)
  return {
    signal: abort.signal,
    get exitCode() {
      return exitCode
    },
    release() {
      for (const name of caught) process.off(name, onSignal)
    },
  }
}
