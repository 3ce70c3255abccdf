/** What a checkpoint knows besides its tensors, as text: JSON that gives back every number as it was, or refuses. */

import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isPlain } from '../base/realm.ts'

/** JSON, with every number there is; members that are undefined are left out. */
export type Fact = null | boolean | number | string | readonly Fact[] | { readonly [name: string]: Fact | undefined }
export type Facts = { readonly [name: string]: Fact | undefined }

/** The numbers that JSON has not are said as `{ "$number": "NaN" }`. */
const otherNumbers: Readonly<Record<string, number>> = { '-0': -0, NaN, Infinity, '-Infinity': -Infinity }

/** The number that an object stands for. */
function numberOf(value: Record<string, unknown>): number | undefined {
  const name = value['$number']
  return typeof name === 'string' && Object.hasOwn(otherNumbers, name) ? otherNumbers[name] : undefined
}

/** Facts as JSON; throws E_OPTION, with the place, at what would not come back as it is. */
export function factsToText(facts: Facts): string {
  if (!isPlain(facts)) throw refused(facts, 'facts')
  return JSON.stringify(written(facts, 'facts'))
}

/** The facts of a text; throws SyntaxError where it is no object in JSON. */
export function factsFromText(text: string): Facts {
  const facts: unknown = JSON.parse(text, (_, value: unknown) => (isPlain(value) ? (numberOf(value) ?? value) : value))
  if (!isPlain(facts)) throw new SyntaxError('not an object')
  return facts as Facts
}

function written(fact: unknown, where: string): unknown {
  if (fact === null || typeof fact === 'boolean' || typeof fact === 'string') return fact
  if (typeof fact === 'number') {
    const name = Object.keys(otherNumbers).find((other) => Object.is(otherNumbers[other], fact))
    return name === undefined ? fact : { $number: name }
  }
  if (Array.isArray(fact)) return Array.from(fact, (member, i) => written(member, `${where}[${i}]`))
  if (!isPlain(fact) || numberOf(fact) !== undefined) throw refused(fact, where)
  const members = Object.entries(fact).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([name, member]) => [name, written(member, `${where}.${name}`)]))
}

function refused(fact: unknown, where: string): FoveaError {
  const expected = 'null, a boolean, number, text, array or plain object'
  return new FoveaError('E_OPTION', { what: 'cannot be kept in a checkpoint', where, expected, got: show(fact) })
}
