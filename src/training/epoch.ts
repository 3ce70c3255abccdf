/** One epoch: batch after batch, the engine a step ahead of what is known. */
import { FoveaError } from '../base/errors.ts'
import { permutation, stream } from '../base/random.ts'
import type { Program } from '../compile/program.ts'
import type { Reading } from '../data/dataset.ts'
import type { Filled } from '../data/reader.ts'
import { trainingGoals } from '../network/graphs.ts'
import { firstNonFinite } from './diagnosis.ts'
import { checkTargets, fed, fieldsKey, IN_FLIGHT, onlyKnown, Tally } from './feed.ts'
import { weightInputs } from './sample-weights.ts'
import { stepInputs } from './step-inputs.ts'
import type { Place, Sums, Training, Unreported } from './training.ts'
import { each, isOver, rateOf } from './training.ts'

/** A step under way. */
interface Pending extends Pick<Unreported, 'place' | 'learningRate'> {
  readonly indices: Uint32Array
  readonly sums: Promise<Sums>
}

/** The training program for batches of `size`. */
export function programFor({ session, data, objective, optimizer }: Training, size: number): Promise<Program> {
  const { type } = optimizer
  const { learningRate: _, ...options } = optimizer.options // an input of every program, not a part of one
  const key = `train ${size} ${fieldsKey(data.inputs)} ${fieldsKey(data.targets)} ${JSON.stringify([objective, type, options])}`
  return session.program(key, () => trainingGoals(session.network, objective, { ...data, size }, optimizer))
}

/**
 * The batches of the epoch that are not done yet. A step is reported when the one after it has been started, whenever it
 * was done, so that callbacks hear and do the same in the same order in every run. `onPause` is called after every so many
 * steps, and where training ends within the epoch: steps that are done but not reported are in the position then. When
 * it fails, nothing is left running.
 */
export async function trainEpoch(
  training: Training,
  pause: { readonly every: number; readonly onPause: () => Promise<void> },
): Promise<void> {
  const { session, data, settings, batches, at, signal } = training
  const { batchSize, shuffle, seed, overfitBatches } = settings
  if (at.batch === 0 && at.unreported.length === 0) session.epochs++
  const order =
    shuffle && overfitBatches === undefined
      ? permutation({ seed, stream: stream('shuffle'), step: session.epochs - 1 }, data.length)
      : Uint32Array.from({ length: data.length }, (_, i) => i)
  const indicesOf = (batch: number) => order.subarray(batch * batchSize, (batch + 1) * batchSize)
  const start = performance.now()
  const before = at.seconds
  const pending = at.unreported.map(
    ({ place, learningRate, sums }): Pending => ({
      place,
      learningRate,
      indices: indicesOf(place.batch - 1),
      sums: Promise.resolve(sums),
    }),
  )
  at.unreported = []
  const reading = readingOf(training)
  const from = at.batch + pending.length
  const queue = training.readers.data.batches({ from, to: batches, indicesOf, reading, signal })
  const settle = async (): Promise<void> => {
    const [oldest] = pending
    await oldest.sums
    await report(training, oldest, before + (performance.now() - start) / 1000)
    pending.shift()
    if (at.batch < oldest.place.batch) pending.length = 0 // it was refused, and so were those behind it
  }
  const save = async (): Promise<void> => {
    const done = await Promise.all(pending.map(async ({ sums, ...rest }) => ({ ...rest, sums: await sums })))
    if (done.some(({ sums }) => sums['finite'][0] !== 1)) return // it will be heard of in a moment
    at.unreported = done.map(({ place, learningRate, sums }) => ({ place, learningRate, sums: plain(sums) }))
    at.seconds = before + (performance.now() - start) / 1000
    await pause.onPause()
    at.unreported = []
  }
  try {
    while (at.batch + pending.length < batches && !isOver(training)) {
      const batch = at.batch + pending.length
      const filled = await nextOf(queue, signal)
      if (!filled) break
      training.rateFrom = () => at.step
      const place = { epoch: at.epoch, epochs: training.epochs, batch: batch + 1, batches, step: at.step + 1 }
      await each(training, (c, control) => c.onBatchBegin?.(place, control))
      pending.push({ place, indices: filled.indices, ...(await takeStep(training, filled)) })
      if (pending.length >= IN_FLIGHT) await settle()
      if (at.step % pause.every === 0) await save()
    }
    if (at.batch + pending.length < batches) await save() // it ends here, and may go on later
    while (pending.length > 0) await settle()
  } finally {
    await queue.return(undefined)
    await Promise.allSettled(pending.map(({ sums }) => sums))
    training.rateFrom = () => at.step
  }
}

