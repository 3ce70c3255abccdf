/** An op as a user calls it: its arguments are checked by tables, from which its page in the reference is made too. */
import type { Option, OptionTable } from '../base/options.ts'
import { custom, settle, settleOne } from '../base/options.ts'
import type { Node } from '../graph/node.ts'
import { isNode } from '../graph/node.ts'
import type { Operand } from './elementwise.ts'

const expected = 'a node, as placeholder, variable, constant and ops give'

/** A node as an argument. */
export const nodeArgument = (says: string): Option<Node, true> =>
  custom<Node>({ says, accepts: expected, check: (v) => (isNode(v) ? v : undefined) })

/** A node that may be left out. */
export const maybeNode = (says: string): Option<Node | undefined, false> =>
  custom<Node>({ says, accepts: expected, check: (v) => (isNode(v) ? v : undefined), optional: true })

/** A node, or a number as a constant. */
export const operandArgument = (says: string): Option<Operand, true> =>
  custom<Operand>({
    says,
    accepts: `a number, or ${expected}`,
    check: (v) => (typeof v === 'number' || isNode(v) ? v : undefined),
  })

type Call = (...given: never[]) => unknown

export interface PublicOp<F extends Call = Call> {
  readonly says: string
  /** Its arguments, in their order. */
  readonly takes: OptionTable
  /** The object of attributes after them, where it has one. */
  readonly attrs?: OptionTable
  readonly call: F
}

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

/** Without what was not said: an op's attributes are part of its identity. */
const said = (settled: object): object =>
  Object.fromEntries(Object.entries(settled).filter(([, value]) => value !== undefined))
