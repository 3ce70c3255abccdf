/** One epoch: batch after batch, the engine a step ahead of what is known. */
import { FoveaError } from '../base/errors.ts'
import type { Program } from '../compile/program.ts'
import { trainingGoals } from '../network/graphs.ts'
import { fed, fieldsKey, IN_FLIGHT, onlyKnown } from './batch-inputs.ts'
import type { TrainingBatch } from './batches.ts'
import { firstNonFinite } from './diagnosis.ts'
import { weightInputs } from './sample-weights.ts'
import { stepInputs } from './step-inputs.ts'
import { Tally } from './tally.ts'
import { checkTargets } from './targets.ts'
import type { StepPosition, Sums, Training, Unreported } from './training.ts'
import { each, isOver, rateOf } from './training.ts'

/** A step under way. */
interface Pending extends Pick<Unreported, 'place' | 'learningRate'> {
  readonly samples: number
  readonly sums: Promise<Sums>
  /** What it was taken on; nobody asks that of a step from a checkpoint, which was finite. */
  readonly batch?: TrainingBatch
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
  const { session, source, at } = training
  const { batches } = source
  if (at.batch === 0 && at.unreported.length === 0) session.epochs++
  const epoch = source.epoch(session.epochs - 1)
  const start = performance.now()
  const before = at.seconds
  const pending = at.unreported.map(
    ({ place, learningRate, sums }): Pending => ({
      place,
      learningRate,
      samples: epoch.sizeOf(place.batch - 1),
      sums: Promise.resolve(sums),
    }),
  )
  at.unreported = []
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
      const number = at.batch + pending.length
      training.rateFrom = () => at.step
      const place = { epoch: at.epoch, epochs: training.epochs, batch: number + 1, batches, step: at.step + 1 }
      await each(training, (c, control) => c.onBatchBegin?.(place, control))
      const batch = await epoch.read(number)
      pending.push({ place, batch, samples: batch.indices.length, ...(await takeStep(training, batch)) })
      if (pending.length >= IN_FLIGHT) await settle()
      if (at.step % pause.every === 0) await save()
    }
    if (at.batch + pending.length < batches) await save() // it ends here, and may go on later
    while (pending.length > 0) await settle()
  } finally {
    await Promise.allSettled(pending.map(({ sums }) => sums))
    training.rateFrom = () => at.step
  }
}

const plain = (sums: Sums): Sums =>
  Object.fromEntries(Object.entries(sums).map(([name, values]) => [name, Array.from(values)]))

/** Starts a step on a batch; its sums come later. */
async function takeStep(
  training: Training,
  { arrays, indices }: TrainingBatch,
): Promise<Pick<Pending, 'sums' | 'learningRate'>> {
  const { session, data, objective, weighting, at } = training
  const program = await programFor(training, indices.length)
  const room = { indices, capacity: indices.length }
  checkTargets(arrays, objective, session, room, data.name)
  const learningRate = rateOf(training, at.step)
  const given = { ...stepInputs(training, learningRate), ...weightInputs(arrays, objective, room, weighting) }
  session.steps++
  at.step++
  const sums = program.run({ ...fed(arrays, program), ...onlyKnown(program, given) })
  sums.catch(() => {}) // it is waited for when its turn comes
  return { sums, learningRate }
}

/** Adds a step's sums to those of the epoch and tells the callbacks. */
async function report(
  training: Training,
  { place, batch, samples, learningRate, sums }: Pending,
  seconds: number,
): Promise<void> {
  const { at, source, session } = training
  const { finite, ...values } = await sums
  if (finite[0] !== 1) {
    session.steps -= at.step - (place.step - 1) // this step and those behind it did nothing
    at.step = place.step - 1
    const error = await nonFinite(training, place, batch)
    if (training.settings.onNonFinite === 'throw') throw error
    at.stopped ??= error.message
    at.isDiverged = true
    return
  }
  at.batch = place.batch
  at.seconds = seconds
  at.tally.add(values, samples)
  const own = new Tally()
  own.add(values, samples)
  const imagesPerSecond = at.tally.samples / Math.max(seconds, 1e-9)
  const room = (training.totalSteps - place.step) * training.settings.batchSize
  const secondsLeft = Math.min(source.samples - at.tally.samples, room) / imagesPerSecond
  const logs = { logs: at.tally.means, batchLogs: own.means }
  training.rateFrom = () => place.step + IN_FLIGHT - 1 // the step after this one may be under way, or not
  await each(training, (c, control) =>
    c.onBatchEnd?.({ ...place, imagesPerSecond, secondsLeft, learningRate, ...logs }, control),
  )
}

async function nonFinite(
  training: Training,
  { epoch, batch }: StepPosition,
  read: TrainingBatch | undefined,
): Promise<FoveaError> {
  const unknown = { source: 'the loss, a gradient or a new weight', isData: false }
  const diagnosed = async () => (read ? firstNonFinite(training, await read.again(), read.indices) : unknown)
  const { source, isData } = await diagnosed().catch(() => unknown) // the step is what matters
  const rate = rateOf(training, training.at.step)
  return new FoveaError('E_NONFINITE', {
    what: `${source} is not a finite number; the weights are those before this step`,
    where: `epoch ${epoch}, batch ${batch}`,
    hint: isData ? 'mend the data' : `lower the learning rate (now ${rate}), or look for bad values in the data`,
  })
}
