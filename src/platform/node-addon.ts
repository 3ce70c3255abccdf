/** The native addon as Node loads it: what was built beside the sources or `dist/`, or what FOVEA_NATIVE_ADDON names. */

import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../base/realm.ts'
import type { LoadedAddon } from './addon.ts'

/** What the system's loader may say, and what that means. */
const meanings: readonly [said: RegExp, meaning: string][] = [
  [/libdnnl|libgomp/, 'oneDNN is not installed, or another version of it: apt-get install libdnnl-dev'],
  // of an intact file for another processor Linux says that it is not there
  [/file too short/, 'it is damaged'],
  [/ELF|Exec format|\.node: cannot open/, 'it was built for another kind of machine'],
  [/GLIBC|CXXABI|relocating|shared library|cannot open shared object/, 'it was built on another system'],
]

/** What FOVEA_NATIVE_LOOPS may hold the addon's own loops to. */
const loops = ['baseline', 'avx2', 'avx512']

/** Loads the addon, once in a process; whatever prevents it is a reason, not an error. */
export function loadAddon(): LoadedAddon {
  const given = process.env['FOVEA_NATIVE_ADDON']
  const path = resolve(given || fileURLToPath(new URL('../../native/build/fovea.node', import.meta.url)))
  const build = import.meta.url.endsWith('.ts') ? 'npm run native' : 'npx fovea native'
  const held = process.env['FOVEA_NATIVE_LOOPS']
  if (held && !loops.includes(held)) return { missing: `FOVEA_NATIVE_LOOPS: expected ${loops.join(', ')}, got ${held}` }
  const require = createRequire(import.meta.url)
  const loaded = require.cache[path]
  if (loaded) return { addon: loaded.exports } // a process that gave up its rights may no longer see the file
  if (!existsSync(path)) return { missing: whyAbsent(path, build, given !== undefined && given !== '') }
  const { bytes } = stampOf(path)
  if (bytes !== undefined && statSync(path).size !== bytes)
    return { missing: `${path} is damaged: ${statSync(path).size} bytes of ${bytes}; ${build} builds it again` }
  try {
    return { addon: withShortWaits(() => require(path)) }
  } catch (error) {
    const said = messageOf(error).split('\n')[0]
    const meaning = meanings.find(([pattern]) => pattern.test(said))?.[1]
    return { missing: `does not load: ${said}${meaning ? ` (${meaning})` : ''}; ${build} builds it for this machine` }
  }
}

/**
 * Threads that wait for each other soon go to sleep. OpenMP by itself lets them spin for milliseconds, which takes the
 * processor from the process that they wait for: beside other busy processes a LeNet step took four times as long. OpenMP reads the
 * variable once, when the addon brings it in; processes that are started later do not see it.
 */
function withShortWaits<T>(load: () => T): T {
  const { env } = process
  if (env['GOMP_SPINCOUNT'] !== undefined || env['OMP_WAIT_POLICY'] !== undefined) return load()
  env['GOMP_SPINCOUNT'] = '10000'
  try {
    return load()
  } finally {
    delete env['GOMP_SPINCOUNT']
  }
}

function whyAbsent(path: string, build: string, isGiven: boolean): string {
  if (isGiven) return `nothing at ${path}, which FOVEA_NATIVE_ADDON names`
  if (process.platform !== 'linux') return 'built on Linux only'
  const { failed } = stampOf(path)
  if (failed !== undefined) return `does not build: ${failed}; ${build} says more`
  return `not built; ${build} builds it, with g++ and oneDNN (apt-get install g++ libdnnl-dev)`
}

/** What the build left beside the addon that it made: how large it is, or what the last build failed with. */
function stampOf(path: string): { readonly bytes?: number; readonly failed?: string } {
  if (basename(path) !== 'fovea.node') return {}
  try {
    return JSON.parse(readFileSync(join(dirname(path), 'stamp.json'), 'utf8')) ?? {}
  } catch {
    return {}
  }
}
