/** Which engine is taken, and how it is opened. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { engineNames, engines, openEngine, sharedEngine } from '../../src/engines/index.ts'
import { fastEngines } from '../support/engines.ts'

/** Runs a module in a process of its own, with this environment; what it prints. */
async function inNode(body: string, env: Record<string, string>, flags: readonly string[] = []): Promise<string> {
  const head = [
    '--disable-warning=ExperimentalWarning',
    '--conditions=fovea-source',
    ...flags,
    '--input-type=module-typescript',
  ]
  const child = spawn(process.execPath, [...head, '-e', body], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return (await text(child.stdout)).trim()
}

const open = (choice: string): string => `
  import { openEngine } from './src/engines/index.ts'
  const { name } = await openEngine(${choice}).catch(({ code, message }) => ({ name: code + ' ' + message }))
  console.log(name)
  process.exit(0)`

const best = fastEngines.includes('native') ? 'native' : 'wasm'
const none = { FOVEA_NATIVE_ADDON: '/nowhere/fovea.node' }
const rows: readonly [title: string, env: Record<string, string>, choice: string, says: RegExp][] = [
  ['nothing: the best one', { FOVEA_ENGINE: '' }, '{}', new RegExp(`^${best}$`)],
  ['auto: the best one', { FOVEA_ENGINE: 'auto' }, '{}', new RegExp(`^${best}$`)],
  ['another one', { FOVEA_ENGINE: 'reference' }, '{}', /^reference$/],
  ["another one, for 'auto' too", { FOVEA_ENGINE: 'reference' }, `{ engine: 'auto' }`, /^reference$/],
  ['one, and the call another', { FOVEA_ENGINE: 'reference' }, `{ engine: 'wasm' }`, /^wasm$/],
  [
    'no engine',
    { FOVEA_ENGINE: 'wsam' },
    '{}',
    /^E_OPTION FOVEA_ENGINE: no engine .*expected auto, native, .*'wsam'.*'wasm'/,
  ],
  ['no engine, and the call one', { FOVEA_ENGINE: 'wsam' }, `{ engine: 'wasm' }`, /^wasm$/],
  [
    'one that is not here',
    { FOVEA_ENGINE: 'native', ...none },
    '{}',
    /^E_ENGINE native, which FOVEA_ENGINE names: .*nowhere/,
  ],
  ['nothing, and the call one that is not here', none, `{ engine: 'native' }`, /^E_ENGINE native: .*nowhere/],
]
for (const [title, env, choice, says] of rows)
  test(`FOVEA_ENGINE says ${title}`, async () => assert.match(await inNode(open(choice), env), says))

const hosts: readonly [title: string, before: string, flags: readonly string[], says: RegExp][] = [
  ['without WebAssembly', 'delete globalThis.WebAssembly', [], /^E_ENGINE wasm: .*no WebAssembly/],
  ['without shared memory: one thread', 'delete globalThis.SharedArrayBuffer', [], /^wasm$/],
  [
    'without workers',
    '',
    ['--permission', '--allow-fs-read=*'],
    /^E_ENGINE wasm: a worker did not start: .*--allow-worker/,
  ],
]
for (const [title, before, flags, says] of hosts)
  test(`wasm on a host ${title}`, async () =>
    assert.match(await inNode(before + open(`{ engine: 'wasm' }`), {}, flags), says))

test('an engine is opened once for all who ask at the same time, and again when it was closed', async () => {
  const choice = { engine: 'wasm', threads: 4 } as const
  const ask = () => Promise.all(Array.from({ length: 5 }, () => sharedEngine(choice)))
  const first = await ask()
  assert.equal(new Set(first).size, 1)
  await first[0].close()
  const second = await ask()
  assert.equal(new Set(second).size, 1)
  assert.notEqual(second[0], first[0])
  await second[0].close()
})

test('what an engine needs to know before it is opened may come later, as with the adapter of a GPU', async () => {
  const { wasm } = engines
  let opened = 0
  const slow = {
    ...wasm,
    missing: async () => undefined,
    open: async (threads: number) => {
      opened++
      await new Promise((done) => setTimeout(done, 20))
      return wasm.open(threads)
    },
  }
  const table = engines as { wasm: typeof wasm }
  table.wasm = slow
  after(() => {
    table.wasm = wasm
  })
  const [one, two] = await Promise.all([5, 5].map((threads) => sharedEngine({ engine: 'wasm', threads })))
  assert.equal(one, two)
  assert.equal(opened, 1)
  table.wasm = { ...slow, missing: async () => 'no adapter' }
  await assert.rejects(openEngine({ engine: 'wasm' }), /wasm: the engine is not available: got no adapter/)
  table.wasm = { ...slow, open: () => Promise.reject(new Error('lost')) }
  await assert.rejects(sharedEngine({ engine: 'wasm', threads: 6 }), /lost/)
  table.wasm = slow
  const again = await sharedEngine({ engine: 'wasm', threads: 6 })
  await Promise.all([one.close(), again.close()])
})

test('every engine says how memory is to be placed', async () => {
  for (const name of engineNames) {
    if ((await engines[name].missing()) !== undefined) continue
    const engine = await openEngine({ engine: name, threads: 1 })
    const { alignment, slack } = engine.memoryRules
    assert.ok(alignment > 0 && slack >= 0, name)
    await engine.close()
  }
})
