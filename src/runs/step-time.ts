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

interface Measured {
  readonly samples: number
  readonly batchSize: number
  readonly seconds: number
  /** A clock in milliseconds, asked once after each step. */
  readonly now?: () => number
}

/** Steps that are not measured: memory is touched, code compiled. */
const WARM = 2
/** Steps that are measured, however long they take. */
const LEAST = 3

/**
 * Trains on numbers without meaning until the measured steps took `seconds`, which planning and the first steps do not count
 * in; the median of the steps times their number. The model is another one afterwards.
 */
export async function measureEpoch(
  model: Model,
  { samples, batchSize, seconds, now = () => performance.now() }: Measured,
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
  let [steps, begin, last] = [0, 0, 0]
  const onBatchEnd = (): void => {
    if (ending.signal.aborted) return // a step that was under way
    const time = now()
    steps++
    if (steps <= WARM) begin = time
    else times.push((time - last) / 1000)
    last = time
    if (times.length >= LEAST && time - begin >= 1000 * seconds) ending.abort()
  }
  await model.fit(set, {
    batchSize,
    epochs: 1000,
    loss: 'meanSquaredError',
    metrics: [],
    optimizer: { type: 'sgd', learningRate: 0 },
    callbacks: [{ onBatchEnd }],
    signal: ending.signal,
  })
  const secondsPerStep = times.sort((a, b) => a - b)[times.length >> 1]
  return {
    batchSize,
    steps: times.length,
    secondsPerStep,
    secondsPerEpoch: secondsPerStep * Math.ceil(samples / batchSize),
  }
}
