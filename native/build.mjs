// node native/build.mjs [--asan]: compiles src/*.cc to build/fovea.node (with AddressSanitizer: build/asan/fovea.node).
// Plain JavaScript for any Node a machine may have (tried on 18 and 20): scripts/run.mjs uses it before Fovea's own is there.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BuildError, compiler, digest, findTools, headline, ownFlags, run } from './toolchain.mjs'

const own = fileURLToPath(import.meta.url)
const here = dirname(own)
const sources = join(here, 'src')

/** Ways to build it, each in a folder of its own. */
const variants = {
  release: { folder: join(here, 'build'), flags: ['-O3'] },
  asan: {
    folder: join(here, 'build/asan'),
    flags: ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'],
  },
}

/** A file named *.vector.cc is compiled once for each of these, in a namespace of its own; dispatch.cc looks which may run. */
const vectors = {
  baseline: [],
  ...(process.arch === 'x64' && {
    avx2: ['-mavx2', '-mfma'],
    avx512: [
      '-mavx512f',
      '-mavx512bw',
      '-mavx512dq',
      '-mavx512vl',
      '-mfma',
      '-mprefer-vector-width=512',
      '--param=vect-partial-vector-usage=1',
    ],
  }),
}

/** Nothing reads errno or floating-point traps; with these, square roots and floors become vector code. */
const quiet = ['-fno-math-errno', '-fno-trapping-math']

