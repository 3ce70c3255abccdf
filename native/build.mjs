// node native/build.mjs [--asan]: compiles src/*.cc to build/fovea.node (build/asan/fovea.node, with AddressSanitizer).
// Plain JavaScript for any Node a machine may have (tried on 20): scripts/run.mjs uses it before Fovea's own Node is there.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const sources = join(here, 'src')
const require = createRequire(import.meta.url)
const compiler = process.env.CXX || 'g++'
const ownFlags = (process.env.CXXFLAGS ?? '').split(' ').filter(Boolean)

/** Ways to build it, each in a folder of its own. */
const variants = {
  release: { folder: join(here, 'build'), flags: ['-O3'] },
  asan: {
    folder: join(here, 'build/asan'),
    flags: ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'],
  },
}

/** A file named *.vector.cc is compiled once for each of these, in a namespace of its own; it is chosen from at run time. */
const vectors = {
  baseline: [],
  ...(process.arch === 'x64' && {
    avx2: ['-mavx2', '-mfma', '-mf16c', '-mbmi2'],
    avx512: [
      ...['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma', '-mf16c', '-mbmi2'],
      '-mprefer-vector-width=512',
    ],
  }),
}

const language = ['-std=c++17', '-fopenmp', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra']
const defines = ['-DNAPI_VERSION=9', '-DNODE_ADDON_API_CPP_EXCEPTIONS_ALL', '-DNODE_ADDON_API_DISABLE_DEPRECATED']

/** Why it was not built: one line, and where there is more to read all that the compiler said. */
export class BuildError extends Error {
  constructor(line, log = '') {
    super(line)
    this.log = log
  }
}

/** Where the addon of a variant lies once it is built. */
export function addonPath(variant = 'release') {
  return join(variants[variant].folder, 'fovea.node')
}

/** Whether an addon was built, or failed to build, from the sources as they are: a look at their dates and sizes. */
export function isCurrent(variant = 'release') {
  const { stamp, failed } = recorded(variant)
  return stamp === dates() && (failed !== undefined || existsSync(addonPath(variant)))
}

/** The line that the last build failed with, if it failed. */
export function lastFailure(variant = 'release') {
  return recorded(variant).failed
}

/** The tools as they are here: what tells them from others and oneDNN's version, or one line that says what is missing. */
export async function tools() {
  if (process.platform !== 'linux') return { missing: 'the native engine is built on Linux alone' }
  let includes
  try {
    includes = headers()
  } catch {
    return { missing: 'the packages node-addon-api and node-api-headers are not installed: npm install' }
  }
  const way = 'apt-get install g++ libdnnl-dev'
  const look = ['-E', '-dM', '-x', 'c++', ...language, ...ownFlags, ...includes]
  const plain = await run(compiler, [...look, '/dev/null'])
  if (plain.failed) return { missing: `no C++ compiler (${compiler}: ${firstLine(plain)}): ${way}` }
  const all = await run(compiler, [...look, '-include', 'dnnl.hpp', '-include', 'node_api.h', '/dev/null'])
  if (all.failed) return { missing: `no oneDNN headers (${firstLine(all)}): ${way}` }
  const part = (name) => /** @type {RegExpMatchArray} */ (all.out.match(`define DNNL_VERSION_${name} (\\d+)`))?.[1]
  return { print: digest(all.out), onednn: ['MAJOR', 'MINOR', 'PATCH'].map(part).join('.'), includes }
}

/** Compiles what has changed and links; resolves to whether anything had to be done. Throws a BuildError. */
export async function build(variant = 'release') {
  const stamp = dates()
  const { folder, flags } = variants[variant]
  const { print, includes, missing } = await tools()
  if (missing) throw new BuildError(missing)
  mkdirSync(folder, { recursive: true })

  const common = [...language, ...defines, ...includes, ...flags, ...ownFlags]
  const units = sourceFiles()
    .filter((name) => name.endsWith('.cc'))
    .flatMap((name) =>
      name.endsWith('.vector.cc')
        ? Object.entries(vectors).map(([isa, more]) => unit(name, isa, [...common, ...more, ...isaDefines(isa)]))
        : [unit(name, '', common)],
    )
  function unit(name, isa, args) {
    const id = digest([print, ...args, ...closure(name)].join('\0'))
    return { name, args, object: `${[name.replace(/\.cc$/, ''), isa, id].filter(Boolean).join('.')}.o` }
  }

  const link = digest(units.map(({ object }) => object).join())
  if (recorded(variant).link === link && existsSync(addonPath(variant))) {
    record(variant, { stamp, link })
    return false
  }
  rmSync(addonPath(variant), { force: true }) // an old addon under new sources is worse than none
  try {
    const waiting = units.filter(({ object }) => !existsSync(join(folder, object)))
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const { name, args, object } = next
        await make(join(folder, object), [...args, '-c', join(sources, name)])
      }
    }
    await Promise.all(Array.from({ length: availableParallelism() }, work))
    const objects = units.map(({ object }) => join(folder, object))
    const shared = ['-shared', '-fopenmp', ...flags, ...ownFlags, '-Wl,-z,now', ...objects, '-ldnnl']
    await make(addonPath(variant), shared)
  } catch (error) {
    record(variant, { stamp, failed: error.message })
    throw error
  }
  for (const name of readdirSync(folder))
    if (name.endsWith('.o') && !units.some(({ object }) => object === name)) rmSync(join(folder, name))
  record(variant, { stamp, link })
  return true
}

