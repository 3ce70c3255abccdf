/** Between datasets and programs: arrays by the names of inputs, and sums of what comes back. */
import { FoveaError } from '../base/errors.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Program } from '../compile/program.ts'
import type { Batch, Fields } from '../data/dataset.ts'
import type { Objective } from '../network/objective.ts'
import { divisorOf, isDivisor } from '../network/objective.ts'
import type { Session } from '../network/session.ts'
import { lossRow } from '../nn/losses.ts'
import type { Logs } from './history.ts'
import type { Room } from './sample-weights.ts'
import { sampleOf } from './sample-weights.ts'

/** Batches that a session may be ahead of what is known. */
export const IN_FLIGHT = 2

export type NumbersByName = Record<string, Numbers>

/** Inputs of a program from a batch, by `kind/name`. */
export function fed({ inputs, targets }: Batch, program: Program): NumbersByName {
  const all = { ...named('input', inputs), ...named('target', targets) }
  return Object.fromEntries(Object.entries(all).filter(([name]) => name in program.inputs))
}
const named = (kind: string, fields: Readonly<Record<string, Numbers>>): NumbersByName =>
  Object.fromEntries(Object.entries(fields).map(([name, values]) => [`${kind}/${name}`, values]))

/** Fields as a part of a program's key. */
export const fieldsKey = (fields: Fields): string =>
  JSON.stringify(Object.entries(fields).map(([name, { dtype, shape }]) => [name, dtype, shape]))

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

/** Only the inputs that a program reads; the others were simplified away. */
export const onlyKnown = (program: Program, values: NumbersByName): NumbersByName =>
  Object.fromEntries(Object.entries(values).filter(([name]) => name in program.inputs))

/** Refuses targets that are none: a class index out of range would count as no class at all. */
export function checkTargets(
  { targets }: Batch,
  { terms }: Objective,
  { network }: Session,
  { indices, capacity }: Room,
  where: string,
): void {
  for (const { output, target, loss } of terms) {
    const values = targets[target]
    const { shape } = network.calls[network.outputs[output]]
    const { complaint, hint } = lossRow(loss)
    for (let i = 0; i < indices.length; i++) {
      const wrong = complaint(sampleOf(values, i, capacity), shape)
      if (wrong === undefined) continue
      const what = `this is no target for ${loss.type}: ${wrong}`
      throw new FoveaError('E_LABEL', {
        what,
        where: `${where}: ${target} of sample ${indices[i]}`,
        ...(hint && { hint }),
      })
    }
  }
}
