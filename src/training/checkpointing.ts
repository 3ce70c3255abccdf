/** A training in checkpoints: what goes in, what comes back, and whether it belongs to this training. */
import { sha256 } from '#platform'
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { dataHash } from '../data/data-hash.ts'
import type { Dataset } from '../data/dataset.ts'
import type { Session } from '../network/session.ts'
import type { StoredTensor } from '../saved/checkpoint.ts'
import { openCheckpoints } from '../saved/checkpoint-store.ts'
import type { Json, JsonObject } from '../saved/exact-json.ts'
import { claimFolder } from '../saved/folder-claim.ts'
import { networkToJson } from '../saved/model-file.ts'
import type { CheckpointOptions } from './fit-options.ts'
import type { EpochRecord, TrainingInfo } from './history.ts'
import type { TallyState } from './tally.ts'
import { Tally } from './tally.ts'
import type { Training, TrainingPosition } from './training.ts'

export interface Checkpointing {
  /** Steps from one to the next. */
  readonly every: number
  /** Puts the training where its last checkpoint was; tells what was found, or undefined when there was none. */
  resume(): Promise<TrainingInfo['resumed']>
  /** Saves the first one where there is none. */
  begin(): Promise<void>
  /** With no step under way. */
  save(): Promise<void>
  /** Lets others have the folder. */
  close(): Promise<void>
}

/** Settings that may change from a run to its continuation. */
const free = new Set(['epochs', 'steps', 'maxTime', 'onNonFinite', 'workers', 'prefetch'])

/** What must be the same for a training to continue with the same result to the bit, by the word for it in a complaint. */
async function identityOf({
  session,
  source,
  validation,
  settings,
  objective,
  weighting,
  signal,
}: Training): Promise<JsonObject> {
  const digestOf = (weights: ArrayLike<number> | undefined) =>
    weights && sha256(new Uint8Array(Float32Array.from(weights).buffer))
  const fixed = Object.entries(settings).filter(([name]) => !free.has(name))
  return JSON.parse(
    JSON.stringify({
      ...Object.fromEntries(fixed), // first: a difference here explains those below
      engine: session.state.engine.name,
      precision: session.precision,
      objective,
      model: networkToJson(session.network, 'functional'),
      data: await dataHash(source.data as Dataset, signal),
      validation: validation && (await dataHash(validation.data, signal)),
      sampleWeight: await digestOf(weighting.samples),
      validationSampleWeight: (await digestOf(validation?.sampleWeight)) ?? 'none',
    }),
  )
}

/**
 * Opens a folder; one that another training is in is refused, and one that holds checkpoints already, unless the training
 * continues from them.
 */
export async function openCheckpointing(
  training: Training,
  options: CheckpointOptions,
  isResuming: boolean,
): Promise<Checkpointing> {
  const close = await claimFolder(options.folder)
  try {
    return { ...(await openClaimed(training, options, isResuming)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function openClaimed(
  training: Training,
  { folder, every = Infinity, keep }: CheckpointOptions,
  isResuming: boolean,
): Promise<Omit<Checkpointing, 'close'>> {
  const store = await openCheckpoints(folder, keep === undefined ? {} : { keep })
  const found = await store.latest()
  if (found && !isResuming) {
    throw new FoveaError('E_OPTION', {
      what: 'the folder holds checkpoints of an earlier training',
      where: folder,
      hint: 'continue from them with resume: true, or name another folder',
    })
  }
  const identity = await identityOf(training)
  const save = async (): Promise<void> => {
    await store.save(training.at.step, {
      tensors: await tensorsOf(training),
      facts: { identity, ...savedOf(training) },
    })
  }
  return {
    every,
    async resume() {
      if (!found) return undefined
      const { checkpoint, path, step, skipped } = found
      // what the first ones did not say
      const unsaid = {
        precision: 'float32',
        initialEpoch: 0,
        validationSampleWeight: identity['validationSampleWeight'],
      }
      const saved = { ...unsaid, ...(checkpoint.facts['identity'] as JsonObject) } as JsonObject
      checkIdentity(saved, identity, path)
      await restore(training, checkpoint.tensors, checkpoint.facts as unknown as SavedTraining, path)
      return { path, step, skipped: skipped.map(({ error }) => error.message) }
    },
    async begin() {
      if (!found) await save()
    },
    save,
  }
}

/** How far a training is, as a checkpoint has it. */
type SavedTraining = {
  readonly session: Pick<Session, 'steps' | 'epochs' | 'optimizer'>
  /** Of the training as it was asked for then. */
  readonly totalSteps: number
  readonly position: Omit<TrainingPosition, 'tally'> & { readonly tally: TallyState }
  readonly callbacks: Readonly<Record<string, unknown>>
}

function savedOf({ session, at, callbacks, totalSteps }: Training): JsonObject {
  const { tally, ...position } = at
  const states = callbacks.map(({ key, callback }) => [key, callback.state?.()])
  return {
    session: { steps: session.steps, epochs: session.epochs, optimizer: session.optimizer },
    totalSteps,
    position: { ...position, tally: { samples: tally.samples, sums: tally.sums } },
    callbacks: Object.fromEntries(states.filter(([, state]) => state !== undefined)),
  } as unknown as JsonObject
}

async function tensorsOf({ session: { state } }: Training): Promise<Record<string, StoredTensor>> {
  const tensors = await Promise.all(
    state.names.map(async (name) => {
      const { spec } = state.resident(name)
      return [name, { shape: spec.shape, data: await state.read(name) }] as const
    }),
  )
  return Object.fromEntries(tensors)
}

async function restore(
  { session, at, callbacks, totalSteps, readings }: Training,
  tensors: Readonly<Record<string, StoredTensor>>,
  { session: counts, totalSteps: then, position, callbacks: states }: SavedTraining,
  path: string,
): Promise<void> {
  const byKey = new Map(callbacks.map(({ key, callback }) => [key, callback]))
  const stray = Object.keys(states).find((key) => byKey.get(key)?.restore === undefined)
  if (stray !== undefined) {
    const got = [...byKey.keys()].join(', ') || 'none'
    const what = `the training had a callback '${stray}'`
    throw new FoveaError('E_MISMATCH', { what, where: path, got, hint: 'give the same callbacks again' })
  }
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    if (session.state.has(name)) await session.state.write(name, data)
    else await session.state.add(name, { shape, dtype: 'float32' }, () => data)
  }
  Object.assign(session, counts)
  const { tally, records, ...rest } = position
  Object.assign(at, { ...rest, tally: new Tally(readings, tally), records: [...records] as EpochRecord[] })
  if (totalSteps > then) Object.assign(at, { stopped: undefined, isDiverged: false }) // more was asked for since
  for (const [key, state] of Object.entries(states)) await byKey.get(key)?.restore?.(state as never)
}

function checkIdentity(saved: JsonObject, own: JsonObject, where: string): void {
  for (const name of new Set([...Object.keys(saved), ...Object.keys(own)])) {
    const [expected, got] = [saved[name], own[name]]
    if (JSON.stringify(expected) === JSON.stringify(got)) continue
    const what = `'${name}' differs from the training that wrote this checkpoint`
    const hint = 'use the same as before, or start again in another folder'
    const isDigest = typeof expected === 'string' && /^[0-9a-f]{64}$/.test(expected)
    const facts = isDigest ? {} : { expected: said(expected), got: said(got) }
    throw new FoveaError('E_MISMATCH', { what, where, ...facts, hint })
  }
}

const said = (value: Json | undefined): string => (value === undefined ? 'nothing' : show(value))
