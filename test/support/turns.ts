/** Turns of the event loop: whether a thread goes on while others compute. */
import { setImmediate } from 'node:timers/promises'

/** Counts turns of the event loop until a promise settles: a thread that is held until then makes one or two. */
export async function turnsUntil(work: Promise<unknown>): Promise<number> {
  let isDone = false
  const done = work.finally(() => {
    isDone = true
  })
  let turns = 0
  for (; !isDone; turns++) await setImmediate()
  await done
  return turns
}
