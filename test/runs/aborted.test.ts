/** A run that is aborted before its first step: what it says, and what it leaves. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { settle } from '../../src/base/options.ts'
import { typed } from '../../src/cli/about.ts'
import { textReports } from '../../src/cli/run-text.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import type { Dataset } from '../../src/index.ts'
import { jsonReport } from '../../src/runs/report.ts'
import { openRun, trainRun } from '../../src/runs/run.ts'
import { runOptions } from '../../src/runs/run-options.ts'
import { points, tiny } from '../support/tiny-model.ts'

const root = await mkdtemp(join(tmpdir(), 'fovea-aborted-'))
after(() => rm(root, { recursive: true }))

/** Runs in `out` until the training data are read, which aborts it where `isAborted`; what is printed after that. */
async function run(out: string, { isAborted = true, resume = false } = {}) {
  const options = settle(
    runOptions,
    { ...{ out, data: 'digits' }, epochs: 1, batchSize: 4, engine: 'reference' },
    'options',
  )
  const stop = new AbortController()
  const { describe: _, identity: __, ...base } = points(8) // without an identity, samples are read to make one
  const train: Dataset = {
    ...base,
    async read(...how) {
      if (isAborted) stop.abort()
      await base.read(...how)
    },
  }
  const parts = { train, test: points(4, 2) }
  const opened = await openRun({ network: 'mine', options }, { model: tiny(), parts, ...(resume && { resume: out }) })
  const [text, json]: string[][] = [[], []]
  const terminal: Terminal = {
    ...{ isLive: false, hasStyles: false, columns: 80 },
    print: (...line) => text.push(line.map((part) => (typeof part === 'string' ? part : part.text)).join('')),
    ...{ printLines: () => {}, note: () => assert.fail(), draw: () => assert.fail() },
  }
  const reports = [...textReports(terminal, { every: 1 }), jsonReport((line) => json.push(line), 1)]
  const { ended, steps } = await trainRun(opened, { reports, signal: stop.signal })
  return { ended, steps, text: text.slice(2), json: json.map((line) => JSON.parse(line)) } // without the two data sets
}

const aborted = { ended: 'aborted', steps: 0 }

test('a new folder is gone, and one that was there is empty again', async () => {
  const [isNew, isOld] = [join(root, 'new'), join(root, 'old')]
  await mkdir(isOld)
  for (const out of [isNew, isOld])
    assert.deepEqual(await run(out), {
      ...aborted,
      text: ['stopped before the first step; nothing was saved'],
      json: [{ event: 'end', ...aborted }],
    })
  assert.deepEqual(await readdir(root), ['old'])
  assert.deepEqual(await readdir(isOld), [])
})

test('a run that is resumed stays as it was, and can be resumed again', async () => {
  const out = join(root, 'resumed')
  await run(out, { isAborted: false })
  const before = await readdir(out, { recursive: true })
  assert.deepEqual(await run(out, { resume: true }), {
    ...aborted,
    text: ['stopped before the first step; nothing was saved', `to continue: ${typed} train --resume ${out}`],
    json: [{ event: 'end', ...aborted, out }],
  })
  assert.deepEqual(await readdir(out, { recursive: true }), before)
  assert.equal((await run(out, { isAborted: false, resume: true })).ended, 'finished')
})
