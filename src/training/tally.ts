/** Sums of what programs give for batches, and the means that logs are. */
import { divisorOf, isDivisor } from '../network/objective.ts'
import type { Logs } from './history.ts'

/** Sums over samples as plain data: JSON holds them to the last bit. */
export interface TallyState {
  readonly samples: number
  /** By the names that `measures` gives. */
  readonly sums: Readonly<Record<string, number>>
}

/** Adds up what `measures` gives for each batch. */
export class Tally implements TallyState {
  samples: number
  readonly sums: Record<string, number>

  /** Goes on from what another one was: `new Tally(JSON.parse(JSON.stringify(tally)))`. */
  constructor({ samples, sums }: TallyState = { samples: 0, sums: {} }) {
    this.samples = samples
    this.sums = { ...sums }
  }

  add(sums: Readonly<Record<string, ArrayLike<number>>>, samples: number): void {
    this.samples += samples
    for (const [name, { 0: value }] of Object.entries(sums)) this.sums[name] = (this.sums[name] ?? 0) + value
  }

  /** Means by name, in the order of names: over samples, or over weights where the sum of them is there. */
  get means(): Logs {
    const names = Object.keys(this.sums).filter((name) => !isDivisor(name))
    return Object.fromEntries(names.sort().map((name) => [name, this.#mean(name)]))
  }

  #mean(name: string): number {
    const divisor = this.sums[divisorOf(name)] ?? this.samples
    return divisor === 0 ? 0 : this.sums[name] / divisor
  }
}