const plain = (sums: Sums): Sums =>
  Object.fromEntries(Object.entries(sums).map(([name, values]) => [name, Array.from(values)]))

/** What the samples of the epoch under way are read for. */
const readingOf = ({ session, settings }: Training): Reading => ({
  mode: 'train',
  epoch: session.epochs,
  seed: settings.seed,
})

/** The next batch; undefined where the signal came first. */
async function nextOf(queue: AsyncIterator<Filled>, signal: AbortSignal | undefined): Promise<Filled | undefined> {
  try {
    return (await queue.next()).value
  } catch (error) {
    if (signal?.aborted) return undefined // whatever a reading says that was given up
    throw error
  }
}

/** Starts a step on a batch; its sums come later. */
async function takeStep(
  training: Training,
  { arrays, indices, release }: Filled,
): Promise<Pick<Pending, 'sums'> & { learningRate: number }> {
  const { session, data, objective, weighting, at } = training
  const program = await programFor(training, indices.length)
  const room = { indices, capacity: indices.length }
  checkTargets(arrays, objective, session, room, data.name)
  const learningRate = rateOf(training, at.step)
  const given = { ...stepInputs(training, learningRate), ...weightInputs(arrays, objective, room, weighting) }
  session.steps++
  at.step++
  const sums = program.run({ ...fed(arrays, program), ...onlyKnown(program, given) })
  release() // the program has taken them
  sums.catch(() => {}) // it is waited for when its turn comes
  return { sums, learningRate }
}

/** Adds a step's sums to those of the epoch and tells the callbacks. */
async function report(
  training: Training,
  { place, indices, learningRate, sums }: Pending,
  seconds: number,
): Promise<void> {
  const { at, data, session } = training
  const { finite, ...values } = await sums
  if (finite[0] !== 1) {
    session.steps -= at.step - (place.step - 1) // this step and those behind it did nothing
    at.step = place.step - 1
    const error = await nonFinite(training, place, indices)
    if (training.settings.onNonFinite === 'throw') throw error
    at.stopped ??= error.message
    at.isDiverged = true
    return
  }
  at.batch = place.batch
  at.seconds = seconds
  at.tally.add(values, indices.length)
  const batch = new Tally()
  batch.add(values, indices.length)
  const imagesPerSecond = at.tally.samples / Math.max(seconds, 1e-9)
  const room = (training.totalSteps - place.step) * training.settings.batchSize
  const secondsLeft = Math.min(data.length - at.tally.samples, room) / imagesPerSecond
  const logs = { logs: at.tally.means, batchLogs: batch.means }
  training.rateFrom = () => place.step + IN_FLIGHT - 1 // the step after this one may be under way, or not
  await each(training, (c, control) =>
    c.onBatchEnd?.({ ...place, imagesPerSecond, secondsLeft, learningRate, ...logs }, control),
  )
}

async function nonFinite(training: Training, { epoch, batch }: Place, indices: Uint32Array): Promise<FoveaError> {
  const unknown = { source: 'the loss, a gradient or a new weight', isData: false }
  const { source, isData } = await firstNonFinite(training, indices, readingOf(training)).catch(() => unknown) // the step is what matters
  const rate = rateOf(training, training.at.step)
  return new FoveaError('E_NONFINITE', {
    what: `${source} is not a finite number; the weights are those before this step`,
    where: `epoch ${epoch}, batch ${batch}`,
    hint: isData ? 'mend the data' : `lower the learning rate (now ${rate}), or look for bad values in the data`,
  })
}
