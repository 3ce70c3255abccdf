/** Writes docs/reference/ from the tables of the library. `test/reference-pages.test.ts` says when a page is stale. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FOLDER, referencePages } from './reference-pages.ts'

rmSync(FOLDER, { recursive: true, force: true })
mkdirSync(FOLDER, { recursive: true })
const pages = referencePages()
for (const [name, page] of Object.entries(pages)) writeFileSync(join(FOLDER, name), page)
console.log(`${Object.keys(pages).length} pages in ${FOLDER}`)
