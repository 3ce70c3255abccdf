/** What an engine can tell of itself beyond its contract, a row per engine that can. */
import type { Engine } from '../src/compile/engine.ts'
import type { Program } from '../src/compile/program.ts'
import type { EngineName } from '../src/engines/index.ts'
import { nativePeak, shareOfKernels } from './native-peak.ts'
import { peakOf } from './peak.ts'
import type { Precision } from './protocol.ts'

export interface Insight {
  /** Measures the most that it could do with its threads in this precision: operations per second. */
  readonly peak?: (engine: Engine, precision: Precision) => () => Promise<number>
  /** Share of the time of `run` that its own kernels take (native: oneDNN's), 0 to 1. */
  readonly profile?: (program: Program, run: () => Promise<unknown>) => Promise<number>
}

export const insights: Partial<Record<EngineName, Insight>> = {
  native: { peak: nativePeak, profile: shareOfKernels },
  wasm: { peak: (engine) => peakOf(engine) },
}
