/** Where the time of a training step or of a prediction goes, stage by stage, and what it needs. */
import type { Options } from '../base/options.ts'
import { choice, integer } from '../base/options.ts'
import { split64 } from '../base/random.ts'
import type { StageTime } from '../compile/engine.ts'
import type { Program } from '../compile/program.ts'
import { readBatch } from '../data/reader.ts'
import { predictionGoals, trainingGoals, trainingSpecs } from '../network/graphs.ts'
import type { Session } from '../network/session.ts'
import type { Head } from '../nn/heads.ts'
import type { SettledOptimizer } from '../nn/optimizers.ts'
import { stepRates } from '../nn/step.ts'
import { fed, IN_FLIGHT, onlyKnown } from './batch-inputs.ts'
import { weightInputs } from './sample-weights.ts'
import type { Task } from './task.ts'

export const profileOptions = {
  mode: choice(['train', 'predict'], { says: 'a step of fit, or of predict', default: 'train' }),
  steps: integer({ says: 'steps that are measured, after a few that are not', min: 1, default: 20 }),
}
export type ProfileOptions = Options<typeof profileOptions>

/** A stage of a step: part of an op, an op, or several that were fused. */
export interface StageShare extends StageTime {
  /** Of all stages together. */
  readonly share: number
}

export interface StepProfile {
  readonly mode: 'train' | 'predict'
  readonly batchSize: number
  /** Of one step; measured apart from the stages. */
  readonly seconds: number
  readonly imagesPerSecond: number
  /** Planned for a step, without weights and optimizer state. */
  readonly arenaBytes: number
  /** In the order in which they run; seconds of one step. */
  readonly stages: readonly StageShare[]
}

/** Steps that are not measured: memory is touched, code compiled. */
export const WARM = 3

export interface StepSettings {
  readonly mode: 'train' | 'predict'
  readonly steps: number
  readonly batchSize: number
  readonly seed: number
  readonly optimizer: SettledOptimizer
  readonly heads: Readonly<Record<string, Head>>
}

/** Takes steps on the first batch of the data, again and again. The session is changed by steps of training: give a copy. */
export async function profile(session: Session, task: Task, settings: StepSettings): Promise<StepProfile> {
  const { mode, steps } = settings
  const batchSize = Math.min(settings.batchSize, task.data.length)
  const { program, run } = await stepOf(session, task, { ...settings, batchSize })
  for (let i = 0; i < WARM; i++) await run()
  const seconds = await timed(run, steps)
  const before = await program.profile()
  for (let i = 0; i < steps; i++) await run()
  const after = await program.profile()
  const times = after.map((stage, i) => ({ ...stage, seconds: (stage.seconds - before[i].seconds) / steps }))
  const total = times.reduce((sum, stage) => sum + stage.seconds, 0)
  return {
    mode,
    batchSize,
    seconds,
    imagesPerSecond: batchSize / seconds,
    arenaBytes: program.memory.peakBytes,
    stages: times.map((stage) => ({ ...stage, share: total > 0 ? stage.seconds / total : 0 })),
  }
}

/** Seconds of a step where, as in training, the next one is begun before the one before it is done. */
export async function timed(run: () => Promise<unknown>, steps: number): Promise<number> {
  const start = performance.now()
  const pending: Promise<unknown>[] = []
  for (let i = 0; i < steps; i++) {
    pending.push(run())
    if (pending.length >= IN_FLIGHT) await pending.shift()
  }
  await Promise.all(pending)
  return (performance.now() - start) / 1000 / steps
}

/** The program of a step, and what runs it on the first batch. */
export async function stepOf(
  session: Session,
  { data, objective }: Task,
  { mode, batchSize: size, seed, optimizer, heads }: StepSettings,
): Promise<{ program: Program; run: () => Promise<unknown> }> {
  const { network } = session
  const indices = Uint32Array.from({ length: size }, (_, i) => i)
  const arrays = await readBatch(data, indices, { reading: { mode: 'train', epoch: 1, seed } })
  const batch = { inputs: data.inputs, targets: data.targets, size }
  if (mode === 'train') await session.addFilled(trainingSpecs(network, optimizer))
  const program = await session.program(`profile ${mode} ${size}`, () =>
    mode === 'train'
      ? trainingGoals(network, objective, batch, optimizer)
      : predictionGoals(network, objective.inputs, heads, batch),
  )
  const rates = Object.entries(stepRates(optimizer, { step: 0, total: 1 }))
  const given = {
    ...fed(arrays, program),
    ...onlyKnown(program, {
      ...weightInputs(arrays, objective, { indices, capacity: size }, {}),
      ...Object.fromEntries(rates.map(([name, value]) => [`rate/${name}`, Float64Array.of(value)])),
      key: Int32Array.from([...split64(seed), 0, 0]),
    }),
  }
  return { program, run: () => program.run(given) }
}
