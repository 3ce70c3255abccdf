/** The native addon: what it says of the machine, or why it is not there. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'
import type { AddonInfo } from '../../../src/engines/native/addon.ts'
import * as browser from '../../../src/platform/browser.ts'
import { available } from '../../support/require.ts'

const { path: built, skip } = available('native')

mkdirSync('.cache', { recursive: true })
const folder = mkdtempSync(resolve('.cache/native-')) // inside the package, for its imports
after(() => rmSync(folder, { recursive: true }))

/** A process of its own, in an environment of its own, that finds the addon and prints `said`. */
function asked(said: string, env: NodeJS.ProcessEnv): { stdout: string; stderr: string } {
  const file = join(folder, 'look.ts')
  writeFileSync(
    file,
    `import { findAddon } from '../../src/engines/native/addon.ts'
    const found = findAddon()
    console.log(JSON.stringify(${said}))`,
  )
  const child = spawnSync(process.execPath, ['--conditions=fovea-source', file], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  assert.ok(child.stdout, child.stderr)
  return child
}

/** What it prints about the addon. */
const looked = (env: NodeJS.ProcessEnv): AddonInfo & { missing: string } =>
  JSON.parse(asked("'addon' in found ? found.addon.info() : found", env).stdout)

describe('what it says of the machine', { skip }, () => {
  const flags =
    readFileSync('/proc/cpuinfo', 'utf8')
      .match(/^flags\s*:.*/m)?.[0]
      .split(' ') ?? []
  /** The flag that Linux lists, what oneDNN is held to, and what the addon says then. */
  const rows: [flag: string, most: string, isa: string, bfloat16: boolean][] = [
    ['avx2', 'AVX2', 'AVX2', false],
    ['avx512bw', 'AVX512_CORE', 'AVX-512', true],
    ['avx512_bf16', 'AVX512_CORE_BF16', 'AVX-512, bfloat16', true],
    ['amx_bf16', 'ALL', 'AVX-512, AMX', true],
  ]
  for (const [flag, most, isa, bfloat16] of rows)
    test(`${isa}, at most`, { skip: !flags.includes(flag) && `this processor has no ${flag}` }, () => {
      const info = looked({ ONEDNN_MAX_CPU_ISA: most })
      assert.deepEqual([info.isa, info.bfloat16], [isa, bfloat16])
      assert.match(info.loops, /^(AVX-512|AVX2|SSE2)$/)
      assert.match(info.onednn, /^[23]\.\d+\.\d+$/)
      assert.match(info.compiler, /^g\+\+ \d/)
    })

  test('where oneDNN has no bfloat16, a mixed training is one in float32', () => {
    const step = `await (async () => {
      const { small, train } = await import('../../test/support/small-model.ts')
      const infos = []
      const callbacks = [{ onTrainBegin: (info) => void infos.push(info) }]
      await small({ engine: 'native', precision: 'mixed_bfloat16' }).fit(train, { steps: 1, callbacks })
      return infos[0]
    })()`
    const { engine, precision, askedPrecision } = JSON.parse(asked(step, { ONEDNN_MAX_CPU_ISA: 'AVX2' }).stdout)
    assert.match(engine, /^native: .*AVX2/)
    assert.deepEqual([precision, askedPrecision], ['float32', 'mixed_bfloat16'])
  })
})

describe('how long threads wait awake', { skip }, () => {
  /** What the environment says, what OpenMP takes, and what the process has of it afterwards. */
  const rows: [given: NodeJS.ProcessEnv, taken: string, left: string | null][] = [
    [{ GOMP_SPINCOUNT: undefined, OMP_WAIT_POLICY: undefined }, '10000', null],
    [{ GOMP_SPINCOUNT: '77', OMP_WAIT_POLICY: undefined }, '77', '77'],
    [{ GOMP_SPINCOUNT: undefined, OMP_WAIT_POLICY: 'passive' }, '0', null],
  ]
  for (const [given, taken, left] of rows)
    test(JSON.stringify(given), () => {
      const env = { ...given, OMP_DISPLAY_ENV: 'verbose' }
      const { stdout, stderr } = asked("process.env['GOMP_SPINCOUNT'] ?? null", env)
      assert.equal(stderr.match(/GOMP_SPINCOUNT = '(\d+)'/)?.[1], taken)
      assert.equal(JSON.parse(stdout), left)
    })
})

describe('why it is not there', () => {
  const write = (name: string, bytes: Uint8Array | string): string => {
    writeFileSync(join(folder, name), bytes)
    return join(folder, name)
  }
  const changed = (name: string, change: (bytes: Buffer) => void) => () => {
    const bytes = readFileSync(built)
    change(bytes)
    return write(name, bytes)
  }
  const half = () => {
    mkdirSync(join(folder, 'half'))
    const bytes = readFileSync(built)
    write('half/stamp.json', JSON.stringify({ bytes: bytes.length }))
    return write('half/fovea.node', bytes.subarray(0, bytes.length / 2))
  }
  const rows: [name: string, addon: () => string, words: RegExp, needs?: 'built'][] = [
    ['no file', () => join(folder, 'absent.node'), /^nothing at .*absent.node, which FOVEA_NATIVE_ADDON names$/],
    ['four bytes', () => write('four.node', '\x7fELF'), /does not load: .*four.node: file too short \(it is damaged\)/],
    // loading it would end the process
    [
      'half a file',
      () => half(),
      /half\/fovea.node is damaged: \d+ bytes of \d+; npm run native builds it again$/,
      'built',
    ],
    ['a text', () => write('text.node', 'x'.repeat(9999)), /does not load: .*another kind of machine/],
    [
      'another processor',
      changed('arm.node', (bytes) => bytes.writeUInt16LE(0xf3, 18)),
      /another kind of machine/,
      'built',
    ],
    [
      'no oneDNN',
      changed('moved.node', (bytes) => bytes.write('libdnnl.so.9', bytes.indexOf('libdnnl.so.'))),
      /does not load: libdnnl.so.9: cannot open.*oneDNN is not installed.*apt-get install libdnnl-dev.*npm run native/,
      'built',
    ],
  ]
  for (const [name, addon, words, needs] of rows)
    test(name, { skip: needs && skip }, () => {
      assert.match(looked({ FOVEA_NATIVE_ADDON: addon() }).missing, words)
    })

  test('a browser', () => {
    assert.deepEqual(browser.loadAddon(), { missing: 'browsers have no native code' })
  })
})
