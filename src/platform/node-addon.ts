/** The native addon as Node loads it: from `native/build/` beside the sources or `dist/`, or from where FOVEA_NATIVE_ADDON says. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LoadedAddon } from './addon.ts'

/** What the system's loader says, and what to do about it. */
const reasons: readonly [said: RegExp, hint: string][] = [
  [/libdnnl|libgomp/, 'install oneDNN: apt-get install libdnnl-dev'],
  [/ELF|file format|Exec format/, 'it was built for another kind of machine'],
  [/GLIBC|CXXABI|relocating|shared library/, 'it was built on another system'],
]

/** Loads the addon, once in a process; whatever goes wrong is a reason and no error. */
export function loadAddon(): LoadedAddon {
  const built = fileURLToPath(new URL('../../native/build/fovea.node', import.meta.url))
  const path = resolve(process.env['FOVEA_NATIVE_ADDON'] || built)
  const build = import.meta.url.endsWith('.ts') ? 'npm run native' : 'fovea native'
  if (!existsSync(path)) return { missing: `not built: ${build} builds it (with g++ and oneDNN)` }
  try {
    return { addon: createRequire(import.meta.url)(path) }
  } catch (error) {
    const said = error instanceof Error ? error.message.split('\n')[0] : String(error)
    const hint = reasons.find(([pattern]) => pattern.test(said))?.[1]
    return { missing: `does not load: ${said}${hint ? `; ${hint}` : ''}; ${build} builds it anew` }
  }
}
