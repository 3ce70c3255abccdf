/** One task, everybody who can do it in turns: A B C, C B A, A B C. */
import type { Contestant, Watched } from './contestant.ts'
import type { Entrant } from './contestants.ts'
import { median, QUIET, untilQuiet } from './measure.ts'
import { parametersOf } from './plain-network.ts'
import type { Facts, Hello, Profile, Task } from './protocol.ts'

/** Seconds for which anybody's turns may go on in all. */
const BUDGET = 20
const LONG = 3
/** Who needs longer for a batch gets a smaller one. */
const LONGEST_BATCH = 15

/** How long everything takes. */
export interface Pace {
  /** Seconds of a turn, and of a trial of a setting. */
  readonly turn: number
  readonly trial: number
  readonly trials: number
  /** Seconds that a task may lose by waiting until nobody else computes. */
  readonly patience: number
}
const PATIENCE = Number(process.env['FOVEA_BENCH_PATIENCE'] ?? 60)
/** For a whole network, and for one layer. */
export const paces = {
  network: { turn: 0.5, trial: 0.3, trials: 3, patience: PATIENCE },
  layer: { turn: 0.1, trial: 0.03, trials: 1, patience: PATIENCE / 10 },
} as const satisfies Record<string, Pace>

/** What somebody has shown. */
export interface Figure {
  readonly entrant: Entrant
  readonly task: Task
  readonly hello?: Hello
  /** Why there are no turns. */
  readonly error?: string
  /** The setting that was measured, and what all gave in their trials: images per second, or an error. */
  readonly setting?: string
  readonly settings?: Readonly<Record<string, number | string>>
  /** Smaller than the task's where that would take too long. */
  readonly batchSize: number
  readonly facts?: Facts | undefined
  readonly profile?: Partial<Profile>
  /** The largest distance of any probability from ours. */
  readonly difference?: number
  readonly parametersChecked: boolean
  /** One per round, until its time was used up. */
  readonly turns: readonly Lap[]
}

/** A turn in a round. */
export interface Lap extends Watched {
  readonly round: number
}

export const speedOf = ({ images, seconds }: Watched): number => images / seconds
export const isQuiet = ({ others = 0 }: Watched): boolean => others < QUIET

/** Ready for its turns. */
interface Racer {
  readonly contestant: Contestant
  readonly way: string
  readonly figure: Figure & { readonly turns: Lap[] }
  readonly answer: readonly number[] | undefined
}

export async function compare(task: Task, entrants: readonly Entrant[], rounds: number): Promise<Figure[]> {
  const pace = paces[task.row ? 'layer' : 'network']
  const racers: Racer[] = []
  const failed: Figure[] = []
  for (const entrant of entrants) {
    try {
      racers.push(await prepare(entrant, task, pace))
    } catch (error) {
      failed.push({ entrant, task, batchSize: task.batchSize, turns: [], parametersChecked: false, error: said(error) })
    }
  }
  const finished = await race(racers, rounds, pace)
  for (const entrant of entrants) await entrant.release()
  return [...withDifferences(finished), ...failed]
}

async function race(racers: readonly Racer[], rounds: number, pace: Pace): Promise<Racer[]> {
  const fallen = new Map<Racer, string>()
  const isRacing = (racer: Racer): boolean =>
    !fallen.has(racer) && racer.figure.turns.reduce((sum, { seconds }) => sum + seconds, 0) < BUDGET
  // on a machine that others use too, up to three times as many rounds for as many quiet ones
  const quietRounds = (): number =>
    Math.min(...racers.filter(isRacing).map(({ figure }) => figure.turns.filter(isQuiet).length))
  let { patience } = pace
  for (let round = 0; round < 3 * rounds && racers.some(isRacing) && quietRounds() < rounds; round++) {
    for (const racer of round % 2 === 0 ? racers : racers.toReversed()) {
      if (!isRacing(racer)) continue
      patience -= await untilQuiet(Math.min(5, patience))
      try {
        racer.figure.turns.push({ ...(await racer.contestant.turn({ setting: racer.way, seconds: pace.turn })), round })
      } catch (error) {
        fallen.set(racer, said(error))
      }
    }
  }
  const done: Racer[] = []
  for (const racer of racers) {
    const profile = fallen.has(racer) ? {} : await profileOf(racer)
    const error = fallen.get(racer) ?? lacksAmx(racer.figure, profile)
    done.push({ ...racer, figure: { ...racer.figure, ...(error && { error }), profile } })
  }
  return done
}

async function profileOf({ contestant, way }: Racer): Promise<Partial<Profile>> {
  try {
    return await contestant.ask('profile', { setting: way })
  } catch {
    return {}
  }
}

/** bfloat16 where the engine says that it has AMX, and none of its kernels is one for that: something holds it back. */
function lacksAmx({ task, facts }: Figure, { kernels }: Partial<Profile>): string | undefined {
  const shouldHave = task.precision === 'mixed_bfloat16' && facts?.runsOn.includes('AMX') && kernels !== undefined
  if (!shouldHave || kernels.some((name) => name.includes('amx'))) return undefined
  return `bfloat16 without AMX: ${kernels.join(', ') || 'no kernels'}`
}

