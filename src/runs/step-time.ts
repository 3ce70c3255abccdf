/** How long an epoch takes on this machine, from a few training steps. */
import { fromArrays } from '../data/in-memory.ts'
import { subset } from '../data/subset.ts'
import type { Shape } from '../graph/shape.ts'
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
/** Of an epoch of the measurement, which shuffles and logs as any other. */
const BATCHES = 64

const bytesOf = (shape: Shape, samples: number) => ({
  shape,
  data: Uint8Array.from({ length: samples * sizeOf(shape) }, (_, i) => (i * 37) % 251),
})

/** Labels for rows of logits, numbers for what else a network gives. */
function targetsOf(shape: Shape, samples: number) {
  if (shape.length !== 1) return { shape, data: new Float32Array(samples * sizeOf(shape)) }
  const classes = Math.max(2, shape[0])
  return { shape: [], data: Int32Array.from({ length: samples }, (_, i) => i % classes) }
}

/**
 * Trains as `fit` does unless more is said (its optimizer, loss and metrics, pixels as bytes) on numbers without meaning until the measured steps took `seconds`, which planning and the first steps do not count
 * in; the median of the steps times their number. The model is another one afterwards.
 */
export async function measureEpoch(
  model: Model,
  { samples, batchSize, seconds, now = () => performance.now() }: Measured,
): Promise<EpochTime> {
  const inputs = Object.entries(model.inputs).map(([name, shape]) => [name, bytesOf(shape, batchSize)] as const)
  const outputs = Object.entries(model.network.outputs).map(
    ([name, call]) => [name, targetsOf(model.network.calls[call].shape, batchSize)] as const,
  )
  const batch = fromArrays({
    name: 'measured',
    inputs: Object.fromEntries(inputs),
    targets: Object.fromEntries(outputs),
  })
  const set = subset(
    batch,
    Uint32Array.from({ length: BATCHES * batchSize }, (_, i) => i % batchSize),
  )
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
    learningRate: 0,
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