const common = [
  ...['-std=c++17', '-fopenmp', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra'],
  ...['-DNAPI_VERSION=9', '-DNODE_ADDON_API_CPP_EXCEPTIONS_ALL', '-DNODE_ADDON_API_DISABLE_DEPRECATED'],
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', // in a worker that is being ended nothing can be thrown
]

/** Where the addon lies once it is built. */
export const addonPath = (variant = 'release') => join(variants[variant].folder, 'fovea.node')

/** Whether what was built last, or failed to, is of the sources as they are: as a rule only by their dates. */
export function isCurrent(variant = 'release') {
  const known = recorded(variant)
  if (known.failed === undefined ? !isWhole(variant, known) : known.settings !== settings) return false
  const dates = datesNow()
  if (known.dates === dates) return true
  if (known.content !== contentNow()) return false
  record(variant, { ...known, dates }) // a copy or a checkout
  return true
}

/** Builds where that is needed and the tools are here; resolves to why there is no addon, if there is none. */
export async function ensureBuilt({ onStart = () => {} } = {}) {
  if (isCurrent()) return recorded('release').failed
  const { missing } = await findTools()
  if (missing) {
    discard('release')
    return undefined
  }
  onStart()
  return build().then(
    () => undefined,
    (error) => error.message,
  )
}

/** Compiles what has changed, and links; resolves to whether there was anything to do. */
export async function build(variant = 'release', onStart = () => {}) {
  const { folder, flags } = variants[variant]
  const now = { dates: datesNow(), content: contentNow(), settings }
  const { print, includes, missing } = await findTools()
  if (missing) {
    if (!isCurrent(variant)) discard(variant)
    throw new BuildError(missing)
  }
  mkdirSync(folder, { recursive: true })
  const units = unitsOf([...common, ...flags, ...includes, ...ownFlags], print)
  const objects = units.map(({ object }) => join(folder, object))
  const link = digest(...objects)
  const known = recorded(variant)
  if (known.link === link && isWhole(variant, known)) {
    record(variant, { ...known, ...now })
    return false
  }
  discard(variant)
  onStart()
  try {
    const waiting = units.filter(({ object }) => !existsSync(join(folder, object)))
    const compile = async () => {
      for (let unit = waiting.shift(); unit; unit = waiting.shift())
        await make(join(folder, unit.object), [...unit.args, '-c', join(sources, unit.name)])
    }
    await Promise.all(Array.from({ length: availableParallelism() }, compile))
    await make(addonPath(variant), [...objects, '-shared', '-fopenmp', ...flags, ...ownFlags, '-Wl,-z,now', '-ldnnl'])
  } catch (error) {
    record(variant, { ...now, failed: error.message })
    throw error
  }
  for (const name of readdirSync(folder))
    if (isLeftOver(name) && !objects.includes(join(folder, name))) drop(join(folder, name))
  record(variant, { ...now, link, bytes: sizeOf(addonPath(variant)) })
  return true
}

/** The linker's file as it left it: a shorter one would end the process that loads it (SIGBUS). */
const isWhole = (variant, { bytes }) => bytes !== undefined && sizeOf(addonPath(variant)) === bytes
const sizeOf = (path) => statSync(path, { throwIfNoEntry: false })?.size

/** What is to be compiled: an object's name tells all that went into it. */
function unitsOf(args, print) {
  const unit = (name, isa, all) => {
    const parts = [name.replace(/\.cc$/, ''), isa, digest(print, ...all, ...closure(name))]
    return { name, args: all, object: `${parts.filter(Boolean).join('.')}.o` }
  }
  return sourceNames()
    .filter((name) => name.endsWith('.cc'))
    .flatMap((name) => {
      if (!name.endsWith('.vector.cc')) return [unit(name, '', args)]
      return Object.entries(vectors).map(([isa, flags]) =>
        unit(name, isa, [...args, ...quiet, ...flags, `-DFOVEA_NAMESPACE=isa_${isa}`]),
      )
    })
}

/** The texts of a source and of what it includes from beside it. */
function closure(name, seen = new Map()) {
  if (!seen.has(name) && existsSync(join(sources, name))) {
    const text = readFileSync(join(sources, name), 'utf8')
    seen.set(name, text)
    for (const [, included] of text.matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) closure(included, seen)
  }
  return [...seen.values()]
}

/** Lets the compiler make a complete file or none, whoever else is building. */
async function make(output, args) {
  const draft = `${output}.${process.pid}.draft`
  const { failed, said } = await run(compiler, [...args, '-o', draft])
  if (failed) {
    drop(draft)
    throw new BuildError(headline(said).replaceAll(`${sources}/`, ''), said)
  }
  if (said) console.error(said.trimEnd()) // warnings
  renameSync(draft, output)
}

/** An object of older sources, or a draft of a build that was stopped. */
function isLeftOver(name) {
  const [, pid] = name.match(/\.(\d+)\.draft$/) ?? []
  return pid === undefined ? name.endsWith('.o') : !isRunning(Number(pid))
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const sourceNames = () =>
  readdirSync(sources)
    .filter((name) => /\.(cc|h|hpp|inl)$/.test(name))
    .sort()
const ingredients = () => [own, ...sourceNames().map((name) => join(sources, name))]
const settings = [compiler, ...ownFlags].join(' ')

function datesNow() {
  const looks = ingredients().map((path) => [path, statSync(path)])
  return digest(process.arch, ...looks.map(([path, { size, mtimeMs }]) => `${path} ${size} ${mtimeMs}`))
}

function contentNow() {
  return digest(process.arch, ...ingredients().flatMap((path) => [relative(here, path), readFileSync(path, 'utf8')]))
}

function recorded(variant) {
  try {
    return JSON.parse(readFileSync(join(variants[variant].folder, 'stamp.json'), 'utf8'))
  } catch {
    return {}
  }
}

function record(variant, facts) {
  try {
    writeFileSync(join(variants[variant].folder, 'stamp.json'), JSON.stringify(facts))
  } catch {} // a folder of someone else's: what is in it is looked at again next time
}

/** An old addon under new sources is worse than none. */
function discard(variant) {
  drop(addonPath(variant))
  drop(join(variants[variant].folder, 'stamp.json'))
}

const drop = (path) => rmSync(path, { force: true })

async function main(variant) {
  const start = performance.now()
  const done = await build(variant, () => console.error('native engine: compiling, half a minute or more'))
  const took = done ? `built in ${((performance.now() - start) / 1000).toFixed(1)} s` : 'up to date'
  const path = relative(process.cwd(), addonPath(variant))
  if (variant !== 'release') return `${took}, ${path}` // loads only where the sanitizer was loaded first
  const { onednn, isa, compiler: by } = createRequire(own)(addonPath(variant)).info()
  return `oneDNN ${onednn}, ${isa}, ${by}; ${took}, ${path}`
}

const USAGE =
  'usage: npm run native [-- --asan]: compiles native/src with $CXX (g++) and $CXXFLAGS where it has changed'

if (process.argv[1] && realpathSync(process.argv[1]) === own) {
  const [option, ...more] = process.argv.slice(2)
  if (more.length > 0 || (option !== undefined && option !== '--asan')) {
    console.error(USAGE)
    process.exit(option === '--help' || option === '-h' ? 0 : 2)
  }
  try {
    console.error(`native engine: ${await main(option ? 'asan' : 'release')}`)
  } catch (error) {
    if (error.log) console.error(error.log)
    console.error(`native engine: ${error.message}`)
    process.exitCode = 1
  }
}
