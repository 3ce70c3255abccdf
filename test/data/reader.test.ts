/** Reading ahead: the same batches whoever reads them, arrays that are used again, errors in their turn, an end at once. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import type { Batch, Dataset, Reading } from '../../src/data/dataset.ts'
import { fromArrays } from '../../src/data/in-memory.ts'
import type { Pass, ReaderOptions } from '../../src/data/reader.ts'
import { Reader } from '../../src/data/reader.ts'
import { split, subset } from '../../src/data/subset.ts'
import { transform } from '../../src/data/transformed.ts'
import { datasets } from '../../src/index.ts'
import { failure } from '../support/failure.ts'

const count = 50
const numbers = fromArrays({
  name: 'numbers',
  inputs: {
    image: { shape: [6, 5, 1], data: Uint8Array.from({ length: 30 * count }, (_, i) => i * 7) },
    size: { shape: [], data: Float32Array.from({ length: count }, (_, i) => i / 3) },
  },
  targets: { label: { shape: [], data: Int32Array.from({ length: count }, (_, i) => i) } },
})
const augmented = transform(numbers, [
  { type: 'randomFlip', mode: 'horizontal', field: 'image' },
  { type: 'randomCrop', padding: 3, fillMode: 'wrap', field: 'image' },
  { type: 'rescale', scale: 0.1, field: 'image' },
])
const training: Reading = { mode: 'train', epoch: 4, seed: 9 }
const indicesOf = (batch: number): Uint32Array =>
  Uint32Array.from({ length: Math.min(8, count - batch * 8) }, (_, i) => ((batch * 8 + i) * 7) % count)
const pass: Pass = { to: 7, indicesOf, reading: training }

/** Copies of all batches of a pass. */
async function read(data: Dataset, options: ReaderOptions, some: Pass = pass): Promise<Batch[]> {
  const reader = new Reader(data, options)
  const batches: Batch[] = []
  try {
    for await (const { arrays, release } of reader.batches(some)) {
      batches.push(structuredClone(arrays))
      release()
    }
  } finally {
    await reader.close()
  }
  return batches
}

/** A dataset that is read by a function of this test. */
const reading = (data: Dataset, read: Dataset['read']): Dataset => ({ ...data, read })

const [kept, held] = split(augmented, 0.3)
const { train: drawn } = await datasets.digits({ samples: 60, seed: 5 })
const readable: [name: string, data: Dataset][] = [
  ['arrays', numbers],
  ['transformed', augmented],
  [
    'a part of what is transformed',
    subset(
      augmented,
      Array.from({ length: count }, (_, i) => count - 1 - i),
    ),
  ],
  [
    'transformed parts',
    transform(subset(numbers, Array(count).fill(3)), [{ type: 'rescale', scale: 2, field: 'image' }]),
  ],
  ['drawn digits', drawn],
]
for (const [name, data] of readable) {
  test(`the same bytes whatever reads: ${name}`, async () => {
    const expected = await read(data, { prefetch: 0 })
    assert.equal(expected.length, 7)
    assert.equal(expected[6].targets['label'].length, 2)
    for (const options of [{}, { prefetch: 5 }, { workers: 1 }, { workers: 3 }, { workers: 2, prefetch: 0 }]) {
      assert.deepEqual(await read(data, options), expected, JSON.stringify(options))
    }
  })
}

test('a batch with room for more is filled up with zeros, in arrays that held others before', async () => {
  for (const workers of [0, 2]) {
    const batches = await read(numbers, { workers, prefetch: 0 }, { ...pass, capacity: 8 })
    const { inputs, targets } = batches[6]
    assert.deepEqual(Array.from(targets['label']), [...indicesOf(6), 0, 0, 0, 0, 0, 0])
    assert.deepEqual(inputs['image'].subarray(60), new Uint8Array(180))
    assert.equal(batches[0].inputs['image'].length, 240)
  }
})

