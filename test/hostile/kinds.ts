/** Every kind of file that strangers send; a reader that is not here is not fuzzed. */
import { idxFiles } from './idx-files.ts'
import type { Outcome } from './kind.ts'
import { fuzz } from './kind.ts'
import { modelFiles } from './model-files.ts'
import { safetensorsFiles } from './safetensors-files.ts'

type Fuzzing = (how: { seed: number; runs: number }) => Outcome

export const fuzzings: Readonly<Record<string, Fuzzing>> = {
  idx: (how) => fuzz(idxFiles, how),
  safetensors: (how) => fuzz(safetensorsFiles, how),
  model: (how) => fuzz(modelFiles, how),
}
