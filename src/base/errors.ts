import { printable } from './printable.ts'

/** What went wrong, in one word; decides the exit code of the command. */
export type ErrorKind = 'bug' | 'usage' | 'file' | 'limit' | 'numeric' | 'io' | 'capability'

/** Every code an error can carry. Codes are stable: scripts may depend on them. */
export const errorCodes = {
  E_BUG: 'bug',
  E_SHAPE: 'usage',
  E_DTYPE: 'usage',
  E_OPTION: 'usage',
  E_GRAPH: 'usage',
  E_MODEL: 'usage',
  E_MISMATCH: 'usage',
  E_DATA: 'file',
  E_LABEL: 'file',
  E_FILE: 'file',
  E_VERSION: 'file',
  E_LIMIT: 'limit',
  E_NONFINITE: 'numeric',
  E_IO: 'io',
  E_NETWORK: 'io',
  E_ENGINE: 'capability',
  E_CLOSED: 'usage',
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof errorCodes

/** What each code tells, in words. */
export const errorWords: Readonly<Record<ErrorCode, string>> = {
  E_BUG: 'Fovea itself is wrong: please report it.',
  E_SHAPE: 'A shape does not fit.',
  E_DTYPE: 'Numbers of another dtype are needed.',
  E_OPTION: 'An option or argument is missing, unknown or wrong.',
  E_GRAPH: 'A graph is built wrongly.',
  E_MODEL: 'A model is built or used wrongly.',
  E_MISMATCH: 'Model, data, loss or metric do not fit each other.',
  E_DATA: 'Data are damaged or incomplete.',
  E_LABEL: 'A target is out of range for its loss.',
  E_FILE: 'A file is not what it should be.',
  E_VERSION: 'A file was written by a newer Fovea.',
  E_LIMIT: 'Something is too large: a file, a picture, a program for the memory that there is.',
  E_NONFINITE: 'A number has become infinite or NaN.',
  E_IO: 'The system refused to read or write.',
  E_NETWORK: 'A download failed.',
  E_ENGINE: 'An engine, a package or a feature of the host is not available.',
  E_CLOSED: 'Something is used after it was closed.',
}

/** What each kind of error has in common, in words. */
export const kindWords: Readonly<Record<ErrorKind, string>> = {
  bug: 'a fault of Fovea',
  usage: 'used wrongly',
  file: 'a file or data',
  limit: 'a limit',
  numeric: 'numbers',
  io: 'input and output',
  capability: 'not there',
}

/** The exit code of the command for each kind; a signal n ends with 128 + n. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
  bug: 1,
  usage: 2,
  file: 3,
  limit: 5,
  numeric: 6,
  io: 7,
  capability: 9,
}

/** The parts of an error message, each a phrase without a final stop. */
export interface Complaint {
  /** What is wrong: `filters must be a positive integer`. */
  what: string
  /** Where: a layer, tensor, flag, or a file with its byte offset. */
  where?: string
  expected?: string
  got?: string
  /** The way out. */
  hint?: string
  cause?: unknown
}

/** The one error that Fovea throws on purpose: what, where, expected, got, the way out. */
export class FoveaError extends Error {
  override readonly name = 'FoveaError'
  readonly code: ErrorCode
  /** Not a field: Node prints the fields of an error that nobody catches behind the message, which has all this. */
  readonly #complaint: Readonly<Complaint>

  constructor(code: ErrorCode, given: Complaint) {
    const complaint = typeof given === 'object' && given !== null ? given : { what: String(given) }
    super(sentence(complaint), complaint.cause === undefined ? undefined : { cause: complaint.cause })
    this.code = code
    this.#complaint = complaint
  }

  get kind(): ErrorKind {
    return errorCodes[this.code] ?? 'bug'
  }

  /** The parts of the message. */
  get complaint(): Readonly<Complaint> {
    return this.#complaint
  }

  get exitCode(): number {
    return exitCodes[this.kind]
  }

  toJSON() {
    const { name, message, code, kind, complaint } = this
    return { name, message, code, kind, complaint }
  }
}

function sentence(complaint: Complaint): string {
  const [what, where, expected, got, hint] = (['what', 'where', 'expected', 'got', 'hint'] as const).map((part) =>
    safe(complaint[part]),
  )
  const facts = [expected && `expected ${expected}`, got && `got ${got}`].filter(Boolean).join(', ')
  return `${where ? `${where}: ` : ''}${what}${facts ? `: ${facts}` : ''}${hint ? `; ${hint}` : ''}`
}

/** Names may come from an unknown file: a long one is cut in the middle, and none reaches a terminal as a command. */
function safe(part: unknown): string | undefined {
  const text = part === undefined || part === null ? undefined : String(part)
  return text && printable(text.length > 1000 ? `${text.slice(0, 700)} ... ${text.slice(-250)}` : text)
}

/** Runs `action`; a FoveaError without a place gets `where`, one with a place gets it in front. */
export function locate<T>(where: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (!(error instanceof FoveaError)) throw error
    const inner = error.complaint.where
    throw new FoveaError(error.code, { ...error.complaint, where: inner ? `${where}: ${inner}` : where })
  }
}

/** Names that other libraries have for what has another one here, without signs between words. */
const aliases: Readonly<Record<string, string>> = {
  mse: 'meanSquaredError',
  mae: 'meanAbsoluteError',
  bce: 'binaryCrossentropy',
  crossentropy: 'categoricalCrossentropy',
  cce: 'categoricalCrossentropy',
  scce: 'sparseCategoricalCrossentropy',
  acc: 'accuracy',
  swish: 'silu',
  hardsilu: 'hardSwish',
  hswish: 'hardSwish',
}

/** The known word nearest to `word`, as `did you mean ...?`, or undefined when none is near. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_ ]/g, '')
  if (word.length > 100) return undefined // no option's name, and the distance takes length times length
  const alias = Object.hasOwn(aliases, plain(word)) ? aliases[plain(word)] : undefined
  if (alias !== undefined && known.includes(alias)) return `did you mean '${alias}'?`
  const whole = known.filter((candidate) => word.length > 2 && plain(candidate).includes(plain(word)))
  if (whole.length === 1) return `did you mean '${whole[0]}'?`
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(plain(word), plain(candidate))
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best && `did you mean '${best}'?`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}
