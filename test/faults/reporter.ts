/** Ends the process at the first test that fails; says on standard output, as JSON, which one it was and how many passed. */
import { writeSync } from 'node:fs'
import type { TestEvent } from 'node:test/reporters'

export interface Report {
  readonly passed: number
  /** The first test that failed, and why. */
  readonly failed?: { readonly name: string; readonly why: string }
}

export const MARK = 'planted-fault-report '

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0
  for await (const { type, data } of events) {
    if (type !== 'test:complete') continue
    const { details, name, skip } = data
    const error = details.error as (Error & { failureType?: string; cause?: unknown }) | undefined
    if (details.passed) {
      if (details.type !== 'suite' && skip === undefined) passed++
    } else if (error?.failureType !== 'subtestsFailed') {
      const failed = { name, why: String(error?.cause ?? error) }
      writeSync(1, `\n${MARK}${JSON.stringify({ passed, failed } satisfies Report)}\n`)
      process.exit(1)
    }
  }
  yield `\n${MARK}${JSON.stringify({ passed } satisfies Report)}\n`
}
