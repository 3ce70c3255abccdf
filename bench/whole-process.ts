/** What shows only in a process from its beginning: the time to the first trained step, the memory, an epoch from files. */
import { datasets } from '../src/index.ts'
import { Contestant } from './contestant.ts'
import type { Entrant } from './contestants.ts'
import { median } from './measure.ts'
import type { Precision, Task } from './protocol.ts'

/** Steps are run for so long before memory is read. */
const SETTLED = 1

interface Run<T> {
  readonly entrant: Entrant
  readonly task: Task
  readonly setting: string
  /** The way it is started. */
  readonly command: string
  readonly values: T[]
  version: string
  error?: string
}

export interface Start {
  readonly name: string
  readonly version: string
  readonly isOurs: boolean
  readonly workload: string
  readonly precision: Precision
  readonly batchSize: number
  readonly firstStepSeconds: number
  readonly peakRssBytes: number
}

export interface Epoch {
  readonly name: string
  readonly version: string
  readonly isOurs: boolean
  readonly workload: string
  readonly precision: Precision
  readonly batchSize: number
  /** PyTorch's way to make batches. */
  readonly setting: string
  readonly readSeconds: number
  readonly epochSeconds: number
  readonly imagesPerSecond: number
  readonly accuracy: number
}

/** Medians over rounds of fresh processes, in turns; what cannot be done is in `errors`. */
async function inTurns<T>(
  runs: readonly Run<T>[],
  rounds: number,
  measure: (c: Contestant, run: Run<T>) => Promise<T>,
) {
  for (let round = 0; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      if (run.error !== undefined) continue
      let contestant: Contestant | undefined
      try {
        const started = Contestant.start(run.entrant.commands[run.command])
        contestant = await started
        run.version = contestant.hello.version
        run.values.push(await measure(contestant, run))
      } catch (error) {
        run.error = error instanceof Error ? error.message : String(error)
      }
      contestant?.close()
    }
  }
  const failures = runs.flatMap((run) =>
    run.error === undefined ? [] : [{ ...described(run), mode: 'train', error: run.error } as const],
  )
  return { done: runs.filter(({ error }) => error === undefined), failures }
}

const runOf = <T>(entrant: Entrant, task: Task, setting: string, command = ''): Run<T> => ({
  ...{ entrant, task, setting, command, values: [], version: '' },
})
const described = ({ entrant, task, version }: Run<unknown>) => ({
  ...{ name: entrant.name, version, isOurs: entrant.isOurs },
  ...{ workload: task.workload, precision: task.precision, batchSize: task.batchSize },
})

/** From the start of the process to the end of its first training step, everything included. */
export async function measureStarts(entrants: readonly Entrant[], tasks: readonly Task[], rounds: number) {
  const runs = tasks.flatMap((task) =>
    entrants
      .filter((entrant) => entrant.does('train', task.precision))
      .map((entrant) => runOf<{ seconds: number; peakBytes: number }>(entrant, task, '')),
  )
  const { done, failures } = await inTurns(runs, rounds, async (contestant, { task }) => {
    const { setting } = await contestant.ask('first', { task })
    const seconds = contestant.age
    await contestant.turn({ setting, seconds: SETTLED })
    return { seconds, ...(await contestant.ask('memory', {})) }
  })
  const figures = done.map(
    (run): Start => ({
      ...described(run),
      firstStepSeconds: median(run.values.map(({ seconds }) => seconds)),
      peakRssBytes: median(run.values.map(({ peakBytes }) => peakBytes)),
    }),
  )
  return { figures, failures }
}

/** An epoch of MNIST from its files: reading and unpacking apart, shuffling, batches, loss and accuracy included. */
export async function measureEpochs(entrants: readonly Entrant[], tasks: readonly Task[], rounds: number) {
  const folder = mnistFolder()
  folder.catch(() => {}) // those who need it hear of it
  const runs = tasks.flatMap((task) =>
    entrants
      .filter((entrant) => entrant.does('train', task.precision))
      .flatMap((entrant) =>
        (entrant.isOurs ? ['fit'] : ['tensors', 'DataLoader']).flatMap((setting) =>
          // every way to start it: which is the fastest, a reader of the figures sees
          Object.keys(entrant.commands).map((command) =>
            runOf<{ readSeconds: number; seconds: readonly number[]; accuracy: number }>(
              entrant,
              task,
              setting,
              command,
            ),
          ),
        ),
      ),
  )
  const { done, failures } = await inTurns(runs, rounds, async (contestant, { task, setting }) =>
    contestant.ask('epochs', { task, folder: await folder, setting, epochs: 1 }, 1200),
  )
  const figures = done.map((run): Epoch => {
    const epochSeconds = median(run.values.map(({ seconds }) => seconds[0]))
    return {
      ...described(run),
      setting: [run.setting, run.command].filter(Boolean).join(', '),
      readSeconds: median(run.values.map(({ readSeconds }) => readSeconds)),
      epochSeconds,
      imagesPerSecond: 60_000 / epochSeconds,
      accuracy: median(run.values.map(({ accuracy }) => accuracy)),
    }
  })
  return { figures, failures }
}

/** Where the files are; they are downloaded when they are nowhere. */
async function mnistFolder(): Promise<string> {
  const sourceOf = async () => (await datasets.mnist()).train.source ?? ''
  const source = await sourceOf()
  return source.startsWith('http') ? sourceOf() : source
}
