/** Pausing a training from outside, and taking it on step by step. */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
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
export interface PauseControl {
  /** `idle` before a training, `ended` after it; `paused` once no step is under way. */
  readonly state: 'idle' | 'running' | 'paused' | 'ended'
  /**
   * Holds training before its next step; resolves once it rests, or continues, or ends. One that has not begun will rest
   * before its first.
   */
  pause(): Promise<void>
  resume(): void
  /**
   * Lets one step be taken, with all that follows it up to the next one (the end of an epoch, its validation), and pauses.
   * Resolves to what it gave; to undefined where training ended before it, or refused it.
   */
  step(): Promise<DoneStep | undefined>
}

/** Waits for the steps under way; false where one of them was refused, so that training is at its end. */
type Rest = () => Promise<boolean>

type OnStep = (step: DoneStep | undefined) => void

/** What `fit` holds on to: the other side of a `PauseControl`. */
export class Pacer {
  #isHeld = false
  #hasStepped = false
  #state: PauseControl['state'] = 'idle'
  /** Who waits for rest. */
  #pausers: (() => void)[] = []
  /** Who asked for a step, and whose step is under way. */
  #steppers: OnStep[] = []
  #stepping: { readonly step: number; readonly resolve: OnStep; done?: DoneStep } | undefined
  #wake = (): void => {}
  /** How to rest while training waits for a batch. */
  #restMeanwhile: Rest | undefined
  #paused = 0
  #since = 0

  /** What users have of it. */
  readonly face: PauseControl

  constructor() {
    const state = () => (this.#isHeldAtFirst ? 'paused' : this.#state)
    this.face = Object.freeze({
      get state() {
        return state()
      },
      pause: () => this.#pause(),
      resume: () => this.#resume(),
      step: () => this.#step(),
    })
  }

  /** Is it begun, and held before its first step? */
  get #isHeldAtFirst(): boolean {
    return this.#state === 'running' && !this.#hasStepped && this.#isHeld && this.#steppers.length === 0
  }

  /** Milliseconds for which the training was paused. */
  get paused(): number {
    return this.#paused + (this.#state === 'paused' ? performance.now() - this.#since : 0)
  }

  /** Is in use for as long as `training` runs, or is refused. */
  async during<T>(training: () => Promise<T>): Promise<T> {
    if (this.#state === 'running' || this.#state === 'paused') {
      const hint = 'give each training one of its own: trainingControl()'
      throw new FoveaError('E_OPTION', { what: "'control' is in use by another training", where: 'fit', hint })
    }
    this.#become('running')
    this.#hasStepped = false
    this.#paused = 0
    try {
      return await training()
    } finally {
      this.#end()
    }
  }

  /** A step is done. */
  done(step: DoneStep): void {
    if (this.#stepping?.step === step.step) this.#stepping.done = step
  }

  /** Before step number `step`: waits while training is held. */
  async beforeStep(step: number, rest: Rest, signal: AbortSignal | undefined): Promise<void> {
    if (this.#stepping?.step === step) return // it was asked for, and then waited for its batch
    if ((this.#stepping || this.#isHeld) && !(await rest())) return
    this.#settle()
    while (this.#isHeld && this.#steppers.length === 0 && !signal?.aborted) {
      this.#atRest()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        signal?.addEventListener('abort', this.#wake, { once: true })
      })
      signal?.removeEventListener('abort', this.#wake)
    }
    this.#become('running')
    this.#hasStepped = true
    if (signal?.aborted) return // no step is taken for those who asked for one
    const resolve = this.#steppers.shift()
    if (resolve) this.#stepping = { step, resolve }
  }

  /** What `waiting` gives, which may never come: a pause rests meanwhile. */
  async whileWaiting<T>(waiting: () => Promise<T>, rest: Rest): Promise<T> {
    this.#restMeanwhile = rest
    try {
      return await waiting()
    } finally {
      this.#restMeanwhile = undefined
      if (this.#state === 'paused') this.#become('running')
    }
  }

  #pause(): Promise<void> {
    this.#isHeld = true
    if (this.#state === 'ended') this.#state = 'idle' // it is for the next one
    if (this.#state !== 'running') return Promise.resolve()
    return new Promise((resolve) => {
      this.#pausers.push(resolve)
      void this.#restHere()
    })
  }

  #resume(): void {
    this.#isHeld = false
    this.#nobodyWaits()
    this.#goOn()
  }

  #step(): Promise<DoneStep | undefined> {
    if (this.#state === 'ended') return Promise.resolve(undefined)
    this.#isHeld = true
    return new Promise((resolve) => {
      this.#steppers.push(resolve)
      this.#goOn()
    })
  }

  async #restHere(): Promise<void> {
    const rest = this.#restMeanwhile
    const isSound = await rest?.().catch(() => false) // the training itself will say what is wrong
    if (isSound && this.#restMeanwhile === rest && this.#isHeld && this.#state === 'running') this.#atRest()
  }

  #atRest(): void {
    this.#become('paused')
    this.#nobodyWaits()
  }

  #nobodyWaits(): void {
    for (const rested of this.#pausers.splice(0)) rested()
  }

  #become(state: PauseControl['state']): void {
    const now = performance.now()
    if (this.#state === 'paused') this.#paused += now - this.#since
    this.#since = now
    this.#state = state
  }

  #end(): void {
    this.#settle()
    this.#nobodyWaits()
    for (const stepped of this.#steppers.splice(0)) stepped(undefined)
    this.#isHeld = false
    this.#become('ended')
  }

  #goOn(): void {
    if (this.#state === 'paused') this.#become('running')
    this.#wake()
  }

  #settle(): void {
    this.#stepping?.resolve(this.#stepping.done)
    this.#stepping = undefined
  }
}

const pacers = new WeakMap<object, Pacer>()

/** A control for one training at a time: `fit(data, { control })`, then `control.pause()`, `step()`, `resume()`. */
export function trainingControl(...none: readonly never[]): PauseControl {
  if (none.some((given) => given !== undefined)) {
    const hint = 'it belongs to a training: fit(data, { control })'
    throw new FoveaError('E_OPTION', { what: 'takes nothing', where: 'trainingControl', got: show(none[0]), hint })
  }
  const pacer = new Pacer()
  pacers.set(pacer.face, pacer)
  return pacer.face
}

/** The other side of what `trainingControl` gave; undefined for anything else. */
export const pacerOf = (control: unknown): Pacer | undefined => pacers.get(control as object)
