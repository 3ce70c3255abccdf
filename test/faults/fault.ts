/** A planted fault: one text of the sources replaced by another while the module loads. The tree is never edited. */
import { stripTypeScriptTypes } from 'node:module'

export interface Fault {
  /** What is wrong with the library that has it. */
  readonly name: string
  /** The module, from the root of the project. */
  readonly file: string
  /** Occurs exactly once in it. */
  readonly find: string
  readonly replace: string
  /** Who must notice: `golden` is all of test/ops/golden.test.ts, `golden: pooling` its tests whose name matches. */
  readonly tests: readonly string[]
}

/** Where the fault that a process runs with stands, as JSON; empty for none. */
export const VARIABLE = 'FOVEA_FAULT'

/** The module with its fault; throws where the table has rotted, and where the result is no module at all. */
export function planted(source: string, { name, file, find, replace }: Fault): string {
  const parts = source.split(find)
  const places = parts.length - 1
  if (places !== 1) throw new Error(`${name}: ${file} has ${places} places like this, expected 1: ${find}`)
  const result = parts.join(replace)
  stripTypeScriptTypes(result) // throws where the syntax is wrong
  return result
}