const isaDefines = (isa) => [`-DFOVEA_ISA=${isa}`, `-DFOVEA_NAMESPACE=isa_${isa}`]

/** The folders of headers that no distribution installs; as system folders they give no warnings. */
function headers() {
  const addonApi = dirname(require.resolve('node-addon-api/package.json'))
  return [addonApi, require('node-api-headers').include_dir].flatMap((folder) => ['-isystem', folder])
}

function sourceFiles() {
  return readdirSync(sources)
    .filter((name) => /\.(cc|h)$/.test(name))
    .sort()
}

/** What tells one state of the sources and settings from another without reading them. */
function dates() {
  const files = [...sourceFiles().map((name) => join(sources, name)), fileURLToPath(import.meta.url)]
  const looks = files.map((path) => `${path} ${statSync(path).size} ${statSync(path).mtimeMs}`)
  return digest([process.arch, compiler, ...ownFlags, ...looks].join('\n'))
}

/** The texts of a source and of all files beside it that it includes. */
function closure(name, seen = new Map()) {
  if (seen.has(name) || !existsSync(join(sources, name))) return [...seen.values()]
  const text = readFileSync(join(sources, name), 'utf8')
  seen.set(name, text)
  for (const [, included] of text.matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) closure(included, seen)
  return [...seen.values()]
}

/** Runs the compiler so that its output is there whole or not at all, whoever else is building. */
async function make(output, args) {
  const draft = `${output}.${process.pid}`
  const done = await run(compiler, [...args, '-o', draft])
  if (done.failed) {
    rmSync(draft, { force: true })
    throw new BuildError(firstLine(done), done.error)
  }
  if (done.error) console.error(done.error.trimEnd()) // warnings
  renameSync(draft, output)
}

function run(command, args) {
  return new Promise((resolve) => {
    execFile(command, args, { maxBuffer: 2 ** 26, env: { ...process.env, LC_ALL: 'C' } }, (failed, out, error) =>
      resolve({ failed, out, error: error || (failed ? failed.message : '') }),
    )
  })
}

/** The line that says what went wrong, without the folder. */
function firstLine({ error }) {
  const lines = error.split('\n')
  return (lines.find((line) => /error|cannot|undefined|ENOENT/.test(line)) ?? lines[0])
    .replaceAll(`${sources}/`, '')
    .trim()
}

function recorded(variant) {
  try {
    return JSON.parse(readFileSync(join(variants[variant].folder, 'stamp.json'), 'utf8'))
  } catch {
    return {}
  }
}

function record(variant, facts) {
  writeFileSync(join(variants[variant].folder, 'stamp.json'), JSON.stringify(facts))
}

function digest(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const variant = process.argv.includes('--asan') ? 'asan' : 'release'
  try {
    const start = performance.now()
    const done = await build(variant)
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.error(`${addonPath(variant)}: ${done ? `built in ${seconds} s` : 'up to date'}`)
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    console.error(error.log || '')
    console.error(`the native engine was not built: ${error.message}`)
    process.exitCode = 1
  }
}
