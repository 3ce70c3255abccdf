/** What npm runs for a user: paths are from where they stand. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'

const ask = (task: string, ...words: string[]) =>
  spawnSync(process.execPath, [resolve('scripts/run.mjs'), task, ...words], {
    encoding: 'utf8',
    env: { ...process.env, npm_lifecycle_event: task, INIT_CWD: resolve('docs') },
  })

test('npm run node, in a folder of the project, stands in that folder', () => {
  const { stdout, stderr } = ask('node', '-p', 'process.cwd()')
  assert.equal(stdout.trim(), resolve('docs'), stderr)
})

test('npm run fovea takes paths from there', () => {
  const { status, stderr } = ask('fovea', 'summary', './data.md')
  assert.match(stderr, /data\.md at byte 0/)
  assert.equal(status, 3)
})
