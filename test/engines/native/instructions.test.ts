/** What C++ has of the interpreter's functions is what TypeScript has. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { functionCodes, instructionsHeader } from '../../../src/engines/native/instructions.ts'

test('the header of the instructions is up to date', () => {
  const header = readFileSync('native/src/instructions.hpp', 'utf8')
  assert.equal(header, instructionsHeader(), 'write it anew: npm run node -- scripts/instructions.ts')
})

test('the functions are numbered from 0, without gaps', () => {
  const numbers = Object.values(functionCodes).sort((a, b) => a - b)
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => i),
  )
})
