/** What an engine can tell of itself beyond its contract, a row per engine that can. */
import type { Engine } from '../src/compile/engine.ts'
import type { Program } from '../src/compile/program.ts'
import type { EngineName } from '../src/engines/index.ts'
import { nativePeak, profileOf } from './native-peak.ts'
import { peakOf } from './peak.ts'
import type { Precision, Profile } from './protocol.ts'

export interface Insight {
  /** Measures the most that it could do with its threads in this precision: operations per second. */
  readonly peak?: (engine: Engine, precision: Precision) => () => Promise<number>
  /** What its own kernels take of the time of `run` (native: oneDNN's). */
  readonly profile?: (program: Program, run: () => Promise<unknown>) => Promise<Profile>
}

export const insights: Partial<Record<EngineName, Insight>> = {
  native: { peak: nativePeak, profile: profileOf },
  wasm: { peak: (engine) => peakOf(engine) },
}
