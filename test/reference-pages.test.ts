/** docs/reference/ is made from the tables of the library: a page that says something else is stale. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { FOLDER, referencePages, referenceTables } from '../scripts/reference-pages.ts'

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

/** Options whose values JSON cannot say. */
const objects = [
  ...['a model', 'a dataset', 'an AbortSignal', 'a list of what defineLayer gives', 'what trainingControl() gives'],
  'a list of objects such as { onEpochEnd(record) { ... } }, or of what callbacks.earlyStopping(...) gives',
  'a Float32Array or list, one number >= 0 per sample',
  ...['a function of a node', 'a layer, as in layers.dense({ units: 8 })'],
]

test('options are data: a form can be made of every table, but for what JSON cannot say', () => {
  const found = new Set<string>()
  for (const [of, table] of Object.entries(referenceTables())) {
    for (const [name, { kind, accepts }] of Object.entries(table)) {
      const fields = JSON.parse(JSON.stringify(kind))
      assert.equal(fields.kind, kind.kind, `${of}: ${name}`)
      if (kind.kind === 'custom' && !kind.as) found.add(accepts)
    }
  }
  assert.deepEqual([...found].sort(), [...objects].sort(), 'say `as`, the kind that a form shows')
})
