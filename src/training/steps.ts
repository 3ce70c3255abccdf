/**
 * A step on a batch. As a rule it is one program; where a callback has `onGradients`, it is two with a seam between
 * them: what is computed, then what is made of it.
 */
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { arrayKind } from '../base/realm.ts'
import type { Program } from '../compile/program.ts'
import { applyGoals, derivedKinds, gradientGoals, trainingGoals } from '../network/graphs.ts'
import type { NumbersByName } from './batch-inputs.ts'
import { fed, fieldsKey, onlyKnown } from './batch-inputs.ts'
import type { TrainingBatch } from './batches.ts'
import type { GradientStep } from './history.ts'
import { weightInputs } from './sample-weights.ts'
import { stepInputs } from './step-inputs.ts'
import { checkTargets } from './targets.ts'
import type { StepPosition, Sums, Training } from './training.ts'
import { each, rateOf } from './training.ts'

/** A step that was begun. */
export interface BegunStep {
  readonly learningRate: number
  readonly sums: Promise<Sums>
  /** What callbacks were shown of it, as they left it. */
  readonly shown?: GradientStep
}

const hasSeam = ({ callbacks }: Training): boolean =>
  callbacks.some(({ callback }) => callback.onGradients !== undefined)

/** Keys of a training's programs, which nothing changes while it runs: by the size of a batch, and of the second half. */
interface Keys {
  readonly bySize: Map<number, string>
  second?: string
}
const keys = new WeakMap<Training, Keys>()

function keysOf(training: Training): Keys {
  const own = keys.get(training) ?? { bySize: new Map() }
  keys.set(training, own)
  return own
}

function firstKey(training: Training, size: number): string {
  const { bySize } = keysOf(training)
  const known = bySize.get(size)
  if (known !== undefined) return known
  const { data, objective } = training
  const what = `${size} ${fieldsKey(data.inputs)} ${fieldsKey(data.targets)} ${JSON.stringify(objective)}`
  const key = hasSeam(training) ? `gradients ${what}` : `train ${what} ${optimizerKey(training)}`
  bySize.set(size, key)
  return key
}

/** The step for batches of `size`, or its first half. */
function firstProgram(training: Training, size: number): Promise<Program> {
  const { session, data, objective, optimizer } = training
  const { network } = session
  return session.program(firstKey(training, size), () => {
    const batch = { ...data, size }
    return hasSeam(training)
      ? gradientGoals(network, objective, batch)
      : trainingGoals(network, objective, batch, optimizer)
  })
}

function secondProgram(training: Training, { outputs }: Program): Promise<Program> {
  const { session, optimizer } = training
  const own = keysOf(training)
  own.second ??= `apply ${Object.keys(outputs)} ${optimizerKey(training)}`
  return session.program(own.second, () => applyGoals(session.network, optimizer, outputs))
}

function optimizerKey({ optimizer: { type, options } }: Training): string {
  const { learningRate: _, ...others } = options // an input of every program, not a part of one
  return JSON.stringify([type, others])
}

/** Plans steps on batches of `size`; gives what is known of them before one is taken. */
export async function planStep(
  training: Training,
  size: number,
): Promise<{ readonly arenaBytes: number; readonly logs: readonly string[] }> {
  const { memory } = await firstProgram(training, size)
  return { arenaBytes: memory.peakBytes, logs: Object.keys(training.readings) }
}

/** Starts a step on a batch; its sums come later. */
export async function takeStep(training: Training, batch: TrainingBatch, place: StepPosition): Promise<BegunStep> {
  const { arrays, indices, name } = batch
  const { session, objective, weighting } = training
  const program = await firstProgram(training, indices.length)
  const room = { indices, capacity: indices.length }
  checkTargets(arrays, objective, session, room, name)
  const weights = weightInputs(arrays, objective, room, {
    samples: batch.sampleWeight ?? weighting.samples,
    classes: weighting.classes,
  })
  const run = (rates: NumbersByName) => {
    const results = program.run({ ...fed(arrays, program), ...onlyKnown(program, { ...rates, ...weights }) })
    batch.release?.() // the program has taken them
    return results
  }
  const begun = hasSeam(training)
    ? await inTwoHalves(training, program, run, { ...place, samples: indices.length })
    : inOne(training, run)
  session.steps++
  training.at.step++
  begun.sums.catch(() => {}) // it is waited for when its turn comes
  return begun
}

type Run = (rates: NumbersByName) => Promise<NumbersByName>

function inOne(training: Training, run: Run): BegunStep {
  const learningRate = rateOf(training, training.at.step)
  return { learningRate, sums: run(stepInputs(training, learningRate)) }
}

async function inTwoHalves(
  training: Training,
  first: Program,
  run: Run,
  { epoch, batch, step, samples }: StepPosition & { readonly samples: number },
): Promise<BegunStep> {
  const computed = await run(stepInputs(training, rateOf(training, training.at.step)))
  const shown = { epoch, batch, step, samples, ...byKind(computed) } as GradientStep
  await each(training, (c, control) => c.onGradients?.(shown, control))
  const second = await secondProgram(training, first)
  const learningRate = rateOf(training, training.at.step) // what was set meanwhile holds
  const left = leftBy(shown, computed)
  const given = onlyKnown(second, { ...left, ...stepInputs(training, learningRate) })
  return { learningRate, sums: second.run(given).then(({ finite }) => ({ ...shown.sums, finite })), shown }
}

/** What callbacks left of what they were shown: the arrays, written into or replaced by others of their sizes. */
function leftBy(shown: GradientStep, computed: NumbersByName): NumbersByName {
  const left = Object.entries(computed).map(([key, own]) => {
    const kind = derivedKinds.find((one) => key.startsWith(`${one}/`))
    if (kind === undefined) return [key, own]
    const name = key.slice(kind.length + 1)
    const given: unknown = shown[kind]?.[name]
    if (given === own) return [key, own]
    if (arrayKind(given) === 'Float32Array' && (given as Float32Array).length === own.length) return [key, given]
    const [expected, got] = [`a Float32Array of ${own.length}`, show(given)]
    throw new FoveaError('E_OPTION', { what: `${kind} '${name}' cannot be this`, where: 'onGradients', expected, got })
  })
  return Object.fromEntries(left)
}

/** What is called `kind/name`, by kind and name. */
function byKind<T>(values: Readonly<Record<string, T>>): Record<(typeof derivedKinds)[number], Record<string, T>> {
  const parts = derivedKinds.map((kind) => {
    const own = Object.entries(values).filter(([name]) => name.startsWith(`${kind}/`))
    return [kind, Object.fromEntries(own.map(([name, value]) => [name.slice(kind.length + 1), value]))]
  })
  return Object.fromEntries(parts)
}
