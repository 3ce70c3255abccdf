/** docs/reference/ is made from the tables of the library: a page that says something else is stale. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { FOLDER, referencePages } from '../scripts/reference-pages.ts'

const pages = referencePages()

for (const [name, page] of Object.entries(pages))
  test(`${FOLDER}/${name} is up to date`, () => {
    const path = join(FOLDER, name)
    const hint = `${path} is stale: npm run reference`
    assert.ok(existsSync(path), hint)
    assert.ok(readFileSync(path, 'utf8') === page, hint)
  })

test('the folder holds no other page', () => {
  assert.deepEqual(readdirSync(FOLDER).sort(), Object.keys(pages).sort())
})

test('links lead somewhere; no cell is torn; nothing is undefined', () => {
  for (const [name, page] of Object.entries(pages)) {
    for (const [, target] of page.matchAll(/\]\(([^)#]+)\)/g))
      assert.ok(target in pages || existsSync(join(FOLDER, dirname(name), target)), `${name}: ${target}`)
    assert.doesNotMatch(page, /undefined|\[object/)
    let columns = 0
    for (const line of page.split('\n')) {
      const cells = line.startsWith('|') ? line.split(/(?<!\\)\|/).length : 0
      assert.ok(columns === 0 || cells === 0 || cells === columns, `${name}: ${line}`)
      columns = cells
    }
  }
})
