/** Which engines there are, and the best one here. */
import { hardwareThreads } from '#platform'
import { FoveaError } from '../base/errors.ts'
import type { Options } from '../base/options.ts'
import { choice, integer, settle } from '../base/options.ts'
import type { Engine } from '../compile/engine.ts'
import { precisions } from '../compile/precision.ts'
import { missingAddon, mostThreads } from './native/addon.ts'
import { nativeEngine } from './native/engine.ts'
import { referenceEngine } from './reference/engine.ts'
import { wasmEngine } from './wasm/engine.ts'
import { hasSimd } from './wasm/host.ts'

interface EngineRow {
  readonly says: string
  /** Why it cannot run here, or undefined when it can. */
  readonly missing: () => string | undefined
  /** The most threads that the system lets it have. */
  readonly most?: () => number
  readonly open: (threads: number) => Engine
}

/** Best first. */
export const engines = {
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
    says: 'plain loops in float64: the truth, for teaching and debugging',
    missing: () => undefined,
    open: () => referenceEngine(),
  },
} as const satisfies Record<string, EngineRow>

export type EngineName = keyof typeof engines
export const engineNames = Object.keys(engines) as EngineName[]

const openOptions = {
  engine: choice(['auto', ...engineNames], { says: 'what computes; auto: the best one here', optional: true }),
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

/** The engine and threads that a choice stands for here. */
function resolved(given: EngineSettings): { name: EngineName; threads: number } {
  const { engine = 'auto', threads } = settle(openOptions, given, 'engine')
  const name = engine === 'auto' ? engineNames.find((candidate) => !engines[candidate].missing()) : engine
  const missing = name ? engines[name].missing() : 'no engine runs here'
  const { most }: EngineRow = engines[name ?? 'reference']
  if (name && !missing) return { name, threads: threads ?? Math.min(hardwareThreads(), most?.() ?? Infinity) }
  throw new FoveaError('E_ENGINE', { what: 'the engine is not available', where: engine, got: missing ?? '' })
}

/** Opens an engine of one's own; close it when done. */
export function openEngine(given: EngineSettings = {}): Engine {
  const { name, threads } = resolved(given)
  return engines[name].open(threads)
}

const shared = new Map<string, Engine>()

/**
 * The engine that all models share for the same choice. It is started at first use, and again when it was closed or has
 * died; its workers never keep the process alive.
 */
export function sharedEngine(given: EngineSettings = {}): Engine {
  const { name, threads } = resolved(given)
  const key = `${name} ${threads}`
  const known = shared.get(key)
  if (known?.isOpen) return known
  const engine = engines[name].open(threads)
  shared.set(key, engine)
  return engine
}
