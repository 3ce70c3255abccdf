/** An op as a user calls it: its arguments are checked by tables, from which its page in the reference is made too. */
import type { OptionTable } from '../base/options.ts'
import { settle, settleOne } from '../base/options.ts'
import { taken } from '../base/taken.ts'

type Call = (...given: never[]) => unknown

export interface PublicOp<F extends Call = Call> {
  readonly says: string
  /** Its arguments, in their order. */
  readonly takes: OptionTable
  /** The object of attributes after them, where it has one. */
  readonly attrs?: OptionTable
  readonly call: F
}

/** A row of a family's table; TypeScript infers the function. */
export const op = <F extends Call>(row: PublicOp<F>): PublicOp<F> => row

/** The functions of a table of ops, each with its arguments checked first. */
export function checkedOps<T extends Readonly<Record<string, PublicOp>>>(
  rows: T,
): { readonly [N in keyof T]: T[N]['call'] } {
  const functions = Object.entries(rows).map(([name, row]) => [name, checked(name, row)])
  return Object.fromEntries(functions)
}

function checked(name: string, { takes, attrs, call }: PublicOp): Call {
  const names = Object.keys(takes)
  return (...given: unknown[]) => {
    const all = names.map((argument, i) => settleOne(takes[argument], given[i], argument, name))
    if (attrs) all.push(said(settle(attrs, given[names.length] ?? {}, name)))
    return call(...(all as never[]))
  }
}

/** Taken as they are now, without what was not said: an op's attributes are part of its identity. */
const said = (settled: object): object =>
  Object.fromEntries(
    Object.entries(settled).flatMap(([name, value]) => (value === undefined ? [] : [[name, taken(value)]])),
  )
