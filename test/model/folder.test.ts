/** A folder in the place of a file: the answer names a file in it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadModel } from '../../src/index.ts'
import { openTrained } from '../../src/runs/open-model.ts'
import { failure } from '../support/failure.ts'

const folder = mkdtempSync(join(tmpdir(), 'fovea-folder-'))
after(() => rmSync(folder, { recursive: true }))
const run = join(folder, 'a')
await mkdir(run)
writeFileSync(join(run, 'config.json'), '{}')

test('loadModel of a folder names the model in it, or another file; of nothing it does not speak of browsers', async () => {
  await assert.rejects(loadModel(run), failure('E_IO', 'this is a folder', join(run, 'config.json')))
  writeFileSync(join(run, 'model.safetensors'), '')
  await assert.rejects(loadModel(run), failure('E_IO', 'this is a folder', join(run, 'model.safetensors')))
  const nothing = await loadModel(join(folder, 'b')).catch((error) => String(error))
  assert.match(String(nothing), /there is no such file$/)
})

test('the command is told which runs a folder holds', async () => {
  await assert.rejects(openTrained(folder, {}), failure('E_IO', 'this folder holds runs', run))
})
