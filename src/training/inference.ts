/** evaluate and predict: a dataset in order, in batches of one size, the last one padded. */
import { allocateBatch } from '../data/batch.ts'
import type { Batch, Dataset } from '../data/dataset.ts'
import { asFloat32 } from '../graph/dtype.ts'
import { sizeOf } from '../graph/shape.ts'
import { evaluationGoals, predictionGoals } from '../network/graphs.ts'
import type { ObjectiveOptions } from '../network/objective.ts'
import { objectiveFor, pairInputs } from '../network/objective.ts'
import type { Session } from '../network/session.ts'
import type { Head } from '../nn/heads.ts'
import { checkTargets, fed, fieldsKey, IN_FLIGHT, onlyKnown, Tally } from './feed.ts'
import type { Logs } from './history.ts'
import { weightInputs } from './sample-weights.ts'

/** Samples per run where the answer does not depend on it. */
export const INFERENCE_BATCH = 128

export interface EvaluateOptions extends Readonly<ObjectiveOptions> {
  /** Of every sample of the data, in their order. */
  readonly sampleWeight?: ArrayLike<number> | undefined
  readonly batchSize?: number
  readonly signal?: AbortSignal | undefined
  /** Tensors of the state in the place of weights, by name (see `judgedWeights`). */
  readonly judged?: Readonly<Record<string, string>>
}

/** Means of loss and metrics over a dataset; undefined when the signal ended it before all was seen. */
export async function evaluate(
  session: Session,
  data: Dataset,
  { batchSize = INFERENCE_BATCH, sampleWeight, signal, judged, ...options }: EvaluateOptions = {},
): Promise<Logs | undefined> {
  const objective = objectiveFor(session.network, data, options)
  const size = sizeFor(data.length, batchSize)
  const key = `evaluate ${size} ${fieldsKey(data.inputs)} ${fieldsKey(data.targets)} ${JSON.stringify([objective, judged])}`
  const program = await session.program(key, () =>
    evaluationGoals(session.network, objective, { ...data, size }, judged),
  )
  const tally = new Tally()
  await inBatches(data, { size, signal }, async (arrays, indices) => {
    const room = { indices, capacity: size }
    checkTargets(arrays, objective, session, room, data.name)
    const weights = weightInputs(arrays, objective, room, { samples: sampleWeight })
    const given = onlyKnown(program, { ...weights, key: drawKey(indices) })
    tally.add(await program.run({ ...fed(arrays, program), ...given }), indices.length)
  })
  return tally.samples === data.length ? tally.means : undefined
}

/** Answers for every sample, by output; each a run of rows. */
export async function predict(
  session: Session,
  data: Pick<Dataset, 'inputs' | 'length' | 'name' | 'read'>,
  heads: Readonly<Record<string, Head>>,
  batchSize = INFERENCE_BATCH,
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
  await inBatches({ targets: {}, ...data }, { size }, async (arrays, indices) => {
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

/** Reads all samples in order, until the signal says no more; the last batch is padded with zeros. */
async function inBatches(
  data: Pick<Dataset, 'inputs' | 'targets' | 'length' | 'read'>,
  { size, signal }: { size: number; signal?: AbortSignal | undefined },
  use: (batch: Batch, indices: Uint32Array) => Promise<void>,
): Promise<void> {
  const pending: Promise<void>[] = []
  for (let start = 0; start < data.length && !signal?.aborted; start += size) {
    const indices = Uint32Array.from({ length: Math.min(size, data.length - start) }, (_, i) => start + i)
    const arrays = allocateBatch(data, size)
    await data.read(indices, arrays)
    const done = use(arrays, indices)
    done.catch(() => {}) // it is waited for below
    pending.push(done)
    if (pending.length >= IN_FLIGHT) await pending.shift()
  }
  await Promise.all(pending)
}
