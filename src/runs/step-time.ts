/** How long an epoch takes on this machine, from a few training steps. */
import { fromArrays } from '../data/in-memory.ts'
import { sizeOf } from '../graph/shape.ts'
import type { Model } from '../model/model.ts'

export interface EpochTime {
  readonly batchSize: number
  /** Steps that were measured, after two that were not. */
  readonly steps: number
  readonly secondsPerStep: number
  readonly secondsPerEpoch: number
}

/** Trains on numbers without meaning for about `seconds`; the median of the steps times their number. The model is another one afterwards. */
export async function measureEpoch(
  model: Model,
  { samples, batchSize, seconds }: { readonly samples: number; readonly batchSize: number; readonly seconds: number },
): Promise<EpochTime> {
  const [[name, shape]] = Object.entries(model.inputs)
  const data = Float32Array.from({ length: batchSize * sizeOf(shape) }, (_, i) => ((i * 37) % 101) / 101)
  const outputs = Object.entries(model.network.outputs).map(
    ([output, call]) => [output, model.network.calls[call].shape] as const,
  )
  const targets = Object.fromEntries(
    outputs.map(([output, of]) => [output, { shape: of, data: new Float32Array(batchSize * sizeOf(of)) }]),
  )
  const set = fromArrays({ name: 'measured', inputs: { [name]: { shape, data } }, targets })
  const times: number[] = []
  const ending = new AbortController()
  const begin = performance.now()
  let last = begin
  const onBatchEnd = (): void => {
    const now = performance.now()
    times.push((now - last) / 1000)
    last = now
    if (times.length > 4 && now - begin > 1000 * seconds) ending.abort()
  }
  const callbacks = [{ onBatchEnd }]
  await model.fit(set, {
    batchSize,
    epochs: 1000,
    loss: 'meanSquaredError',
    metrics: [],
    optimizer: { type: 'sgd', learningRate: 0 },
    callbacks,
    signal: ending.signal,
  })
  const measured = times.slice(2).sort((a, b) => a - b)
  const secondsPerStep = measured[measured.length >> 1]
  return {
    batchSize,
    steps: measured.length,
    secondsPerStep,
    secondsPerEpoch: secondsPerStep * Math.ceil(samples / batchSize),
  }
}
