import assert from 'node:assert/strict'
import { type ErrorCode, FoveaError } from '../../src/base/errors.ts'

/** For assert.throws and assert.rejects: a FoveaError of this code whose message holds all these words. */
export const failure =
  (code: ErrorCode, ...words: readonly string[]) =>
  (error: unknown): true => {
    assert.ok(error instanceof FoveaError, String(error))
    assert.equal(error.code, code, error.message)
    for (const word of words) assert.ok(error.message.includes(word), `'${word}' is not in: ${error.message}`)
    return true
  }
