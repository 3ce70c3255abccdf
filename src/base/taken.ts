/** What a user gives, taken as it is now. */
import { isPlain } from './realm.ts'

/**
 * Lists and plain objects of texts, numbers and the like, copied whole so that nobody can change them. What holds anything else,
 * as a function or a typed array, is no such data, and stays what it is.
 */
export function taken<T>(data: T): T {
  return isData(data, []) ? (copied(data) as T) : data
}

/** Deeper than any options are, and than recursion goes. */
const DEEPEST = 100

/** `above`: what it is within, so that a circle is none. */
function isData(value: unknown, above: readonly unknown[]): boolean {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return true
  if (!(Array.isArray(value) || isPlain(value)) || above.length > DEEPEST || above.includes(value)) return false
  const path = [...above, value]
  return Object.values(value).every((member) => isData(member, path))
}

function copied(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map(copied))
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copied(member)])))
}
