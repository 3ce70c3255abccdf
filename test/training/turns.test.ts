/** A dataset is read again only when it is done, whoever asks; the signal reaches every reading. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Dataset, FitOptions } from '../../src/index.ts'
import { points, tiny } from '../support/tiny-model.ts'

const folder = await mkdtemp(join(tmpdir(), 'fovea-turns-'))
after(() => rm(folder, { recursive: true }))

/** Samples that take their time, and how many read them at once at most; sample `bad` is NaN. */
function slow(bad = -1, onRead = () => {}) {
  const { describe: _, identity: __, ...base } = points(64)
  const seen = { now: 0, most: 0, reads: 0, modes: new Set<string | undefined>() }
  const data: Dataset = {
    ...base,
    async read(indices, into, reading) {
      seen.most = Math.max(seen.most, ++seen.now)
      seen.reads++
      seen.modes.add(reading?.mode)
      onRead()
      try {
        await setTimeout(3)
        await base.read(indices, into, reading)
      } finally {
        seen.now--
      }
      for (let i = 0; i < indices.length; i++) if (indices[i] === bad) into.inputs['x'][3 * i] = Number.NaN
    },
  }
  return { data, seen }
}

test('a step that is looked at once more waits for what is read ahead', async () => {
  const { data, seen } = slow(5)
  const { ended, why } = await tiny().fit(data, { batchSize: 4, shuffle: false, prefetch: 6, onNonFinite: 'stop' })
  assert.deepEqual([ended, /sample 5/.test(why ?? ''), seen.most], ['diverged', true, 1])
})

test('a training that begins after an aborted one waits for its readings', async () => {
  const { data, seen } = slow()
  const stop = new AbortController()
  await tiny().fit(data, { batchSize: 4, signal: stop.signal, callbacks: [{ onBatchEnd: () => stop.abort() }] })
  await Promise.all([tiny().fit(data, { batchSize: 16 }), tiny().evaluate(data, { batchSize: 16 })])
  assert.deepEqual([seen.most, seen.now], [1, 0])
})

test('a callback that throws does not wait for readings that never end', { timeout: 5000 }, async () => {
  const { data } = slow()
  let reads = 0
  const hanging: Dataset = {
    ...data,
    read: (indices, into, reading) => (reads++ < 2 ? data.read(indices, into, reading) : new Promise(() => {})),
  }
  const callbacks = [
    {
      onBatchBegin: ({ batch }: { batch: number }) => {
        if (batch === 2) throw new Error('enough')
      },
    },
  ]
  await assert.rejects(tiny().fit(hanging, { batchSize: 4, callbacks }), /enough/)
})

test('a timer aborts while classes are counted in samples that never wait', async () => {
  const { describe: _, ...base } = points(256 * 100)
  let reads = 0
  const data: Dataset = {
    ...base,
    async read(...how) {
      reads++
      for (const start = performance.now(); performance.now() - start < 5; );
      await base.read(...how)
    },
  }
  const fitting = tiny().fit(data, { classWeight: 'balanced', signal: AbortSignal.timeout(1) })
  assert.equal((await fitting).ended, 'aborted')
  assert.ok(reads < 100, `${reads} reads`)
})

const reading: [what: string, options: FitOptions, reads: number][] = [
  ['classes are counted', { classWeight: 'balanced' }, 1],
  ['data are told apart', { checkpoints: { folder } }, 2],
]
for (const [what, options, whole] of reading)
  test(`the signal reaches what is read when ${what}, in mode infer`, async () => {
    const stop = new AbortController()
    const { data, seen } = slow(-1, () => stop.abort(new Error('enough')))
    const fitting = tiny().fit(data, { ...options, batchSize: 16, signal: stop.signal })
    const { ended, steps } = await fitting
    assert.deepEqual([ended, steps], ['aborted', 0])
    assert.deepEqual([[...seen.modes], seen.reads <= whole], [['infer'], true])
  })
