import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, beforeEach, type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { allocateBatch } from '../../src/data/batch.ts'
import { mnist } from '../../src/data/datasets/mnist.ts'
import { download } from '../../src/data/download.ts'
import { failure } from '../support/failure.ts'

const names = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte']
const real = join(import.meta.dirname, '../../../shared/datasets/mnist')
const onlyWithMnist = { skip: existsSync(real) ? false : `NOT TESTED: MNIST is not at ${real}` }

const root = await mkdtemp(join(tmpdir(), 'fovea-mnist-'))
after(() => rm(root, { recursive: true }))
beforeEach(async () => {
  delete process.env['FOVEA_DATA']
  process.env['XDG_CACHE_HOME'] = await mkdtemp(join(root, 'cache-')) // the user's own cache stays out of it
})

/** A folder with the four files under other names; their content is not MNIST's. */
async function fake(
  place: string,
  spell: (name: string) => string,
  content = (name: string): Uint8Array => gzipSync(name),
): Promise<string> {
  const folder = await mkdtemp(join(root, 'data-'))
  await mkdir(join(folder, place), { recursive: true })
  for (const name of names) await writeFile(join(folder, place, spell(name)), content(name))
  return folder
}

type Fetch = (url: string) => Promise<Response>
const stubFetch = (t: TestContext, stub: Fetch) =>
  t.mock.method(globalThis, 'fetch', (url: string | URL | Request) => stub(String(url))).mock
const offline: Fetch = () => Promise.reject(new TypeError('fetch failed', { cause: { code: 'ENOTFOUND' } }))
const respond = (body: ConstructorParameters<typeof Response>[0], status = 200) =>
  Promise.resolve(new Response(body, { status }))

const places = ['', 'mnist', 'MNIST/raw']
const spellings: ((name: string) => string)[] = [
  (name) => name,
  (name) => `${name}.gz`,
  (name) => name.replace('-idx', '.idx'),
  (name) => `${name.replace('-idx', '.idx')}.gz`,
]
for (const place of places) {
  for (const spell of spellings) {
    const path = join(place, spell(names[0]))
    test(`mnist: finds ${path}, and a wrong checksum names it`, async () => {
      const dataDir = await fake(place, spell)
      await assert.rejects(
        mnist({ dataDir }),
        failure('E_DATA', join(dataDir, path), 'checksum', 'ba891046', 'Fashion'),
      )
      process.env['FOVEA_DATA'] = dataDir
      await assert.rejects(mnist(), failure('E_DATA', join(dataDir, path), 'checksum'))
    })
  }
}

test('mnist: the cache folder is searched last', async () => {
  const cached = await fake('fovea/mnist', (name) => name)
  process.env['XDG_CACHE_HOME'] = cached
  await assert.rejects(mnist(), failure('E_DATA', join(cached, 'fovea/mnist', names[0])))
  process.env['FOVEA_DATA'] = await fake('', (name) => name)
  await assert.rejects(mnist(), failure('E_DATA', join(process.env['FOVEA_DATA'], names[0])))
})

test('mnist: an explicit folder without the files is an error, and nothing else is tried', async (t) => {
  const fetched = stubFetch(t, offline)
  process.env['FOVEA_DATA'] = await fake('', (name) => name)
  const empty = await mkdtemp(join(root, 'data-'))
  const partial = await fake('', (name) => name)
  await rm(join(partial, names[3]))
  for (const dataDir of [empty, partial, join(empty, 'absent'), join(partial, names[0])]) {
    await assert.rejects(mnist({ dataDir }), failure('E_DATA', `looked in ${dataDir} `, names[3], 'dataDir'))
  }
  assert.equal(fetched.callCount(), 0)
})

test('mnist: download: false leaves the network alone, and says where it looked', async (t) => {
  const fetched = stubFetch(t, offline)
  process.env['FOVEA_DATA'] = await mkdtemp(join(root, 'data-'))
  const cache = join(process.env['XDG_CACHE_HOME']!, 'fovea')
  await assert.rejects(mnist({ download: false }), failure('E_DATA', process.env['FOVEA_DATA'], cache, 'FOVEA_DATA'))
  assert.equal(fetched.callCount(), 0)
})

