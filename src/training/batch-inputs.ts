/** Inputs of a program by name, from a batch. */
import type { Numbers } from '../compile/engine.ts'
import type { Program } from '../compile/program.ts'
import type { Batch, Fields } from '../data/dataset.ts'

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

/** Only the inputs that a program reads; the others were simplified away. */
export const onlyKnown = (program: Program, values: NumbersByName): NumbersByName =>
  Object.fromEntries(Object.entries(values).filter(([name]) => name in program.inputs))
