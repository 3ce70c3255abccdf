import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Disk, disk as realDisk, writeDurably } from '../../src/platform/node.ts'
import type { Checkpoint } from '../../src/saved/checkpoint.ts'
import { latestCheckpoint, openCheckpoints } from '../../src/saved/checkpoint-store.ts'
import { failure } from '../support/failure.ts'
import { crashStates, type DiskState, ModelDisk, systemError } from '../support/model-disk.ts'

const root = await fs.mkdtemp(join(tmpdir(), 'fovea-checkpoints-'))
after(() => fs.rm(root, { recursive: true }))

/** The nth checkpoint that a test saves; different bytes throughout. */
const checkpoint = (n: number): Checkpoint => ({
  tensors: { w: { shape: [30], data: Float32Array.from({ length: 30 }, (_, i) => n + i / 64) } },
  facts: { n },
})
/** Which of them the folder gives back; it must be whole. */
async function latestN(disk: Disk, folder = '/runs/a'): Promise<number | undefined> {
  const found = await latestCheckpoint(folder, { disk })
  if (!found) return undefined
  const n = found.checkpoint.facts['n'] as number
  assert.deepEqual(found.checkpoint, checkpoint(n))
  return n
}
const isDraft = (path: string): boolean => path.endsWith('.tmp')

test('checkpoints: none, then the newest; the oldest beyond `keep` go', async () => {
  const folder = join(root, 'new/folder')
  assert.equal(await latestCheckpoint(folder), undefined)
  const store = await openCheckpoints(folder)
  assert.equal(await store.latest(), undefined)
  const paths = await Promise.all([1, 2, 3].map((n) => store.save(n * 1000, checkpoint(n)))) // they queue
  assert.deepEqual(await fs.readdir(folder), ['checkpoint-0000002000.safetensors', 'checkpoint-0000003000.safetensors'])
  const found = await store.latest()
  assert.deepEqual(found, { checkpoint: checkpoint(3), path: paths[2], step: 3000, skipped: [] })
  await store.save(3000, checkpoint(4))
  assert.equal(await latestN(realDisk, folder), 4)
  await fs.writeFile(join(folder, 'checkpoint-.safetensors'), '') // and other names are nobody's business
  await (await openCheckpoints(folder, { keep: 1 })).save(3001, checkpoint(5))
  assert.deepEqual(await fs.readdir(folder), ['checkpoint-.safetensors', 'checkpoint-0000003001.safetensors'])
})

test('checkpoints: what is handed to save may change at once', async () => {
  const disk = new ModelDisk()
  const store = await openCheckpoints('/runs/a', { disk })
  const live = checkpoint(1)
  const [first, second] = [store.save(1, live), store.save(2, live)]
  live.tensors['w'].data.fill(0)
  await Promise.all([first, second])
  assert.equal(await latestN(disk), 1)
})

test('checkpoints: a damaged one is skipped, told, and set aside by the next save', async () => {
  const folder = join(root, 'damaged')
  const store = await openCheckpoints(folder, { keep: 3 })
  const paths = []
  for (const n of [1, 2, 3]) paths.push(await store.save(n, checkpoint(n)))
  await fs.truncate(paths[2], 500)
  await fs.writeFile(paths[1], 'nothing')
  await assert.rejects(store.save(2, checkpoint(4)), failure('E_OPTION', folder, 'step 3'))
  const found = await store.latest()
  assert.equal(found?.step, 1)
  assert.deepEqual(
    found?.skipped.map(({ path }) => path),
    [paths[2], paths[1]],
  )
  for (const { path, error } of found?.skipped ?? []) failure('E_FILE', path)(error)
  await store.save(2, checkpoint(4)) // the run goes on from 1
  assert.deepEqual(await fs.readdir(folder), [1, 2, '3.unreadable'].map(nameOf))
  assert.equal(await latestN(realDisk, folder), 4)
  await fs.writeFile(paths[0], '')
  await fs.writeFile(paths[1], '')
  await assert.rejects(store.latest(), failure('E_FILE', folder, 'none of them can be loaded', paths[0], paths[1]))
})
function nameOf(step: number | string): string {
  const [digits, more] = String(step).split('.')
  return `checkpoint-${digits.padStart(10, '0')}.safetensors${more ? `.${more}` : ''}`
}