const mirrors = [
  'https://ossci-datasets.s3.amazonaws.com/mnist/',
  'https://storage.googleapis.com/cvdf-datasets/mnist/',
]
const broken: [name: string, Fetch, ...words: string[]][] = [
  ['no network', offline, 'fetch failed (ENOTFOUND)'],
  ['not found', () => respond('no', 404), 'HTTP status 404'],
  ['wrong bytes', (url) => respond(gzipSync(url)), 'checksum', 'ba891046'],
  ['a page that asks to log in', () => respond('<html>'), 'checksum'],
  ['half a file', (url) => respond(gzipSync(url).subarray(0, 20)), 'gzip'],
]
for (const [name, answer, ...words] of broken) {
  test(`mnist: download: ${name} on all mirrors`, async (t) => {
    stubFetch(t, answer)
    const urls = mirrors.map((mirror) => `${mirror}${names[0]}.gz`)
    await assert.rejects(mnist(), failure('E_DATA', ...urls, ...words, 'dataDir'))
    assert.deepEqual(await readdir(process.env['XDG_CACHE_HOME']!), [], 'nothing wrong is kept')
  })
}

test('mnist: download: mirrors that never answer are given up after 10 s in all', async (t) => {
  let seconds = 0
  const waits: { from: number; to?: number }[] = []
  t.mock.method(globalThis, 'fetch', (_: unknown, { signal }: { signal: AbortSignal }) => {
    const wait: (typeof waits)[number] = { from: seconds }
    waits.push(wait)
    signal.addEventListener('abort', () => {
      wait.to = seconds
    })
    return new Promise(() => undefined)
  })
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let waiting = true
  const attempt = assert.rejects(mnist(), failure('E_DATA', 'no answer within 5 s')).finally(() => (waiting = false))
  for (; waiting; await setImmediate()) {
    if (waits.every(({ to }) => to !== undefined)) continue // it looks through folders, or for the next mirror
    seconds++
    t.mock.timers.tick(1000)
  }
  await attempt
  assert.deepEqual(
    waits.map(({ from, to }) => (to ?? Infinity) - from),
    [5, 5],
  )
})

test(
  'mnist: the first mirror is down, the second fills the cache, and then no network is needed',
  onlyWithMnist,
  async (t) => {
    const fetched = stubFetch(t, async (url) =>
      url.startsWith(mirrors[0]) ? offline(url) : respond(await readFile(join(real, basename(url)))),
    )
    assert.equal((await mnist()).train.source, mirrors[1])
    assert.equal(fetched.callCount(), 5)
    const again = await mnist({ download: false })
    assert.equal(again.test.source, join(process.env['XDG_CACHE_HOME']!, 'fovea/mnist'))
    assert.deepEqual(await readdir(again.test.source!), names.map((name) => `${name}.gz`).sort())
  },
)

test('mnist: is MNIST', onlyWithMnist, async () => {
  const { train, test: digits } = await mnist({ dataDir: dirname(real) })
  assert.equal(train.source, real)
  assert.deepEqual([train.name, train.length, digits.name, digits.length], ['mnist train', 60000, 'mnist test', 10000])
  assert.deepEqual(train.inputs, { image: { shape: [28, 28, 1], dtype: 'uint8' } })
  assert.deepEqual(train.targets, { label: { shape: [], dtype: 'int32' } })
  assert.deepEqual(train.classNames, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  const all = allocateBatch(train, train.length)
  await train.read(
    Array.from({ length: train.length }, (_, i) => i),
    all,
  )
  const labels = all.targets['label']
  assert.deepEqual(Array.from(labels.subarray(0, 10)), [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
  const mean = (all.inputs['image'] as Uint8Array).reduce((sum, pixel) => sum + pixel, 0) / (60000 * 784 * 255)
  assert.ok(Math.abs(mean - 0.1307) < 5e-5, `${mean}`) // the mean that everybody normalises by
  const first = allocateBatch(digits, 3)
  await digits.read([0, 1, 2], first)
  assert.deepEqual(first.targets['label'], Int32Array.of(7, 2, 1))
})

/** A stream of so many bytes, each `pause` ms of a mocked clock after the one before. */
const drip = (t: TestContext, count: number, pause: number) =>
  new ReadableStream({
    async start(controller) {
      for (let i = 0; i < count; i++) {
        for (let ms = 0; ms < pause; ms += 10) {
          for (let turn = 0; turn < 20; turn++) await setImmediate() // what has come is read before time goes on
          t.mock.timers.tick(10)
        }
        controller.enqueue(Uint8Array.of(i))
      }
      controller.close()
    },
  })

test('download: slow is fine, silent is not', async (t) => {
  const url = 'https://example.org/f'
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const fetched = stubFetch(t, () => respond(drip(t, 5, 80))) // 400 ms in all
  assert.deepEqual(await download(url, { limit: 5, patience: 190 }), Uint8Array.of(0, 1, 2, 3, 4))
  await assert.rejects(download(url, { limit: 2, patience: 1000 }), failure('E_LIMIT', url, '2 bytes'))
  fetched.mockImplementation(() => respond(drip(t, 2, 60_000)))
  await assert.rejects(download(url, { limit: 5, patience: 30 }), failure('E_NETWORK', url, 'no answer within 0.03 s'))
})
