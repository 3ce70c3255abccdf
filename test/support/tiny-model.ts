/** A classifier of three numbers and twelve samples, for tests of what goes on around a step rather than within it. */
import { uniforms } from '../../src/base/random.ts'
import type { Dataset, ModelOptions } from '../../src/index.ts'
import { fromArrays, layers, sequential } from '../../src/index.ts'

/** Samples that two classes can be told by. */
export function points(count: number, seed = 1): Dataset {
  const data = uniforms({ seed, stream: 0 }, count * 3)
  const labels = Int32Array.from({ length: count }, (_, i) => (data[3 * i] > data[3 * i + 1] ? 1 : 0))
  return fromArrays({
    name: 'points',
    inputs: { x: { shape: [3], data } },
    targets: { y: { shape: [], data: labels } },
  })
}

export const tiny = (options: ModelOptions = {}) =>
  sequential({ inputShape: [3], seed: 2, engine: 'reference', ...options }, [layers.dense({ units: 2, name: 'only' })])
