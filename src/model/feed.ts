/** Between datasets and programs: arrays by the names of inputs, and sums of what comes back. */
import { FoveaError } from '../base/errors.ts'
import type { Numbers } from '../compile/engine.ts'
import type { Program } from '../compile/program.ts'
import type { Batch, Fields } from '../data/dataset.ts'
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

/** Sums of logs over samples. */
export class Tally {
  samples = 0
  readonly #sums: Record<string, number> = {}

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

/** A class index out of range would count as no class at all: it is refused. */
export function checkLabels(
  { targets }: Batch,
  { goals }: Objective,
  { network }: Session,
  indices: ArrayLike<number>,
  where: string,
): void {
  for (const { output, target } of goals) {
    const labels = targets[target]
    if (!(labels instanceof Int32Array)) continue
    const [classes] = network.calls[network.outputs[output]].shape
    const wrong = labels.findIndex((label) => label < 0 || label >= classes)
    if (wrong < 0) continue
    throw new FoveaError('E_LABEL', {
      what: 'a label is not one of the classes',
      where: `${where}: ${target} of sample ${indices[wrong]}`,
      expected: `0 to ${classes - 1}`,
      got: `${labels[wrong]}`,
    })
  }
}