const refused: [name: string, action: () => Promise<unknown>, ...words: string[]][] = [
  ['keep 0', () => openCheckpoints('/runs/a', { keep: 0, disk: new ModelDisk() }), 'keep', '>= 1'],
  [
    'step NaN',
    async () => (await openCheckpoints('/runs/a', { disk: new ModelDisk() })).save(NaN, checkpoint(1)),
    'step',
  ],
]
for (const [name, action, ...words] of refused) {
  test(`checkpoints: refused: ${name}`, () => assert.rejects(action(), failure('E_OPTION', ...words)))
}

// Faults: every operation fails in turn.

type Name = Exclude<keyof Disk, 'foldersAbove'> | 'write' | 'fsync' | 'close'
/** A disk on which `fault` may throw at each operation, before or after it is done; it is told their number. */
function faulty(disk: Disk, fault: (name: Name, index: number) => void, when: 'before' | 'after' = 'before'): Disk {
  let index = 0
  const turn =
    <A extends unknown[], R>(name: Name, action: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const own = index++
      if (when === 'before') fault(name, own)
      const result = await action(...args)
      if (when === 'after') fault(name, own)
      return result
    }
  return {
    open: turn('open', async (path) => {
      const file = await disk.open(path)
      return {
        write: turn('write', (bytes) => file.write(bytes)),
        fsync: turn('fsync', () => file.fsync()),
        close: async () => {
          await file.close() // Linux closes even when it reports a fault
          return turn('close', async () => {})()
        },
      }
    }),
    rename: turn('rename', (from, to) => disk.rename(from, to)),
    unlink: turn('unlink', (path) => disk.unlink(path)),
    mkdir: turn('mkdir', (path) => disk.mkdir(path)),
    readdir: turn('readdir', (path) => disk.readdir(path)),
    read: turn('read', (path) => disk.read(path)),
    fsyncFolder: turn('fsyncFolder', (path) => disk.fsyncFolder(path)),
    foldersAbove: (path) => disk.foldersAbove(path),
  }
}

const disks: [name: string, open: (name: string) => { disk: Disk; folder: string }][] = [
  ['a disk in memory', () => ({ disk: new ModelDisk(), folder: '/runs/a' })],
  ['a real disk', (name) => ({ disk: realDisk, folder: join(root, name) })],
]
const faults: [name: string, code: string, lasts: 'once' | 'on', when?: 'after'][] = [
  ['fails once', 'EIO', 'once'],
  ['finds the disk full', 'ENOSPC', 'once'],
  ['fails, and all after it', 'EROFS', 'on'],
  ['is done, and fails', 'ETIMEDOUT', 'once', 'after'],
  ['is done, and fails, and all after it', 'ESTALE', 'on', 'after'],
]
for (const [where, open] of disks) {
  for (const [what, code, lasts, when] of faults) {
    if (when && where === 'a real disk') continue // a file that opens and fails would stay open
    test(`checkpoints: on ${where}, each operation in turn ${what}: E_IO, the older one loads, the next save works`, async () => {
      const failed = new Set<Name>()
      for (let bad = 0; ; bad++) {
        const { disk, folder } = open(`${code}-${bad}`)
        for (const n of [1, 2]) await (await openCheckpoints(folder, { disk })).save(n, checkpoint(n))
        let first: Name | undefined
        const bitten = faulty(
          disk,
          (name, index) => {
            if (lasts === 'on' ? index < bad : index !== bad) return
            first ??= name
            throw systemError(code)
          },
          when,
        )
        const saving = openCheckpoints(folder, { disk: bitten }).then((store) => store.save(3, checkpoint(3)))
        const outcome = await saving.catch((error) => error)
        if (first === undefined) break
        failed.add(first)
        failure('E_IO', code, folder)(outcome)
        assert.ok((await latestN(disk, folder))! >= 2, `after ${first}`)
        const drafts = (await disk.readdir(folder)).filter(isDraft)
        if (lasts === 'once' && first !== 'unlink') assert.deepEqual(drafts, [], `after ${first}`)
        await (await openCheckpoints(folder, { disk })).save(4, checkpoint(4))
        assert.equal(await latestN(disk, folder), 4)
        assert.equal((await disk.readdir(folder)).length, 2)
      }
      const all = ['close', 'fsync', 'fsyncFolder', 'mkdir', 'open', 'readdir', 'rename', 'unlink', 'write']
      assert.deepEqual([...failed].sort(), all)
    })
  }
}