test('arrays are used again: no more of them than are in use at a time', async () => {
  const seen = new Set<unknown>()
  const data = reading(numbers, async (indices, into, how) => {
    seen.add(into.inputs['image'])
    return numbers.read(indices, into, how)
  })
  const reader = new Reader(data, { prefetch: 2 })
  for (let epoch = 0; epoch < 5; epoch++) {
    const inUse: (() => void)[] = []
    for await (const { release } of reader.batches({ ...pass, to: 6 })) {
      inUse.push(release)
      if (inUse.length === 2) inUse.shift()?.()
    }
    for (const release of inUse) release()
    for (const release of inUse) release() // once counts
  }
  assert.ok(seen.size <= 5, `${seen.size} arrays for 2 in use, 3 ahead`)
})

test('no more batches are read than prefetch allows, one at a time', async () => {
  let [begun, underWay] = [0, 0]
  const data = reading(numbers, async (indices, into) => {
    begun++
    assert.equal(++underWay, 1)
    await setTimeout(1)
    await numbers.read(indices, into)
    underWay--
  })
  const reader = new Reader(data, { prefetch: 3 })
  let used = 0
  for await (const { release } of reader.batches(pass)) {
    const most = Math.min(7, ++used + 3)
    while (begun < most) await setTimeout(1)
    await setTimeout(5)
    assert.equal(begun, most)
    release()
  }
})

test('a batch is read while the one before is in use', async () => {
  const events: string[] = []
  const data = reading(numbers, async (indices, into) => {
    await setTimeout(5)
    events.push(`read ${indices[0]}`)
    await numbers.read(indices, into)
  })
  for await (const { indices, release } of new Reader(data).batches({ ...pass, to: 2 })) {
    await setTimeout(30)
    events.push(`used ${indices[0]}`)
    release()
  }
  assert.deepEqual(events, ['read 0', 'read 6', 'used 0', 'used 6'])
})

test('an error is raised where its batch is due, and ends the pass; the next one begins anew', async () => {
  let isBroken = true
  const data = reading(numbers, async (indices, into) => {
    if (isBroken && indices[0] === indicesOf(3)[0]) throw new TypeError('sample 18 is torn')
    await numbers.read(indices, into)
  })
  const reader = new Reader(data, { prefetch: 6 })
  const seen: number[] = []
  const go = async (): Promise<void> => {
    for await (const { indices, release } of reader.batches(pass)) {
      seen.push(indices[0])
      release()
    }
  }
  await assert.rejects(go(), { name: 'TypeError', message: 'sample 18 is torn' })
  assert.deepEqual(
    seen,
    [0, 1, 2].map((batch) => indicesOf(batch)[0]),
  )
  isBroken = false
  await go()
  assert.equal(seen.length, 10)
})

test('an error in a worker is the same as without, and is raised where its batch is due', async () => {
  const bad = (batch: number): Uint32Array => (batch === 2 ? Uint32Array.of(count) : indicesOf(batch))
  for (const workers of [0, 1, 3]) {
    const reader = new Reader(augmented, { workers })
    let seen = 0
    const go = async (): Promise<void> => {
      for await (const { release } of reader.batches({ ...pass, indicesOf: bad })) {
        seen++
        release()
      }
    }
    await assert.rejects(go(), failure('E_DATA', 'numbers', 'no such sample', '0 to 49', '50'))
    assert.equal(seen, 2)
    await reader.close()
  }
})

test('a description that no worker can follow is an error of the first batch', async () => {
  const data: Dataset = { ...numbers, describe: () => ({ type: 'tea leaves' }) }
  await assert.rejects(read(data, { workers: 2 }), failure('E_DATA', 'arrays', 'tea leaves'))
})

test('a dataset with a reading function of its own is none for workers', () => {
  const own = reading(numbers, numbers.read.bind(undefined))
  for (const data of [own, subset(own, [1]), transform(own, [{ type: 'rescale', scale: 1, field: 'image' }])]) {
    assert.throws(() => new Reader(data, { workers: 1 }), failure('E_OPTION', 'numbers', 'workers: 0'))
    assert.ok(new Reader(data))
  }
  assert.ok(new Reader({ ...augmented, name: 'renamed' }, { workers: 1 }), 'nothing but the name is another')
})

