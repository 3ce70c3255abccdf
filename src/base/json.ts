/**
 * JSON from unknown files. `JSON.parse` keeps the last of two equal keys silently, makes gigabytes of lists from 100 MB
 * of brackets, and in V8 takes some escaped keys for others (https://github.com/nodejs/node/issues/63785: Node 24, 26);
 * this reader refuses equal keys, and its limits hold before anything is made.
 */
export interface JsonLimits {
  /** Lists and objects within each other. */
  readonly maxDepth?: number
  /** Numbers, texts, lists, objects and so on, all counted. */
  readonly maxValues?: number
}

/** The value of a text; what is wrong, and at which character, is handed to `complain`, whose error is thrown. */
export function parseJson(
  text: string,
  complain: (what: string, at: number) => Error,
  { maxDepth = 32, maxValues = 1_000_000 }: JsonLimits = {},
): unknown {
  let at = 0
  let values = 0

  /** The next sign that is no space. */
  const next = (): string => {
    while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
    return text[at]
  }
  const want = (sign: string): void => {
    if (next() !== sign) throw complain(`is not JSON: no '${sign}' where one must be`, at)
    at++
  }
  /** A text, number or word from here to `end`, as JSON.parse has it. */
  const plain = (end: number): unknown => {
    try {
      const value = JSON.parse(text.slice(at, end))
      at = end
      return value
    } catch {
      throw complain('is not JSON', at)
    }
  }
  const string = (): string => {
    let end = at + 1
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
    return plain(end + 1) as string
  }
  /** What is between two brackets, at commas. */
  const each = (close: string, one: () => void): void => {
    at++
    if (next() !== close) {
      one()
      while (next() === ',') {
        at++
        one()
      }
    }
    want(close)
  }
  const value = (depth: number): unknown => {
    const sign = next()
    if (++values > maxValues) throw complain('holds too many values', at)
    if (depth > maxDepth) throw complain('is nested too deeply', at)
    if (sign === '[') {
      const list: unknown[] = []
      each(']', () => list.push(value(depth + 1)))
      return list
    }
    if (sign === '{') {
      const members = new Map<string, unknown>()
      each('}', () => {
        if (next() !== '"') throw complain('is not JSON: no key where one must be', at)
        const start = at
        const key = string()
        if (members.has(key)) throw complain(`says '${key}' twice`, start)
        want(':')
        members.set(key, value(depth + 1))
      })
      return Object.fromEntries(members) // `__proto__` becomes a key like any other
    }
    if (sign === '"') return string()
    let end = at
    while (end < text.length && /[-+.\w]/.test(text[end])) end++
    return plain(end)
  }

  const result = value(0)
  next()
  if (at < text.length) throw complain('is not JSON: there is more after its end', at)
  return result
}
