/** How the native addon is built: what is compiled again, and what is said where the tools are missing. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'
import { available } from '../../support/require.ts'

const { skip } = available('native')

mkdirSync('.cache', { recursive: true })
const folder = mkdtempSync(resolve('.cache/build-native-')) // inside the package: it finds node-addon-api
after(() => rmSync(folder, { recursive: true }))

/** A copy of the package with sources of its own. */
const workshop = join(folder, 'native')
const source = (name: string, text: string): void => writeFileSync(join(workshop, 'src', name), text)
for (const name of ['build.mjs', 'toolchain.mjs']) cpSync(join('native', name), join(workshop, name))
mkdirSync(join(workshop, 'src'))
const addon = `
  #include <dnnl.hpp>
  #include <napi.h>
  #include "words.h"
  static Napi::Value info(const Napi::CallbackInfo& call) { return Napi::String::New(call.Env(), WORDS); }
  static Napi::Object fill(Napi::Env env, Napi::Object target) {
    target["info"] = Napi::Function::New(env, info);
    return target;
  }
  NODE_API_MODULE(workshop, fill)`
source('addon.cc', addon)
source('words.h', '#define WORDS "first"')
source('sum.vector.cc', 'namespace FOVEA_NAMESPACE { int sum(int a, int b) { return a + b; } }')

/** All that is looked at of a oneDNN of another version. */
const newer = join(folder, 'newer')
mkdirSync(newer)
const version = ['MAJOR 3', 'MINOR 4', 'PATCH 1'].map((part) => `#define DNNL_VERSION_${part}\n`)
writeFileSync(join(newer, 'dnnl.hpp'), version.join(''))

const log = join(folder, 'compiled')
const logging = join(folder, 'g++')
writeFileSync(logging, `#!/bin/sh\ncase "$*" in *" -c "*) echo "$*" >> ${log};; esac\nexec g++ "$@"\n`, { mode: 0o755 })

interface Build {
  readonly status: number | null
  readonly said: string
  /** The sources that were compiled, with their namespaces. */
  readonly compiled: readonly string[]
}

function build(env: NodeJS.ProcessEnv = {}): Build {
  writeFileSync(log, '')
  const { status, stderr } = node([join(workshop, 'build.mjs')], { CXX: logging, ...env })
  const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean)
  const compiled = lines.map((line) =>
    [/[\w.]+\.cc/, /isa_\w+/]
      .map((part) => line.match(part)?.[0] ?? '')
      .join(' ')
      .trim(),
  )
  return { status, said: stderr, compiled: compiled.sort() }
}

function node(args: readonly string[], env: NodeJS.ProcessEnv) {
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } })
}

/** What `npm start` does first: the reason it goes on with, and whether it said that it builds. */
function ensured(env: NodeJS.ProcessEnv = {}): { failure?: string; started: boolean } {
  const program = `
    import { ensureBuilt } from ${JSON.stringify(join(workshop, 'build.mjs'))}
    let started = false
    const failure = await ensureBuilt({ onStart: () => (started = true) })
    console.log(JSON.stringify({ failure, started }))`
  return JSON.parse(node(['--input-type=module', '-e', program], { CXX: logging, ...env }).stdout)
}

describe('without the tools: one line, and the way out', () => {
  const rows: [name: string, env: NodeJS.ProcessEnv, words: RegExp][] = [
    [
      'no compiler',
      { CXX: '/nonexistent' },
      /^native engine: no C\+\+ compiler \(.*nonexistent.*CXX names: unset it, or apt-get install g\+\+ libdnnl-dev$/m,
    ],
    [
      'a wrong argument',
      { CXX: 'g++', CXXFLAGS: '-O2 --wrong' },
      /^native engine: g\+\+ refuses CXXFLAGS='-O2 --wrong' \(.*--wrong.*\): unset or correct it$/m,
    ],
    [
      'no headers',
      { CXX: 'g++', CXXFLAGS: '-nostdinc' },
      /^native engine: no headers of oneDNN .*apt-get install g\+\+ libdnnl-dev$/m,
    ],
    [
      'another oneDNN',
      { CXX: 'g++', CXXFLAGS: `-I${newer}` },
      /^native engine: oneDNN 3.4.1 is here, the native engine is written for 2.x \(tested with 2.6.3\): CXXFLAGS=.* points to one$/m,
    ],
  ]
  for (const [name, env, words] of rows)
    test(name, { skip: name !== 'no compiler' && skip }, () => {
      const { status, said } = build(env)
      assert.equal(status, 1)
      assert.match(said, words)
      assert.equal(said.trim().split('\n').length, 1)
      assert.deepEqual(ensured(env), { started: false })
    })
})

test('compiles what has changed, and nothing else', { skip, timeout: 300_000 }, () => {
  const vectors = process.arch === 'x64' ? ['avx2', 'avx512', 'baseline'] : ['baseline']
  const all = ['addon.cc', ...vectors.map((isa) => `sum.vector.cc isa_${isa}`)]
  const made = (words: string) => assert.equal(info(), words)

  assert.deepEqual(build().compiled, all)
  made('first')
  assert.deepEqual(build().compiled, [])
  source('words.h', '#define WORDS "second"')
  assert.deepEqual(build().compiled, ['addon.cc'])
  made('second')
  truncateSync(join(workshop, 'build/fovea.node'), 5000)
  assert.deepEqual(build().compiled, [])
  made('second')
  source('sum.vector.cc', 'namespace FOVEA_NAMESPACE { int sum(int a, int b) { return b + a; } }')
  assert.deepEqual(build().compiled, all.slice(1))
  assert.deepEqual(ensured(), { started: false })
  source('words.h', '#define WORDS "third"')
  assert.deepEqual(ensured(), { started: true })
  made('third')
  source('words.h', readFileSync(join(workshop, 'src/words.h'), 'utf8')) // another date, the same text
  assert.deepEqual(ensured(), { started: false })

  source('words.h', '#error on purpose')
  assert.deepEqual(ensured(), { failure: 'words.h:1:2: error: #error on purpose', started: true })
  assert.deepEqual(ensured(), { failure: 'words.h:1:2: error: #error on purpose', started: false }) // not again and again
  assert.ok(!existsSync(join(workshop, 'build/fovea.node')), 'an old addon under new sources')
  const { status, said } = build()
  assert.deepEqual(
    [status, said.trim().split('\n').at(-1)],
    [1, 'native engine: words.h:1:2: error: #error on purpose'],
  )
  source('words.h', '#define WORDS "second"')
  assert.deepEqual(ensured(), { started: true })
  made('second')
})

test('tells what it takes', () => {
  const rows: [words: string[], status: number][] = [
    [['--help'], 0],
    [['--force'], 2],
    [['--asan', 'more'], 2],
  ]
  for (const [words, status] of rows) {
    const child = node([join(workshop, 'build.mjs'), ...words], {})
    assert.deepEqual([child.status, child.stderr.match(/^usage: npm run native \[-- --asan\]/)?.length], [status, 1])
  }
})

/** What the addon of the workshop says, in a process of its own. */
function info(): string {
  const program = `console.log(require(${JSON.stringify(join(workshop, 'build/fovea.node'))}).info())`
  const { stdout, stderr } = node(['-e', program], {})
  assert.equal(stderr, '')
  return stdout.trim()
}
