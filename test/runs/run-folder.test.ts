/** A folder belongs to one run, also when several begin at once; what a run was asked is found again. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FoveaError } from '../../src/base/errors.ts'
import { makeRunFolder, runFolderAt } from '../../src/runs/run-folder.ts'
import { readRun, requestOf } from '../../src/runs/saved-run.ts'
import { failure } from '../support/failure.ts'

const root = await mkdtemp(join(tmpdir(), 'fovea-runs-'))
after(() => rm(root, { recursive: true }))

const AT_ONCE = 8

test('eight runs that begin in the same second get eight folders', async () => {
  const before = process.cwd()
  process.chdir(root) // unnamed runs lie below the working folder
  try {
    const now = new Date(2026, 0, 31, 9, 5, 0)
    const folders = await Promise.all(
      Array.from({ length: AT_ONCE }, () => makeRunFolder({ path: undefined, name: 'lenet', now })),
    )
    const paths = folders.map(({ path }) => path).sort()
    assert.equal(new Set(paths).size, AT_ONCE, paths.join())
    assert.equal(paths[0], join('runs', 'lenet-2026-01-31-09-05-00'))
  } finally {
    process.chdir(before)
  }
})

for (const [how, isThere] of [
  ['that is not there', false],
  ['that is empty', true],
] as const)
  test(`of eight runs that name one folder ${how}, one gets it and the others are refused`, async () => {
    const path = join(root, `named-${isThere}`)
    if (isThere) await mkdir(path)
    const asked = Array.from({ length: AT_ONCE }, () => makeRunFolder({ path, name: 'lenet', now: new Date() }))
    const results = await Promise.allSettled(asked)
    const refused = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    assert.equal(refused.length, AT_ONCE - 1)
    for (const error of refused) assert.ok(error instanceof FoveaError && error.code === 'E_OPTION', String(error))
  })

test('a run that is refused leaves everything as it was', async () => {
  const path = join(root, 'refused')
  await (await makeRunFolder({ path, name: 'lenet', now: new Date() })).giveBack()
  await assert.rejects(readdir(path))
  await mkdir(path)
  await (await makeRunFolder({ path, name: 'lenet', now: new Date() })).giveBack()
  assert.deepEqual(await readdir(path), [])
})

test('a file in the place of the folder is an error that names it', async () => {
  const path = join(root, 'file')
  await writeFile(path, '')
  await assert.rejects(makeRunFolder({ path, name: 'lenet', now: new Date() }), failure('E_IO', path))
})

test('a run is read back: what was asked, and the options of now over those of then', async () => {
  const path = join(root, 'read')
  await mkdir(path)
  await assert.rejects(readRun(path), failure('E_IO', 'config.json', '--resume'))
  const options = { data: 'digits', epochs: 2, optimizer: { type: 'sgd', momentum: 0.9 }, out: path }
  await runFolderAt(path).writeConfig({ network: 'lenet', engine: { name: 'reference' }, options })
  assert.deepEqual((await readRun(path)).events, [])
  await writeFile(runFolderAt(path).historyPath, '{"event":"step","loss":1}\n{"event":"epoch","epoch":1,"loss":0.5}\n')
  assert.deepEqual(
    (await readRun(path)).events.map(({ event, loss }) => [event, loss]),
    [
      ['step', 1],
      ['epoch', 0.5],
    ],
  )
  const { network, options: asked } = await requestOf(path, { epochs: 3 })
  assert.equal(network, 'lenet')
  assert.deepEqual(
    [asked.data, asked.epochs, asked.batchSize, asked.engine, asked.out, asked.optimizer],
    ['digits', 3, 128, 'reference', undefined, { type: 'sgd', momentum: 0.9 }],
  )
})

for (const [what, text, code, words] of [
  ['no JSON', '{', 'E_FILE', 'JSON'],
  ['a list', '[]', 'E_FILE', 'JSON'],
  ['nothing', '', 'E_FILE', 'has not begun'],
  ['no run', '{}', 'E_FILE', 'describe a training'],
  ['an unknown option', '{ "network": "lenet", "options": { "data": "digits", "epoch": 2 } }', 'E_OPTION', 'epochs'],
] as const)
  test(`config.json with ${what} is refused with its name`, async () => {
    const path = join(root, `bad-${what}`)
    await mkdir(path)
    await writeFile(join(path, 'config.json'), text)
    await assert.rejects(requestOf(path), failure(code, 'config.json', words))
  })

test('the history of a run that goes on is read up to its last whole line', async () => {
  const path = join(root, 'going-on')
  await mkdir(path)
  const folder = runFolderAt(path)
  await folder.writeConfig({ network: 'lenet' })
  await writeFile(folder.historyPath, '{"event":"step","step":1}\n{"event":"st')
  assert.deepEqual((await readRun(path)).events, [{ event: 'step', step: 1 }])
  await writeFile(folder.historyPath, '{"event":"step","step":1}\n{"event":"st\n')
  await assert.rejects(readRun(path), failure('E_FILE', 'line 2'))
})
