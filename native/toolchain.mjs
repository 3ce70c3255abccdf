// The compiler and the headers that the addon is built with, as they are on this machine.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

const require = createRequire(import.meta.url)

/** As make has them: another compiler, more arguments for it. */
export const compiler = process.env.CXX || 'g++'
export const ownFlags = (process.env.CXXFLAGS ?? '').split(' ').filter(Boolean)

const HOW = 'apt-get install g++ libdnnl-dev'

/** Why there is no addon: one line, and in `log` all that the compiler said. */
export class BuildError extends Error {
  constructor(line, log = '') {
    super(line)
    this.log = log
  }
}

/** Where the headers are, and what tells these tools from others; or one line that says what is missing. */
export async function findTools() {
  if (process.platform !== 'linux') return { missing: 'the native engine is built on Linux only' }
  let packages
  try {
    packages = headerPackages()
  } catch {
    return { missing: 'the packages node-addon-api and node-api-headers are missing: npm install' }
  }
  // folders of a system give no warnings
  const includes = packages.flatMap(({ folder }) => ['-isystem', folder])
  const look = ['-E', '-dM', '-x', 'c++', '-std=c++17', ...ownFlags, ...includes]
  const plain = await run(compiler, [...look, '/dev/null'])
  if (plain.failed) return { missing: await whyNoCompiler(plain) }
  const all = await run(compiler, [...look, '-include', 'dnnl.hpp', '/dev/null'])
  if (all.failed) return { missing: `no headers of oneDNN (${headline(all.said)}): ${HOW}` }
  const [major, minor, patch] = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => all.out.match(`#define DNNL_VERSION_${part} (\\d+)`)?.[1],
  )
  if (major !== '2')
    return {
      missing: `oneDNN ${major}.${minor}.${patch} is here, the native engine is written for 2.x (tested with 2.6.3): CXXFLAGS='-I<include> -L<lib>' points to one`,
    }
  return { includes, print: digest(all.out, ...packages.map(({ version }) => version)) }
}

/** Is it the compiler itself, or what the environment asks of it? */
async function whyNoCompiler({ said }) {
  if (ownFlags.length > 0 && !(await run(compiler, ['--version'])).failed)
    return `${compiler} refuses CXXFLAGS='${ownFlags.join(' ')}' (${headline(said)}): unset or correct it`
  const given = process.env.CXX ? `, which CXX names: unset it, or ${HOW}` : `: ${HOW}`
  return `no C++ compiler (${headline(said)})${given}`
}

/** Neither needs the headers of a whole Node: an addon of Node-API runs on every one. */
function headerPackages() {
  const read = (name) => ({ at: require.resolve(`${name}/package.json`), ...require(`${name}/package.json`) })
  const [addonApi, headers] = ['node-addon-api', 'node-api-headers'].map(read)
  return [
    { folder: dirname(addonApi.at), version: addonApi.version },
    { folder: require('node-api-headers').include_dir, version: headers.version },
  ]
}

/** Runs a command to its end. */
export function run(command, args) {
  return new Promise((resolve) => {
    const options = { maxBuffer: 2 ** 26, env: { ...process.env, LC_ALL: 'C' } }
    execFile(command, args, options, (failed, out, said) => {
      resolve({ failed, out, said: said || (failed ? failed.message : '') })
    })
  })
}

/** The one line that says what went wrong. */
export function headline(said) {
  const lines = said.split('\n')
  return (lines.find((line) => /error|cannot|undefined|ENOENT/.test(line)) ?? lines[0]).trim()
}

export function digest(...texts) {
  return createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 16)
}
