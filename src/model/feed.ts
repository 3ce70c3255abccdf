/** Between datasets and programs: arrays by the names of inputs, and sums of what comes back. */
import { FoveaError } from '../base/errors.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Program } from '../compile/program.ts'
import type { Batch, Fields } from '../data/dataset.ts'
import type { LossRow } from '../nn/losses.ts'
import { losses } from '../nn/losses.ts'
import type { Logs } from './history.ts'
import type { Objective } from './objective.ts'
import type { Session } from './session.ts'

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

export const fieldsKey = (fields: Fields): string =>
  Object.entries(fields)
    .map(([name, { dtype }]) => `${name}:${dtype}`)
    .join()

/** Sums of logs over samples, as plain data. */
export interface TallyState {
  readonly samples: number
  readonly sums: Readonly<Record<string, number>>
}

/** Sums of logs over samples. */
export class Tally {
  samples: number
  readonly #sums: Record<string, number>

  constructor({ samples, sums }: TallyState = { samples: 0, sums: {} }) {
    this.samples = samples
    this.#sums = { ...sums }
  }

  get state(): TallyState {
    return { samples: this.samples, sums: { ...this.#sums } }
  }

  add(sums: Readonly<Record<string, Numbers>>, samples: number): void {
    this.samples += samples
    for (const [name, [value]] of Object.entries(sums)) this.#sums[name] = (this.#sums[name] ?? 0) + value
  }

  get means(): Logs {
    return Object.fromEntries(
      Object.entries(this.#sums)
        .sort()
        .map(([name, sum]) => [name, sum / this.samples]),
    )
  }
}

/** Only the inputs that a program reads; the others were simplified away. */
export const onlyKnown = (program: Program, values: NumbersByName): NumbersByName =>
  Object.fromEntries(Object.entries(values).filter(([name]) => name in program.inputs))

/** Refuses targets that are none: a class index out of range would count as no class at all. `capacity` samples have room. */
export function checkTargets(
  { targets }: Batch,
  { goals }: Objective,
  { network }: Session,
  { indices, capacity }: { readonly indices: ArrayLike<number>; readonly capacity: number },
  where: string,
): void {
  for (const { output, target, loss } of goals) {
    const values = targets[target]
    const { shape } = network.calls[network.outputs[output]]
    const rows: LossRow = losses[loss]
    const size = values.length / capacity
    for (let i = 0; i < indices.length; i++) {
      const complaint = rows.complaint(values.subarray(i * size, (i + 1) * size), shape)
      if (complaint === undefined) continue
      const what = `this is no target for ${loss}: ${complaint}`
      throw new FoveaError('E_LABEL', { what, where: `${where}: ${target} of sample ${indices[i]}` })
    }
  }
}
