/** Which engines there are, and the best one here. */
import { environment, hardwareThreads } from '#platform'
import { didYouMean, FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { choice, integer, settle } from '../base/options.ts'
import type { Engine } from '../compile/engine.ts'
import { precisions } from '../compile/precision.ts'
import { missingAddon, mostThreads } from './native/addon.ts'
import { nativeEngine } from './native/engine.ts'
import { referenceEngine } from './reference/engine.ts'
import { wasmEngine } from './wasm/engine.ts'
import { hasSimd } from './wasm/host.ts'

/** What is known of an engine before it is opened; to find out may take a while, as with an adapter of a GPU. */
export interface EngineRow {
  readonly says: string
  /** Why it cannot run here, or undefined when it can. */
  readonly missing: () => string | undefined | Promise<string | undefined>
  /** The most threads that the system lets it have. */
  readonly most?: () => number
  readonly open: (threads: number) => Engine | Promise<Engine>
}

/** Best first. */
const rows = {
  native: {
    says: 'oneDNN and kernels of its own behind a Node-API addon',
    missing: missingAddon,
    most: mostThreads,
    open: (threads) => nativeEngine({ threads }),
  },
  wasm: {
    says: 'WebAssembly SIMD generated per program, worker threads; nothing to install',
    missing: () => (hasSimd() ? undefined : 'this host has no WebAssembly SIMD'),
    open: (threads) => wasmEngine({ threads }),
  },
  reference: {
    says: 'plain loops in float64: to compare with, for teaching and debugging',
    missing: () => undefined,
    open: () => referenceEngine(),
  },
} satisfies Record<string, EngineRow>

export type EngineName = keyof typeof rows
export const engineNames = Object.keys(rows) as EngineName[]
export const engines: Readonly<Record<EngineName, EngineRow>> = rows

const openOptions = {
  engine: choice(['auto', ...engineNames], {
    says: 'what computes; auto: what FOVEA_ENGINE names, else the best one here',
    optional: true,
  }),
  threads: integer({
    says: 'computing threads; all that the machine has when absent',
    min: 1,
    max: 64,
    optional: true,
  }),
}
export type EngineSettings = Options<typeof openOptions>

/** Options that choose an engine and how it computes; the same for the library and the command. */
export const engineOptions = {
  ...openOptions,
  precision: choice(precisions, {
    says: 'mixed_bfloat16: convolutions and matrix products in bfloat16, weights and sums in float32',
    optional: true,
  }),
}
export type EngineChoice = Options<typeof engineOptions>

/** The environment variable that says what `auto` means. */
const VARIABLE = 'FOVEA_ENGINE'

/** What FOVEA_ENGINE names; undefined where it says nothing, or `auto`. Throws E_OPTION where it names no engine. */
function namedByEnvironment(): EngineName | undefined {
  const got = environment(VARIABLE)
  const name = engineNames.find((engine) => engine === got)
  if (name || got === undefined || got === 'auto') return name
  const hint = didYouMean(got, engineNames)
  const expected = ['auto', ...engineNames].join(', ')
  throw new FoveaError('E_OPTION', {
    what: 'no engine has this name',
    where: VARIABLE,
    expected,
    got: `'${got}'`,
    ...(hint && { hint }),
  })
}

/** The first of these engines that is here; the others are not asked. */
async function firstHere(names: readonly EngineName[]): Promise<EngineName | undefined> {
  for (const name of names) if ((await engines[name].missing()) === undefined) return name
  return undefined
}

/**
 * The engine that `auto` means: the one that FOVEA_ENGINE names, else the best one here. Throws E_OPTION where the
 * variable names no engine, E_ENGINE where it names one that is not here.
 */
export async function autoEngine(): Promise<EngineName> {
  const named = namedByEnvironment()
  const found = named ?? (await firstHere(engineNames))
  if (!found) throw new FoveaError('E_ENGINE', { what: 'no engine runs here' })
  if (named) await refuseMissing(named, `${named}, which ${VARIABLE} names`)
  return found
}

async function refuseMissing(name: EngineName, where: string): Promise<void> {
  const got = await engines[name].missing()
  if (got !== undefined) throw new FoveaError('E_ENGINE', { what: 'the engine is not available', where, got })
}

/** The engine and threads that a choice means here. */
async function resolved(given: EngineSettings): Promise<{ name: EngineName; threads: number }> {
  const { engine = 'auto', threads } = settle(openOptions, given, 'engine')
  const name = engine === 'auto' ? await autoEngine() : engine
  if (engine !== 'auto') await refuseMissing(name, name)
  return { name, threads: threads ?? Math.min(hardwareThreads(), engines[name].most?.() ?? Infinity) }
}

/** Opens an engine of your own; close it when done. Throws E_ENGINE where it cannot run. */
export async function openEngine(given: EngineSettings = {}): Promise<Engine> {
  const { name, threads } = await resolved(given)
  return engines[name].open(threads)
}

const shared = new Map<string, Promise<Engine>>()

/**
 * The engine that all models share for the same choice. It is opened at first use, once however many ask at the same
 * time, and again when it was closed, has died or did not open; its workers never keep the process alive.
 */
export async function sharedEngine(given: EngineSettings = {}): Promise<Engine> {
  const { name, threads } = await resolved(given)
  const key = `${name} ${threads}`
  for (;;) {
    const known = shared.get(key)
    if (!known) break
    const engine = await known
    if (engine.isOpen) return engine
    if (shared.get(key) === known) shared.delete(key) // another call may have opened it again meanwhile
  }
  const opening = Promise.resolve(engines[name].open(threads))
  shared.set(key, opening)
  opening.catch(() => shared.delete(key))
  return opening
}