test('checkpoints: a read that fails is no end while an older one loads', async () => {
  const disk = new ModelDisk()
  const store = await openCheckpoints('/runs/a', { disk })
  for (const n of [1, 2]) await store.save(n, checkpoint(n))
  const failing = (bad: number) =>
    faulty(disk, (name, index) => {
      if (name === 'read' && index <= bad) throw systemError('EIO')
    })
  const found = await latestCheckpoint('/runs/a', { disk: failing(1) })
  assert.equal(found?.step, 1)
  failure('E_IO', nameOf(2), 'EIO')(found?.skipped[0].error)
  await assert.rejects(latestCheckpoint('/runs/a', { disk: failing(2) }), failure('E_FILE', nameOf(1), nameOf(2)))
})

test('checkpoints: one that another process removes meanwhile is looked for again', async () => {
  const disk = new ModelDisk()
  const store = await openCheckpoints('/runs/a', { disk, keep: 1 })
  await store.save(1, checkpoint(1))
  const read = async (path: string) => {
    if (path.endsWith(nameOf(1))) await store.save(2, checkpoint(2))
    return disk.read(path)
  }
  const found = await latestCheckpoint('/runs/a', { disk: { ...faulty(disk, () => {}), read } })
  assert.deepEqual([found?.step, found?.skipped], [2, []])
})

test('writeDurably: short writes go on; a disk that takes nothing is an error, and the old file stays', async () => {
  const path = join(root, 'short')
  const taking = (count: number): Disk => ({
    ...realDisk,
    open: async (draft) => {
      const file = await realDisk.open(draft)
      return { ...file, write: async (bytes) => (count === 0 ? 0 : file.write(bytes.subarray(0, count))) }
    },
  })
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i)
  for (const count of [1000, 999, 7]) {
    await writeDurably(taking(count), path, bytes)
    assert.deepEqual(await realDisk.read(path), bytes)
  }
  await assert.rejects(writeDurably(taking(0), path, Uint8Array.of(1)), failure('E_IO', path, 'takes no more'))
  assert.deepEqual(await realDisk.read(path), bytes)
  assert.deepEqual((await fs.readdir(root)).filter(isDraft), [])
})

// Crashes: every state that one may leave, at every moment.

interface Scenario {
  readonly disk: ModelDisk
  readonly states: number
  /** States in which what was promised does not load. */
  readonly lost: readonly string[]
}

/** Saves in a row, one of them at the step of the one before it, through a disk that may be made worse. */
async function crashes(
  keep: number,
  worse: (disk: ModelDisk) => Disk = (disk) => disk,
  each?: (state: DiskState, n: number | undefined) => Promise<void>,
): Promise<Scenario> {
  const disk = new ModelDisk()
  const store = await openCheckpoints('/runs/a', { keep, disk: worse(disk) })
  for (const [i, step] of [10, 20, 30, 30, 40].entries()) {
    await store.save(step, checkpoint(i + 1))
    disk.log.push({ op: 'promise', what: i + 1 })
  }
  return { disk, ...(await survey(disk, 0, each)) }
}

async function survey(
  disk: ModelDisk,
  promisedBefore: number,
  each: (state: DiskState, n: number | undefined) => Promise<void> = async () => {},
): Promise<Pick<Scenario, 'states' | 'lost'>> {
  const seen = new Map<string, number | undefined>()
  const lost: string[] = []
  let promised = promisedBefore
  for (let count = 0; count <= disk.log.length; count++) {
    const step = disk.log[count - 1]
    if (step?.op === 'promise') promised = step.what
    for (const state of crashStates(disk, count)) {
      if (!seen.has(state.key)) {
        const n = await latestN(new ModelDisk(state)).catch(() => -1)
        seen.set(state.key, n)
        await each(state, n)
      }
      const n = seen.get(state.key) ?? 0
      if (n < promised)
        lost.push(`after ${count} operations, the last ${step?.op}: ${promised} was promised, got ${n}: ${state.key}`)
      if (lost.length > 3) return { states: seen.size, lost }
    }
  }
  return { states: seen.size, lost }
}

