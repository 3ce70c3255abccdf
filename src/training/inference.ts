/** evaluate and predict: a dataset in order, in batches of one size, the last one padded. */
import type { Batch, Dataset } from '../data/dataset.ts'
import { atRest } from '../data/dataset.ts'
import type { Filled } from '../data/reader.ts'
import { Reader, readBatch } from '../data/reader.ts'
import { asFloat32 } from '../graph/dtype.ts'
import { sizeOf } from '../graph/shape.ts'
import { evaluationGoals, predictionGoals } from '../network/graphs.ts'
import { readingsOf } from '../network/measures.ts'
import { pairInputs } from '../network/objective.ts'
import type { Session } from '../network/session.ts'
import type { Head } from '../nn/heads.ts'
import { fed, fieldsKey, IN_FLIGHT, onlyKnown } from './batch-inputs.ts'
import type { Logs } from './history.ts'
import { weightInputs } from './sample-weights.ts'
import { Tally } from './tally.ts'
import { checkTargets } from './targets.ts'
import type { Task } from './task.ts'

/** Samples per run where the answer does not depend on it. */
export const INFERENCE_BATCH = 128

export interface EvaluateOptions {
  /** Of every sample of the data, in their order. */
  readonly sampleWeight?: ArrayLike<number> | undefined
  readonly batchSize?: number
  readonly signal?: AbortSignal | undefined
  /** Of the data, where there is one already; else one is opened by these. */
  readonly reader?: Reader | undefined
  readonly workers?: number | undefined
  readonly prefetch?: number | undefined
  /** Tensors of the state instead of weights, by name (see `judgedWeights`). */
  readonly judged?: Readonly<Record<string, string>>
}

/** Loss and metrics over a dataset. Throws `signal.reason` when the signal comes before all was read. */
export const evaluate = async (session: Session, task: Task, options: EvaluateOptions = {}): Promise<Logs> =>
  (await tallied(session, task, options)).means

/** The sums that they follow from. */
export async function tallied(
  session: Session,
  { data, objective }: Task,
  { batchSize = INFERENCE_BATCH, sampleWeight, signal, judged, ...reading }: EvaluateOptions = {},
): Promise<Tally> {
  const size = sizeFor(data.length, batchSize)
  const key = `evaluate ${size} ${fieldsKey(data.inputs)} ${fieldsKey(data.targets)} ${JSON.stringify([objective, judged])}`
  const program = await session.program(key, () =>
    evaluationGoals(session.network, objective, { ...data, size }, judged),
  )
  const tally = new Tally(readingsOf(objective))
  await inBatches(data, { size, signal, ...reading }, async (arrays, indices) => {
    const room = { indices, capacity: size }
    checkTargets(arrays, objective, session, room, data.name)
    const weights = weightInputs(arrays, objective, room, { samples: sampleWeight })
    const given = onlyKnown(program, { ...weights, key: drawKey(indices) })
    tally.add(await program.run({ ...fed(arrays, program), ...given }), indices.length)
  })
  return tally
}

export interface PredictOptions extends Pick<EvaluateOptions, 'batchSize' | 'signal' | 'workers' | 'prefetch'> {
  readonly heads: Readonly<Record<string, Head>>
}

/** What is asked about; `taken` are arrays that only this call uses and that hold the samples one after the other: batches are parts of them. */
export interface Asked extends Dataset {
  readonly taken?: Batch['inputs']
}

/** Answers for every sample, by output; each a run of rows. */
export async function predict(
  session: Session,
  data: Asked,
  { heads, batchSize = INFERENCE_BATCH, ...how }: PredictOptions,
): Promise<Record<string, Float32Array>> {
  const inputs = pairInputs(session.network, data.inputs, data.name)
  const size = sizeFor(data.length, batchSize)
  const key = `predict ${size} ${fieldsKey(data.inputs)} ${JSON.stringify(heads)}`
  const program = await session.program(key, () => predictionGoals(session.network, inputs, heads, { ...data, size }))
  const results: Record<string, Float32Array> = {}
  const widths = Object.fromEntries(
    Object.entries(program.outputs).map(([name, { shape }]) => [name, sizeOf(shape) / size]),
  )
  for (const [name, width] of Object.entries(widths)) results[name] = new Float32Array(width * data.length)
  await inBatches(data, { size, ...how }, async (arrays, indices) => {
    const answers = await program.run({ ...fed(arrays, program), ...onlyKnown(program, { key: drawKey(indices) }) })
    for (const [name, values] of Object.entries(answers)) {
      results[name].set(asFloat32(values.subarray(0, indices.length * widths[name]), name), indices[0] * widths[name])
    }
  })
  return results
}

/** The random key for layers that draw outside training too: a sample's numbers are the same in any batch. */
const drawKey = (indices: Uint32Array): Int32Array => Int32Array.of(0, 0, 0, indices[0])

/** Samples per run: powers of two for small sets, so that few programs serve them all; the rest is padded. */
const sizeFor = (length: number, most: number): number => Math.min(most, 2 ** Math.ceil(Math.log2(length)))

/** Reads all samples in order; the last batch is padded with zeros. `use` takes the arrays before it waits for anything. */
async function inBatches(
  data: Asked,
  how: ReadingBatches,
  use: (arrays: Batch, indices: Uint32Array) => Promise<void>,
): Promise<void> {
  const pending: Promise<void>[] = []
  try {
    for await (const { arrays, indices, release } of batchesOf(data, how)) {
      const done = use(arrays, indices)
      release()
      done.catch(() => {}) // it is waited for below
      pending.push(done)
      if (pending.length >= IN_FLIGHT) await pending.shift()
    }
    await Promise.all(pending)
  } finally {
    await Promise.allSettled(pending)
  }
}

interface ReadingBatches extends Pick<EvaluateOptions, 'signal' | 'reader' | 'workers' | 'prefetch'> {
  readonly size: number
}

async function* batchesOf(data: Asked, { size, signal, reader, ...how }: ReadingBatches): AsyncGenerator<Filled> {
  const indicesOf = (batch: number): Uint32Array => {
    const start = batch * size
    return Uint32Array.from({ length: Math.min(size, data.length - start) }, (_, i) => start + i)
  }
  const to = Math.ceil(data.length / size)
  if (data.taken || (to === 1 && !how.workers)) {
    // arrays, or one picture, as a rule: a queue would cost 30 us
    for (let batch = 0; batch < to; batch++) {
      signal?.throwIfAborted()
      const indices = indicesOf(batch)
      const whole = partOf(data, indices, size)
      const arrays = whole ?? (await readBatch(data, indices, { capacity: size, reading: atRest, signal }))
      yield { arrays, indices, release: () => {} }
    }
    return
  }
  const own = reader ?? new Reader(data, how)
  try {
    yield* own.batches({ to, indicesOf, capacity: size, reading: atRest, signal })
  } finally {
    if (!reader) await own.close()
  }
}

/** A whole batch as a part of arrays that were taken; undefined where there are none. */
function partOf({ taken, inputs }: Asked, indices: Uint32Array, size: number): Batch | undefined {
  if (!taken || indices.length < size) return undefined
  const parts = Object.entries(inputs).map(([name, { shape }]) => {
    const start = indices[0] * sizeOf(shape)
    return [name, taken[name].subarray(start, start + size * sizeOf(shape))]
  })
  return { inputs: Object.fromEntries(parts), targets: {} }
}
