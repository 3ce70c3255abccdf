/** The engines that compute in float32 and are here: what is held to a truth from outside is so on each of them. */
import type { Engine } from '../../src/compile/engine.ts'
import { openEngine } from '../../src/engines/index.ts'
import { available } from './require.ts'

export const fastEngines: readonly ('wasm' | 'native')[] = available('native').path ? ['wasm', 'native'] : ['wasm']

/** Each of them, opened. */
export const openFast = (threads = 2): Promise<Engine[]> =>
  Promise.all(fastEngines.map((engine) => openEngine({ engine, threads })))