for (const keep of [1, 2]) {
  test(`checkpoints: no crash loses one that was promised, and the run can go on (keep ${keep})`, async (t) => {
    let again = 0
    const { states, lost } = await crashes(keep, undefined, async (state, n = 0) => {
      const recovered = new ModelDisk(state)
      await (await openCheckpoints('/runs/a', { keep, disk: recovered })).save(50, checkpoint(n + 1))
      recovered.log.push({ op: 'promise', what: n + 1 })
      assert.equal(await latestN(recovered), n + 1)
      assert.deepEqual(recovered.paths.filter(isDraft), [])
      if (keep > 1 || / of /.test(state.key)) return // a second crash, but not for every half-written draft
      const second = await survey(recovered, n)
      assert.deepEqual(second.lost, [])
      again += second.states
    })
    assert.deepEqual(lost, [])
    t.diagnostic(`${states} states, ${again} after a second crash`)
    assert.ok(states > 200 && (keep > 1 || again > 5000), `${states} and ${again} states`)
  })
}

test('checkpoints: no crash loses one while a damaged newer one is set aside', async () => {
  const before = new ModelDisk()
  const store = await openCheckpoints('/runs/a', { disk: before })
  for (const n of [1, 2]) await store.save(n * 10, checkpoint(n))
  const [state] = [...crashStates(before)].slice(-1)
  const damaged = [...state.names].find(([path]) => path.endsWith(nameOf(20)))?.[1] as number
  const disk = new ModelDisk({ ...state, contents: new Map(state.contents).set(damaged, new Uint8Array(600)) })
  const resumed = await openCheckpoints('/runs/a', { disk, keep: 1 })
  assert.equal((await resumed.latest())?.step, 10)
  for (const [n, step] of [
    [3, 15],
    [4, 25],
  ]) {
    await resumed.save(step, checkpoint(n))
    disk.log.push({ op: 'promise', what: n })
  }
  const { states, lost } = await survey(disk, 1)
  assert.deepEqual(lost, [])
  assert.ok(states > 100, `${states} states`)
  assert.deepEqual(await disk.readdir('/runs/a'), [nameOf('20.unreadable'), nameOf(25)])
})

/** What durable writing consists of, each part left away in turn: the enumeration must notice every one of them. */
const worse: [name: string, disk: (disk: ModelDisk) => Partial<Disk>, keep?: number][] = [
  [
    'the file not flushed',
    (disk) => ({ open: async (path) => ({ ...(await disk.open(path)), fsync: async () => {} }) }),
  ],
  [
    'the folder not flushed',
    (disk) => ({ fsyncFolder: async (path) => (path === '/runs/a' ? undefined : disk.fsyncFolder(path)) }),
  ],
  [
    'the folders above not flushed',
    (disk) => ({ fsyncFolder: async (path) => (path === '/runs/a' ? disk.fsyncFolder(path) : undefined) }),
  ],
  [
    'the folder flushed before the new name is in it',
    (disk) => ({
      rename: async (from, to) => {
        await disk.fsyncFolder('/runs/a')
        await disk.rename(from, to)
      },
      fsyncFolder: async (path) => (path === '/runs/a' ? undefined : disk.fsyncFolder(path)),
    }),
  ],
  [
    'old ones removed before the new one is durable',
    (disk) => ({
      open: async (path) => {
        for (const old of disk.paths.filter((other) => other.endsWith('.safetensors'))) await disk.unlink(old)
        return disk.open(path)
      },
    }),
  ],
  [
    'written in place',
    (disk) => ({
      rename: async (from, to) => {
        const bytes = await disk.read(from)
        const file = await disk.truncate(to)
        for (let at = 0; at < bytes.length; ) at += await file.write(bytes.subarray(at))
        await file.fsync()
        await disk.unlink(from)
      },
    }),
  ],
]
for (const [name, change] of worse) {
  for (const keep of [1, 2]) {
    test(`checkpoints: the enumeration of crashes finds the loss: ${name} (keep ${keep})`, async () => {
      const { lost } = await crashes(keep, (disk) => ({ ...faulty(disk, () => {}), ...change(disk) }))
      assert.notDeepEqual(lost, [])
    })
  }
}

// A real disk, and what it really says.

