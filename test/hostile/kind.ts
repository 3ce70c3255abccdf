/** A kind of file that strangers send, and what must hold for its reader. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { FoveaError } from '../../src/base/errors.ts'
import { allocated } from './allocations.ts'

export interface FileKind<T> {
  readonly read: (bytes: Uint8Array, file: string) => T
  /** Good files, and what must be read from them. */
  readonly whole: fc.Arbitrary<{ readonly bytes: Uint8Array; readonly check: (content: T) => void }>
  /** Files with something changed: they may still be good. */
  readonly damaged: fc.Arbitrary<Uint8Array>
  /** Throws when what was read contradicts itself. */
  readonly isConsistent: (content: T) => void
  /** How complaints begin: the file, with the byte where the reader is binary. */
  readonly where: RegExp
}

/** A file that is refused: which rule it breaks, and words of the complaint. */
export type Refused = readonly [rule: string, bytes: Uint8Array, ...words: string[]]

/** What became of the files: how many were read, how many refused with which words (names and numbers left out). */
export interface Outcome {
  files: number
  read: number
  readonly refused: Map<string, number>
  /** The longest that one file took, in milliseconds: for the eye, never a test. */
  slowest: number
}

const FILE = 'some.file'

/** Bytes of arrays that reading a file may ask for: a widened copy or two of its elements. */
export const roomFor = (bytes: Uint8Array): number => 4 * bytes.length + 1024

/** Reads what may be anything: content, or an error of kind file or limit that names the place; memory in proportion to the file. */
function attempt<T>({ read, where }: FileKind<T>, bytes: Uint8Array): T | FoveaError {
  const { result, asked } = allocated(() => {
    try {
      return read(bytes, FILE)
    } catch (error) {
      if (error instanceof FoveaError) return error
      throw error
    }
  })
  assert.ok(asked <= roomFor(bytes), `${asked} bytes of arrays for a file of ${bytes.length}`)
  if (result instanceof FoveaError) {
    assert.ok(result.kind === 'file' || result.kind === 'limit', `${result.code}: ${result.message}`)
    assert.match(result.message, where)
    assert.ok(result.message.length < 4000, `a complaint of ${result.message.length} characters`)
    assert.doesNotMatch(result.message, /\p{Cc}/u, 'control characters reach the terminal')
  }
  return result
}

/** Reads `runs` files, one whole to three damaged; throws, with the seed and the smallest file that shows it, at the first fault. */
export function fuzz<T>(kind: FileKind<T>, { seed, runs }: { seed: number; runs: number }): Outcome {
  const outcome: Outcome = { files: 0, read: 0, refused: new Map(), slowest: 0 }
  const judge = (bytes: Uint8Array, check?: (content: T) => void): void => {
    const copy = bytes.slice()
    const start = performance.now()
    const result = attempt(kind, bytes)
    outcome.slowest = Math.max(outcome.slowest, performance.now() - start)
    outcome.files++
    assert.deepEqual(bytes, copy, 'the reader changed the file')
    if (result instanceof FoveaError) {
      assert.ok(!check, `a good file was refused: ${result.message}`)
      const words = result.complaint.what.replaceAll(/'.*'|\[.*\]|\d+|(?<=^(layer|options of) ).*(?= must)/gs, '_')
      outcome.refused.set(words, (outcome.refused.get(words) ?? 0) + 1)
    } else {
      outcome.read++
      kind.isConsistent(result)
      check?.(result)
    }
  }
  const file = fc.oneof(
    { weight: 1, arbitrary: kind.whole.map(({ bytes, check }) => shown(bytes, () => judge(bytes, check))) },
    { weight: 3, arbitrary: kind.damaged.map((bytes) => shown(bytes, () => judge(bytes))) },
  )
  fc.assert(
    fc.property(file, ({ run }) => run()),
    { seed, numRuns: runs },
  )
  return outcome
}

/** What fast-check prints of a file that shows a fault. */
const shown = (bytes: Uint8Array, run: () => void) => ({
  run,
  [fc.toStringMethod]: () => `Buffer.from(${JSON.stringify(Buffer.from(bytes).toString('latin1'))}, 'latin1')`,
})
