/** What a checkpoint knows besides its tensors, as text: JSON that keeps every number exactly, or throws. */

import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { isPlain } from '../base/realm.ts'

/** JSON, with every number there is; members that are undefined are left out. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export type JsonObject = { readonly [name: string]: Json | undefined }

/** The numbers that JSON has not are said as `{ "$number": "NaN" }`. */
const otherNumbers: Readonly<Record<string, number>> = { '-0': -0, NaN, Infinity, '-Infinity': -Infinity }

/** The number that an object encodes. */
function numberOf(value: Record<string, unknown>): number | undefined {
  const name = value['$number']
  return typeof name === 'string' && Object.hasOwn(otherNumbers, name) ? otherNumbers[name] : undefined
}

/** An object as JSON; throws E_OPTION, with the place, at what would not come back as it is. */
export function exactJsonToText(value: JsonObject): string {
  if (!isPlain(value)) throw refused(value, 'facts')
  return JSON.stringify(written(value, 'facts'))
}

/** The object of a text; throws SyntaxError where it is not a JSON object. */
export function exactJsonFromText(text: string): JsonObject {
  const read: unknown = JSON.parse(text, (_, value: unknown) => (isPlain(value) ? (numberOf(value) ?? value) : value))
  if (!isPlain(read)) throw new SyntaxError('not an object')
  return read as JsonObject
}

function written(value: unknown, where: string): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') {
    const name = Object.keys(otherNumbers).find((other) => Object.is(otherNumbers[other], value))
    return name === undefined ? value : { $number: name }
  }
  if (Array.isArray(value)) return Array.from(value, (member, i) => written(member, `${where}[${i}]`))
  if (!isPlain(value) || numberOf(value) !== undefined) throw refused(value, where)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([name, member]) => [name, written(member, `${where}.${name}`)]))
}

function refused(value: unknown, where: string): FoveaError {
  const expected = 'null, a boolean, number, text, array or plain object'
  return new FoveaError('E_OPTION', { what: 'cannot be kept in a checkpoint', where, expected, got: show(value) })
}
