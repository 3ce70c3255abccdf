/** `npm run faults` takes long; that its rows still find their places is seen at once. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { planted } from './fault.ts'
import { rooms } from './rooms.ts'
import { testFileOf } from './test-file.ts'

for (const [room, faults] of Object.entries(rooms))
  test(`the planted faults of ${room} find their places`, () => {
    assert.ok(faults.length > 0)
    const rotten = faults.flatMap((fault) => {
      try {
        planted(readFileSync(fault.file, 'utf8'), fault)
        return []
      } catch (error) {
        return [(error as Error).message]
      }
    })
    assert.deepEqual(rotten, [], 'mend the rows in test/faults/')
  })

test('every row names test files that are there, by names that only they have', () => {
  const entries = Object.values(rooms).flatMap((faults) => faults.flatMap(({ tests }) => tests))
  for (const tests of new Set(entries)) testFileOf(tests)
  assert.deepEqual(testFileOf('golden: pooling'), { file: join('test', 'ops', 'golden.test.ts'), pattern: 'pooling' })
  assert.throws(() => testFileOf('no-such-tests'), /found 0/)
  assert.throws(() => testFileOf('lifetime'), /found [2-9]/)
})

const source = `/** Words. */
export const one = (x: number): number => {
  return scaled(
    x, // a comment
    2,
  )
}
export const two = (x: number): number => scaled(x, 2)
`
const fault = { name: 'f', file: 'a.ts', find: 'scaled(x, 2)', replace: 'scaled(x, 3)', tests: [] }

test('a fault is found by its tokens, within its declaration', () => {
  assert.throws(() => planted(source, fault), /2 places/)
  assert.throws(() => planted(source, { ...fault, within: 'three' }), /declares no 'three'/)
  assert.throws(() => planted(source, { ...fault, within: 'two', find: 'scaled(x, 4)' }), /0 places/)
  assert.match(planted(source, { ...fault, within: 'one' }), /return scaled\(x, 3\)\n}\n.*scaled\(x, 2\)\n$/s)
  assert.match(planted(source, { ...fault, within: 'two' }), /a comment.*=> scaled\(x, 3\)\n$/s)
  assert.throws(() => planted(source, { ...fault, within: 'two', replace: ')' }), /./) // no module any more
})