/** A setting that is tried out. */
interface Way {
  readonly contestant: Contestant
  readonly way: string
  readonly label: string
  readonly speeds: number[]
  /** A first turn so long that warming up is nothing beside it. */
  long?: Watched
  error?: string
}

/** Others may have slowed a trial down, nobody can have made it faster. */
const fastest = ({ speeds }: Way): number => Math.max(0, ...speeds)

/** Starts and prepares, chooses the fastest setting, and warms up. */
async function prepare(entrant: Entrant, whole: Task, pace: Pace): Promise<Racer> {
  const task = { ...whole, batchSize: await batchFor(entrant, whole) }
  const ways: Way[] = []
  let facts: Facts | undefined
  let parametersChecked = false
  for (const command of Object.keys(entrant.commands)) {
    const contestant = await entrant.process(command)
    const prepared = await contestant.ask('prepare', { task })
    parametersChecked = checkParameters(task, prepared.parameters)
    facts = prepared.facts
    for (const way of prepared.settings)
      ways.push({ contestant, way, label: [way, command].filter(Boolean).join(', '), speeds: [] })
  }
  await tryOut(ways, pace)
  const best = ways.filter(({ error }) => !error).sort((a, b) => fastest(b) - fastest(a))[0]
  if (!best) throw new Error(ways[0]?.error ?? 'has no way to do it')
  const { contestant, way, label, long } = best
  const settings = Object.fromEntries(ways.map((way) => [way.label, way.error ?? fastest(way)]))
  const answer = task.mode === 'infer' ? (await contestant.ask('answer', { setting: way })).values : undefined
  return {
    contestant,
    way,
    answer,
    figure: {
      ...{ entrant, task: whole, hello: contestant.hello, setting: label, settings },
      ...{ batchSize: task.batchSize, facts, parametersChecked, turns: long ? [{ ...long, round: 0 }] : [] },
    },
  }
}

/** Warms every way up, then tries them in turns; those at less than half the speed of the best are out after one. */
async function tryOut(ways: readonly Way[], pace: Pace): Promise<void> {
  let { patience } = pace
  for (let trial = 0; trial < (ways.length > 1 ? pace.trials + 1 : 1); trial++) {
    const best = Math.max(...ways.map(fastest))
    for (const way of ways) {
      if (way.error !== undefined || fastest(way) < best / 2) continue
      if (trial > 0) patience -= await untilQuiet(Math.min(2, patience))
      try {
        const turn = await way.contestant.turn({ setting: way.way, seconds: pace.trial })
        if (trial > 0 || ways.length === 1) way.speeds.push(speedOf(turn))
        if (turn.seconds > LONG) way.long = turn
      } catch (error) {
        way.error = said(error)
      }
    }
  }
}

/** Those who may take minutes for a batch are tried on one image first. */
async function batchFor(entrant: Entrant, task: Task): Promise<number> {
  if (!entrant.row.isSlow || task.batchSize === 1) return task.batchSize
  const contestant = await entrant.process('')
  const { settings } = await contestant.ask('prepare', { task: { ...task, batchSize: 1 } })
  const { seconds } = await contestant.ask('turn', { setting: settings[0], seconds: 0 })
  return [task.batchSize, 8].find((size) => size * seconds < LONGEST_BATCH) ?? 1
}

function checkParameters({ layers }: Task, theirs: readonly number[]): boolean {
  const ours = parametersOf(layers)
  if (theirs.length > 0 && theirs.join() !== ours.join())
    throw new Error(`parameters by layer are ${theirs.join()}, expected ${ours.join()}`)
  return theirs.length > 0
}

/** Predictions must be those of our engine (in float32, where somebody computes in it), or the figures mean nothing. A layer's too. */
function withDifferences(racers: readonly Racer[]): Figure[] {
  const ours = racers.find(({ figure }) => figure.entrant.isOurs)?.answer
  return racers.map(({ figure, answer }) => {
    if (!ours || !answer || figure.entrant.isOurs || figure.task.row?.draws) return figure
    const difference = Math.max(...answer.map((value, i) => Math.abs(value - ours[i])))
    const limit = figure.task.precision === 'float32' ? 1e-4 : 0.05
    if (difference < limit) return { ...figure, difference }
    return { ...figure, turns: [], difference, error: `its answers differ by ${difference}` }
  })
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Turns that count: the quiet ones, or all when they are fewer than half. */
export function counted<T extends Watched>(turns: readonly T[]): readonly T[] {
  const quiet = turns.filter(isQuiet)
  return quiet.length * 2 >= turns.length ? quiet : turns
}

/** Median over rounds of ours / theirs, each round by itself. */
export function ratioOf(ours: Figure, theirs: Figure): number {
  const rounds = theirs.turns.flatMap((turn) => {
    const own = ours.turns.find(({ round }) => round === turn.round)
    return own ? [[own, turn] as const] : []
  })
  const quiet = rounds.filter((pair) => pair.every(isQuiet))
  const taken = quiet.length * 2 >= rounds.length ? quiet : rounds
  return median(taken.map(([a, b]) => speedOf(a) / speedOf(b)))
}
