/** Where the tests are that a row names: `golden: pooling` means the only `golden.test.ts` below test/, or `golden.zoo.ts`. */
import { globSync } from 'node:fs'

const root = new URL('../../', import.meta.url)

/** The test file of a row's entry, from the root of the project, and the pattern behind its colon. */
export function testFileOf(tests: string): { readonly file: string; readonly pattern?: string } {
  const [, stem, pattern] = tests.match(/^([\w-]+)(?:: (.+))?$/) ?? []
  const [file, ...more] = globSync(`test/**/${stem}.{test,zoo}.ts`, { cwd: root })
  if (file && more.length === 0) return { file, ...(pattern && { pattern }) }
  throw new Error(`'${tests}': expected one test file '${stem}.test.ts', found ${more.length + (file ? 1 : 0)}`)
}