const noFolder: [name: string, make: (path: string) => Promise<string>, code: string][] = [
  [
    'a file',
    async (path) => {
      await fs.writeFile(path, '')
      return path
    },
    'EEXIST',
  ],
  [
    'below a file',
    async (path) => {
      await fs.writeFile(path, '')
      return join(path, 'below')
    },
    'ENOTDIR',
  ],
  ['a name longer than any', async (path) => `${path}${'x'.repeat(300)}`, 'ENAMETOOLONG'],
]
for (const [name, make, code] of noFolder) {
  test(`checkpoints: a folder that is ${name} is E_IO when it is opened`, async () => {
    const folder = await make(join(root, `no folder: ${name}`))
    await assert.rejects(openCheckpoints(folder), failure('E_IO', folder, code))
  })
}

const isRoot = process.getuid?.() === 0
test('checkpoints: a folder that may not be written', { skip: isRoot && 'root may write everywhere' }, async () => {
  const folder = join(root, 'read-only')
  await (await openCheckpoints(folder)).save(1, checkpoint(1))
  await fs.chmod(folder, 0o555)
  await assert.rejects(openCheckpoints(folder), failure('E_IO', folder, 'EACCES', 'another place'))
  assert.equal(await latestN(realDisk, folder), 1)
  await fs.chmod(folder, 0o755)
})

const isLinux = process.platform === 'linux'
test('checkpoints: the full disk that Linux has (/dev/full)', { skip: !isLinux && 'not Linux' }, async () => {
  const folder = join(root, 'full')
  await (await openCheckpoints(folder)).save(1, checkpoint(1))
  const open: Disk['open'] = async (path) => {
    await (await realDisk.open(path)).close()
    const file = await fs.open('/dev/full', 'w')
    const write = async (bytes: Uint8Array) => (await file.write(bytes)).bytesWritten
    return { write, fsync: () => file.sync(), close: () => file.close() }
  }
  const store = await openCheckpoints(folder, { disk: { ...realDisk, open } })
  await assert.rejects(store.save(2, checkpoint(2)), failure('E_IO', nameOf(2), 'ENOSPC', 'the disk is full'))
  assert.deepEqual(await fs.readdir(folder), [nameOf(1)])
  assert.equal(await latestN(realDisk, folder), 1)
})

/** A program that saves checkpoints 1, 2, ... of `floats` elements each and says so, line by line, until it is stopped. */
const saver = (folder: string, floats: number): string => `
  import { openCheckpoints } from '${new URL('../../src/saved/checkpoint-store.ts', import.meta.url)}'
  const store = await openCheckpoints('${folder}')
  for (let n = 1; ; n++) {
    const w = { shape: [${floats}], data: new Float32Array(${floats}).fill(n) }
    await store.save(n, { tensors: { w }, facts: { n } })
    console.log(n)
  }`
const flags = ['-C', 'fovea-source', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e']

test('checkpoints: a process that is killed at any moment', async () => {
  const folder = join(root, 'killed')
  const floats = 300_000
  let said = 0
  for (const lines of [1, 2, 5]) {
    const child = spawn(process.execPath, [...flags, saver(folder, floats).replace('n = 1', `n = ${said + 1}`)])
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
      if (text.split('\n').length > lines) child.kill('SIGKILL')
    })
    await new Promise((resolve) => child.on('close', resolve))
    said = Math.max(...text.split('\n').map(Number))
    const { checkpoint, skipped } = (await latestCheckpoint(folder))!
    assert.ok((checkpoint.facts['n'] as number) >= said && said > 0)
    assert.ok(checkpoint.tensors['w'].data.every((value) => value === checkpoint.facts['n']))
    assert.deepEqual(skipped, [])
    said = checkpoint.facts['n'] as number
  }
  await openCheckpoints(folder)
  assert.deepEqual((await fs.readdir(folder)).filter(isDraft), [])
})

test('checkpoints: a limit of the system within a file (ulimit -f)', { skip: !isLinux && 'not Linux' }, async () => {
  const folder = join(root, 'limited')
  await (await openCheckpoints(folder)).save(0, checkpoint(1))
  const limited = ['-c', 'ulimit -f 100; exec "$@"', 'sh', process.execPath, ...flags, saver(folder, 300_000)]
  const { status, stderr } = spawnSync('sh', limited, { encoding: 'utf8' })
  assert.notEqual(status, 0)
  assert.match(stderr, /E_IO/)
  assert.match(stderr, /cannot be written: got EFBIG; the file is larger than this system allows/)
  assert.deepEqual(await fs.readdir(folder), [nameOf(0)])
  assert.equal(await latestN(realDisk, folder), 1)
})
