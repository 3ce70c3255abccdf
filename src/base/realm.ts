/**
 * What a value is, from any realm: a frame, a context of node:vm, a test runner's sandbox. Each has classes
 * of its own, and `instanceof` knows only ours.
 */

const kindOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get

/** The kind of a typed array, `Float32Array`; undefined for any other value. */
export const arrayKind = (value: unknown): string | undefined => kindOf?.call(value)

/** Is it a typed array of numbers? One of bigints is none, and a DataView is no array. */
export function holdsNumbers(value: unknown): value is ArrayBufferView & ArrayLike<number> {
  const kind = arrayKind(value)
  return kind !== undefined && !kind.startsWith('Big')
}

export const isFloat64 = (value: unknown): value is Float64Array => arrayKind(value) === 'Float64Array'

/** Memory that threads share. */
export const isShared = (buffer: ArrayBufferLike): buffer is SharedArrayBuffer =>
  buffer[Symbol.toStringTag] === 'SharedArrayBuffer'

/** Is it a list of nothing but these? A hole in it is none, which `every` alone would pass over. */
export const isListOf = <T>(value: unknown, is: (entry: unknown) => boolean): value is readonly T[] =>
  Array.isArray(value) && Array.from(value).every(is)

/** An object without a class: what braces make. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** The same, or one that inherits from such objects alone. */
export function isClassless(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  for (let above = Object.getPrototypeOf(value); above !== null; above = Object.getPrototypeOf(above))
    if (Object.hasOwn(above, 'constructor') && Object.getPrototypeOf(above) !== null) return false
  return true
}

/** Does it report an abort, as signals of every realm and their replacements do? It has everything that is called of one. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  const { aborted, throwIfAborted, addEventListener, removeEventListener } = (value ?? {}) as Partial<AbortSignal>
  const calls = [throwIfAborted, addEventListener, removeEventListener]
  return typeof aborted === 'boolean' && calls.every((call) => typeof call === 'function')
}

/** What an error says, or what was thrown instead of one, as text. */
export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown }
  return typeof message === 'string' ? message : String(error)
}
