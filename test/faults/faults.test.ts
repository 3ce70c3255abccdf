/** `npm run faults` takes long; that its rows still find their places is seen at once. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { planted } from './fault.ts'
import { rooms } from './rooms.ts'

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
