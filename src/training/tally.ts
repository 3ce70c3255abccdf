/** Sums of what programs give for batches, and the numbers that logs are. */
import type { Readings } from '../network/measures.ts'
import type { Logs } from './history.ts'

/** Sums over samples as plain data: JSON holds them to the last bit. */
export interface TallyState {
  readonly samples: number
  /** By the names that `measures` gives; one number may stand for a list of one. */
  readonly sums: Readonly<Record<string, number | readonly number[]>>
}

/** Adds up what `measures` gives for each batch, in float64. */
export class Tally implements TallyState {
  samples: number
  readonly sums: Record<string, number[]>
  readonly #readings: Readings

  /** Goes on from what another one was: `new Tally(readings, JSON.parse(JSON.stringify(tally)))`. */
  constructor(readings: Readings, { samples, sums }: TallyState = { samples: 0, sums: {} }) {
    this.#readings = readings
    this.samples = samples
    this.sums = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, [sum].flat()]))
  }

  add(sums: Readonly<Record<string, ArrayLike<number>>>, samples: number): void {
    this.samples += samples
    for (const [name, values] of Object.entries(sums)) {
      const own = (this.sums[name] ??= new Array(values.length).fill(0))
      for (let i = 0; i < own.length; i++) own[i] += values[i]
    }
  }

  /** The logs by name, in the order of names: means over samples or weights, and what else follows from sums. */
  get means(): Logs {
    if (Object.keys(this.sums).length === 0) return {}
    const read = Object.entries(this.#readings).map(([log, of]) => [log, of(this.sums, this.samples)])
    return Object.fromEntries(read)
  }
}
