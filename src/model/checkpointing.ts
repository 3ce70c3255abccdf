/** A training in checkpoints: what goes in, what comes back, and whether it belongs to this training. */
import { sha256 } from '#platform'
import { FoveaError } from '../base/errors.ts'
import { show } from '../base/options.ts'
import { dataHash } from '../data/data-hash.ts'
import type { StoredTensor } from './checkpoint.ts'
import { openCheckpoints } from './checkpoint-store.ts'
import type { Facts } from './facts.ts'
import type { TallyState } from './feed.ts'
import { Tally } from './feed.ts'
import { networkToJson } from './file.ts'
import type { CheckpointOptions } from './fit-options.ts'
import type { Callback, EpochRecord, TrainingInfo } from './history.ts'
import type { Position, Training } from './training.ts'

export interface Checkpoints {
  /** Steps from one to the next. */
  readonly every: number
  /** Puts the training where its last checkpoint was; tells what was found, or undefined when there was none. */
  resume(): Promise<TrainingInfo['resumed']>
  /** With no step under way. */
  save(): Promise<void>
}

/** Settings that may change from a run to its continuation. */
const free = new Set(['epochs', 'steps', 'maxTime', 'onNonFinite'])

/** What must be the same for a training to go on to the bit, by the word for it in a complaint. */
async function identityOf({ session, data, validation, settings, objective, weighting }: Training): Promise<Facts> {
  const { samples } = weighting
  const fixed = Object.entries(settings).filter(([name]) => !free.has(name))
  return JSON.parse(
    JSON.stringify({
      model: networkToJson(session.network, 'functional'),
      data: await dataHash(data),
      validation: validation && (await dataHash(validation)),
      sampleWeight: samples && (await sha256(new Uint8Array(Float32Array.from(samples).buffer))),
      objective,
      ...Object.fromEntries(fixed),
    }),
  )
}

/** Opens a folder; one that holds checkpoints already is refused unless the training goes on from them. */
export async function openCheckpointing(
  training: Training,
  { folder, every = Infinity, keep }: CheckpointOptions & { keep?: number | undefined },
  isResuming: boolean,
): Promise<Checkpoints> {
  const store = await openCheckpoints(folder, keep === undefined ? {} : { keep })
  const found = await store.latest()
  if (found && !isResuming) {
    throw new FoveaError('E_OPTION', {
      what: 'the folder holds checkpoints of an earlier training',
      where: folder,
      hint: 'go on from them with resume: true, or name another folder',
    })
  }
  const identity = await identityOf(training)
  return {
    every,
    async resume() {
      if (!found) return undefined
      const { checkpoint, path, step, skipped } = found
      checkIdentity(checkpoint.facts['identity'] as Facts, identity, path)
      await restore(training, checkpoint.tensors, checkpoint.facts as unknown as TrainingFacts, path)
      return { path, step, skipped: skipped.map(({ error }) => error.message) }
    },
    async save() {
      const { at } = training
      await store.save(at.step, { tensors: await tensorsOf(training), facts: { identity, ...factsOf(training) } })
    },
  }
}

/** How far a training is, as a checkpoint has it. */
type TrainingFacts = {
  readonly session: { readonly steps: number; readonly epochs: number }
  readonly position: Omit<Position, 'tally'> & { readonly tally: TallyState }
  readonly callbacks: Readonly<Record<string, unknown>>
}

function factsOf({ session, at, callbacks }: Training): Facts {
  const { tally, ...position } = at
  const states = keyed(callbacks).map(([key, callback]) => [key, callback.state?.()])
  return {
    session: { steps: session.steps, epochs: session.epochs },
    position: { ...position, tally: { samples: tally.samples, sums: tally.sums } },
    callbacks: Object.fromEntries(states.filter(([, state]) => state !== undefined)),
  } as unknown as Facts
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
  { session, at, callbacks }: Training,
  tensors: Readonly<Record<string, StoredTensor>>,
  { session: counts, position, callbacks: states }: TrainingFacts,
  path: string,
): Promise<void> {
  const byKey = new Map(keyed(callbacks))
  const astray = Object.keys(states).find((key) => byKey.get(key)?.restore === undefined)
  if (astray !== undefined) {
    const got = [...byKey.keys()].join(', ') || 'none'
    const what = `the training had a callback '${astray}'`
    throw new FoveaError('E_MISMATCH', { what, where: path, got, hint: 'give the same callbacks again' })
  }
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    if (session.state.has(name)) await session.state.write(name, data)
    else await session.state.add(name, { shape, dtype: 'float32' }, () => data)
  }
  Object.assign(session, counts)
  const { tally, records, ...rest } = position
  Object.assign(at, { ...rest, tally: new Tally(tally), records: [...records] as EpochRecord[] })
  at.rates = [...at.rates]
  for (const [key, state] of Object.entries(states)) await byKey.get(key)?.restore?.(state as never)
}

/** Callbacks by name; a second one of a name gets a number. */
function keyed(callbacks: readonly Callback[]): [string, Callback][] {
  const counts = new Map<string, number>()
  return callbacks.map((callback) => {
    const name = callback.name ?? 'callback'
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return [count === 1 ? name : `${name} ${count}`, callback]
  })
}

function checkIdentity(saved: Facts, own: Facts, where: string): void {
  for (const name of new Set([...Object.keys(saved), ...Object.keys(own)])) {
    const [expected, got] = [saved[name], own[name]]
    if (JSON.stringify(expected) === JSON.stringify(got)) continue
    const what = `another ${name} than the training had that this checkpoint belongs to`
    const hint = 'go on with the same, or begin anew in another folder'
    throw new FoveaError('E_MISMATCH', { what, where, expected: show(expected), got: show(got), hint })
  }
}
