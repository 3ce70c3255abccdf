/** A classifier of three numbers and twelve samples, for tests of what goes on around a step rather than within it. */
import { uniforms } from '../../src/base/random.ts'
import type { Callback, Dataset, Model, ModelOptions } from '../../src/index.ts'
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

/** Takes note of the weights at the end of every epoch. */
export function keeping(model: Model) {
  const weights: Record<string, Float32Array>[] = []
  const callback: Callback = { onEpochEnd: async () => void weights.push(await model.weights()) }
  return { weights, callback }
}
