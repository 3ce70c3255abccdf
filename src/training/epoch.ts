/** One epoch: batch after batch, the engine a step ahead of what is known. */
import { FoveaError } from '../base/errors.ts'
import { IN_FLIGHT } from './batch-inputs.ts'
import type { TrainingBatch } from './batches.ts'
import { diagnose } from './diagnosis.ts'
import type { Logs } from './history.ts'
import type { DoneStep } from './pause.ts'
import type { BegunStep } from './steps.ts'
import { takeStep } from './steps.ts'
import { Tally } from './tally.ts'
import type { StepPosition, Sums, Training } from './training.ts'
import { each, isOver, rateOf, timeIn } from './training.ts'

/** A step under way. */
interface Pending extends BegunStep {
  readonly place: StepPosition
  readonly samples: number
  /** What it was taken on; not known for a step from a checkpoint, which was finite. */
  readonly batch?: Omit<TrainingBatch, 'arrays'>
}

/**
 * The batches of the epoch that are not done yet. A step is reported when the one after it has been started, whenever it
 * was done, so that callbacks get and do the same in the same order in every run. `onPause` is called after every so many
 * steps, and where training ends within the epoch: steps that are done but not reported are in the position then. When
 * it fails, nothing is left running.
 */
export async function trainEpoch(
  training: Training,
  pause: { readonly every: number; readonly onPause: () => Promise<void> },
): Promise<void> {
  const { session, source, at, signal } = training
  const { batches } = source
  if (at.batch === 0 && at.unreported.length === 0) session.epochs++
  const epoch = source.epoch(session.epochs - 1)
  const start = timeIn(training)
  const before = at.seconds
  const seconds = () => before + (timeIn(training) - start) / 1000
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
    await report(training, oldest, seconds())
    pending.shift()
    if (at.batch < oldest.place.batch) pending.length = 0 // it was refused, and so were those behind it
  }
  const save = async (): Promise<void> => {
    const done = await Promise.all(pending.map(async ({ sums, ...rest }) => ({ ...rest, sums: await sums })))
    if (done.some(({ sums }) => sums['finite'][0] !== 1)) return // it will be heard of in a moment
    at.unreported = done.map(({ place, learningRate, sums }) => ({ place, learningRate, sums: plain(sums) }))
    at.seconds = seconds()
    await pause.onPause()
    at.unreported = []
  }
  try {
    while (at.batch + pending.length < batches && !isOver(training)) {
      if (training.control && !(await mayGoOn(training, pending))) continue
      const number = at.batch + pending.length
      const reading = () => epoch.read(number)
      const read = await (training.control?.whileWaiting(reading, resting(training, pending)) ?? reading())
      if (!read) {
        const why = `the batches ended after ${at.step} steps, ${training.totalSteps} were asked for`
        if (!signal?.aborted) at.stopped ??= why
        break
      }
      if (training.control && !(await mayGoOn(training, pending))) {
        read.release?.()
        continue
      }
      training.rateFrom = () => at.step
      const place = { epoch: at.epoch, epochs: training.epochs, batch: number + 1, batches, step: at.step + 1 }
      await each(training, (c, control) => c.onBatchBegin?.(place, control))
      const { arrays: _, ...batch } = read
      const begun = await takeStep(training, read, place)
      pending.push({ place, batch, samples: batch.indices.length, ...begun })
      if (pending.length >= IN_FLIGHT) await settle()
      if (at.step % pause.every === 0) await save()
    }
    if (at.batch + pending.length < batches) await save() // it ends here, and may go on later
    while (pending.length > 0) await settle()
  } finally {
    await epoch.close()
    await Promise.allSettled(pending.map(({ sums }) => sums))
    training.rateFrom = () => at.step
  }
}

/** Waits while training is paused; says whether it may go on as if it had not been. */
async function mayGoOn(training: Training, pending: readonly Pending[]): Promise<boolean> {
  const { control, signal, clock, at } = training
  await control?.beforeStep(at.step + 1, resting(training, pending), signal)
  clock.paused = control?.paused ?? 0
  return !isOver(training)
}

/** Waits for the steps under way, and tells of those that were not refused; are all of them so? */
const resting = (training: Training, pending: readonly Pending[]) => async (): Promise<boolean> => {
  for (const step of pending) {
    const sums = await step.sums
    if (sums['finite'][0] !== 1) return false
    training.control?.done(doneStep(step, sums))
  }
  return true
}

/** A step as `trainingControl().step()` reports it. */
function doneStep({ place: { epoch, batch, step }, samples, learningRate }: Pending, sums: Sums): DoneStep {
  return { epoch, batch, step, learningRate, logs: batchMeans(sums, samples) }
}

/** Loss and metrics of one batch. */
function batchMeans({ finite: _, ...values }: Sums, samples: number): Logs {
  const own = new Tally()
  own.add(values, samples)
  return own.means
}

const plain = (sums: Sums): Sums =>
  Object.fromEntries(Object.entries(sums).map(([name, values]) => [name, Array.from(values)]))

/** Adds a step's sums to those of the epoch and tells the callbacks. */
async function report(training: Training, pending: Pending, seconds: number): Promise<void> {
  const { at, source, session } = training
  const { place, samples, learningRate } = pending
  const sums = await pending.sums
  const { finite, ...values } = sums
  if (finite[0] !== 1) {
    session.steps -= at.step - (place.step - 1) // this step and those behind it did nothing
    at.step = place.step - 1
    const error = await nonFinite(training, pending)
    if (training.settings.onNonFinite === 'throw') throw error
    at.stopped ??= error.message
    at.isDiverged = true
    return
  }
  at.batch = place.batch
  at.seconds = seconds
  at.tally.add(values, samples)
  training.control?.done(doneStep(pending, sums))
  const imagesPerSecond = at.tally.samples / Math.max(seconds, 1e-9)
  const steps = Math.min(source.batches - place.batch, training.totalSteps - place.step)
  const left = Math.min(steps * source.batchSize, (source.samples ?? Infinity) - at.tally.samples)
  const secondsLeft = left / imagesPerSecond
  const logs = { logs: at.tally.means, batchLogs: batchMeans(sums, samples) }
  training.rateFrom = () => place.step + IN_FLIGHT - 1 // the step after this one may be under way, or not
  await each(training, (c, control) =>
    c.onBatchEnd?.(
      { ...place, samples: at.tally.samples, imagesPerSecond, secondsLeft, learningRate, ...logs },
      control,
    ),
  )
}

async function nonFinite(training: Training, pending: Pending): Promise<FoveaError> {
  const { epoch, batch } = pending.place
  const { source, isData } = await diagnose(training, pending)
  const rate = rateOf(training, training.at.step)
  return new FoveaError('E_NONFINITE', {
    what: `${source} is not a finite number; the weights are those before this step`,
    where: `epoch ${epoch}, batch ${batch}`,
    hint: isData ? 'correct the data' : `lower the learning rate (now ${rate}), or look for bad values in the data`,
  })
}