test('a worker that dies is an error at once, not a wait', { timeout: 60_000 }, async () => {
  const started: Worker[] = []
  const listen = (worker: Worker): void => void started.push(worker)
  process.on('worker', listen)
  try {
    const reader = new Reader(augmented, { workers: 2 })
    const batches = reader.batches(pass)
    for (let each = 0; each < 2; each++) (await batches.next()).value?.release() // one of each worker: both are up
    assert.equal(started.length, 2)
    await Promise.all(started.map((worker) => worker.terminate()))
    const rest = async (): Promise<void> => {
      for await (const { release } of batches) release()
    }
    await assert.rejects(rest(), failure('E_ENGINE', 'numbers', 'died', 'workers: 0'))
    await reader.close()
  } finally {
    process.off('worker', listen)
  }
})

for (const workers of [0, 2]) {
  test(`an aborted pass throws the signal's reason at once, ${workers} workers; the reader goes on`, async () => {
    const control = new AbortController()
    const reader = new Reader(augmented, { workers })
    const batches = reader.batches({ ...pass, signal: control.signal })
    ;(await batches.next()).value?.release()
    control.abort()
    await assert.rejects(batches.next(), { name: 'AbortError' })
    assert.deepEqual(await batches.next(), { done: true, value: undefined })
    const why = new Error('enough')
    const late = reader.batches({ ...pass, signal: AbortSignal.abort(why) })
    await assert.rejects(late.next(), why)
    let seen = 0
    for await (const { release } of reader.batches(pass)) {
      seen++
      release()
    }
    assert.equal(seen, 7)
    await reader.close()
  })
}

test('a read hears of the abort, and one that does not listen is not waited for', { timeout: 20_000 }, async () => {
  for (const listens of [true, false]) {
    const control = new AbortController()
    let heard: unknown
    const data = reading(numbers, (_, __, how) => {
      how?.signal?.addEventListener('abort', () => {
        heard = how.signal?.reason
      })
      return new Promise((_, reject) => {
        if (listens) how?.signal?.addEventListener('abort', () => reject(how.signal?.reason))
      })
    })
    const batches = new Reader(data).batches({ ...pass, signal: control.signal })
    const first = batches.next()
    await setTimeout(0) // it is being read
    control.abort('stop')
    await assert.rejects(first, (error) => error === 'stop')
    assert.equal(heard, 'stop')
  }
})

test('whoever leaves early leaves nothing running', async () => {
  const underWay = new Set<number>()
  const data = reading(numbers, async (indices, into, how) => {
    underWay.add(indices[0])
    await setTimeout(20)
    if (!how?.signal?.aborted) await numbers.read(indices, into)
    underWay.delete(indices[0])
  })
  for await (const { release } of new Reader(data).batches(pass)) {
    release()
    break
  }
  assert.equal(underWay.size, 0)
})

test('workers end with the reader, and an idle one keeps no process alive', { timeout: 60_000 }, async () => {
  const started: Worker[] = []
  const listen = (worker: Worker): void => void started.push(worker)
  process.on('worker', listen)
  try {
    const reader = new Reader(numbers, { workers: 1 })
    for await (const { release } of reader.batches(pass)) release()
    for await (const { release } of reader.batches(pass)) release()
    assert.equal(started.length, 1, 'one for all passes')
    const gone = once(started[0], 'exit')
    await reader.close()
    await gone
  } finally {
    process.off('worker', listen)
  }
})

test('parts of one dataset are read apart', async () => {
  const whole = Array.from({ length: 35 }, (_, i) => i)
  const to = { to: 1, reading: training }
  const [first] = await read(kept, { workers: 1 }, { ...to, indicesOf: () => Uint32Array.from(whole) })
  const [last] = await read(held, {}, { ...to, indicesOf: () => Uint32Array.from({ length: 15 }, (_, i) => i) })
  assert.deepEqual(Array.from(first.targets['label']), whole)
  assert.deepEqual(
    Array.from(last.targets['label']),
    Array.from({ length: 15 }, (_, i) => 35 + i),
  )
})
