/** Pausing a training from outside, and taking it on step by step. */
import { FoveaError } from '../base/errors.ts'
import type { Logs } from './history.ts'

/** A step that is done. */
export interface DoneStep {
  readonly epoch: number
  readonly batch: number
  /** Steps since training began. */
  readonly step: number
  readonly learningRate: number
  /** Loss and metrics of its batch. */
  readonly logs: Logs
}

/**
 * What a page's buttons hold on to: `fit(data, { control })`. A training rests between two steps only, so that it comes to
 * the same result however often it was paused.
 */
export class PauseControl {
  #isHeld = false
  #state: 'idle' | 'running' | 'paused' | 'ended' = 'idle'
  /** Who waits for rest. */
  #pausers: (() => void)[] = []
  /** Who asked for a step, and whose step is under way. */
  #steppers: ((step: DoneStep | undefined) => void)[] = []
  #stepping: ((step: DoneStep | undefined) => void) | undefined
  #wake = (): void => {}
  #last: DoneStep | undefined

  /** `idle` before a training, `ended` after it; `paused` once no step is under way. */
  get state(): 'idle' | 'running' | 'paused' | 'ended' {
    return this.#state
  }

  /** Holds training before its next step; resolves once it rests. One that has not begun will rest before its first. */
  pause(): Promise<void> {
    this.#isHeld = true
    if (this.#state === 'ended') this.#state = 'idle' // it is for the next one
    if (this.#state !== 'running') return Promise.resolve()
    return new Promise((resolve) => this.#pausers.push(resolve))
  }

  resume(): void {
    this.#isHeld = false
    this.#goOn()
  }

  /**
   * Lets one step be taken, with all that follows it up to the next one (the end of an epoch, its validation), and pauses.
   * Resolves to what it gave; to undefined where training ended before it. Asked for before a training, it is the first step
   * of the next one.
   */
  step(): Promise<DoneStep | undefined> {
    if (this.#state === 'ended') return Promise.resolve(undefined)
    this.#isHeld = true
    return new Promise((resolve) => {
      this.#steppers.push(resolve)
      this.#goOn()
    })
  }

  /** For `fit`: is in use for as long as `training` goes on. */
  async during<T>(training: () => Promise<T>): Promise<T> {
    if (this.#state === 'running' || this.#state === 'paused') {
      const hint = 'give each training one of its own: trainingControl()'
      throw new FoveaError('E_OPTION', { what: "'control' is in use by another training", where: 'fit', hint })
    }
    this.#state = this.#isHeld && this.#steppers.length === 0 ? 'paused' : 'running'
    this.#last = undefined
    try {
      return await training()
    } finally {
      this.#end()
    }
  }

  /** For `fit`: a step is done. */
  done(step: DoneStep): void {
    this.#last = step
  }

  /** For `fit`, before every step: waits while training is held. `rest` waits for the steps under way. */
  async beforeStep(rest: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    if (this.#stepping || this.#isHeld) await rest()
    this.#settle()
    while (this.#isHeld && this.#steppers.length === 0 && !signal?.aborted) {
      this.#state = 'paused'
      for (const rested of this.#pausers.splice(0)) rested()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        signal?.addEventListener('abort', this.#wake, { once: true })
      })
      signal?.removeEventListener('abort', this.#wake)
    }
    this.#state = 'running'
    this.#stepping = this.#steppers.shift()
  }

  #end(): void {
    this.#settle()
    for (const rested of this.#pausers.splice(0)) rested()
    for (const stepped of this.#steppers.splice(0)) stepped(undefined)
    this.#isHeld = false
    this.#state = 'ended'
  }

  #goOn(): void {
    if (this.#state === 'paused') this.#state = 'running'
    this.#wake()
  }

  #settle(): void {
    this.#stepping?.(this.#last)
    this.#stepping = undefined
  }
}

/** A control for one training at a time: `fit(data, { control })`, then `control.pause()`, `step()`, `resume()`. */
export const trainingControl = (): PauseControl => new PauseControl()
