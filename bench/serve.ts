/** The side of the conversation that takes part: answers questions until its input ends. See protocol.ts. */
import { createInterface } from 'node:readline'
import type { Answered, Asked, Hello, Prepared, Profile, Task } from './protocol.ts'

/** A task made ready. Each way computes one batch; all of them give the same. */
export interface Ready {
  readonly ways: Readonly<Record<string, () => unknown>>
  readonly parameters: readonly number[]
  readonly facts?: Prepared['facts']
  /** Steps under way at once, 1 when absent. */
  readonly inFlight?: 1 | 2
  /** Class probabilities of the batch; for predictions. */
  readonly answer?: (setting: string) => Promise<ArrayLike<number>> | ArrayLike<number>
  readonly peak?: (() => Promise<number>) | undefined
  readonly profile?: (() => Promise<Profile>) | undefined
  readonly release?: () => unknown
}

export interface Contestant {
  readonly hello: Hello
  readonly prepare: (task: Task) => Promise<Ready> | Ready
  /** Ready with one step taken, and nothing else done. */
  readonly first?: (task: Task) => Promise<Ready>
  readonly epochs?: (asked: Asked['epochs']) => Promise<Answered['epochs']>
  readonly lowLevel?: (asked: Asked['lowLevel']) => Promise<Answered['lowLevel']>
}

/** Batches until the time is over, one at least. */
async function turn({ ways, inFlight = 1, peak }: Ready, batchSize: number, { setting, seconds }: Asked['turn']) {
  const run = ways[setting]
  const before = await peak?.()
  const start = performance.now()
  let [done, now] = [0, start]
  let pending: unknown
  while (done === 0 || now - start < seconds * 1000) {
    const next = run()
    await (inFlight === 1 ? next : pending)
    pending = next
    done++
    now = performance.now()
  }
  await pending
  const taken = (performance.now() - start) / 1000
  const after = await peak?.()
  const most = before !== undefined && after !== undefined ? { peak: Math.max(before, after) } : {}
  return { images: done * batchSize, seconds: taken, ...most }
}

export async function serve({ hello, prepare, first, epochs, lowLevel }: Contestant): Promise<void> {
  const say = (line: unknown): unknown => process.stdout.write(`${JSON.stringify(line)}\n`)
  console.log = console.error // whatever a library says, it is no answer
  let ready: Ready | undefined
  let batchSize = 1
  const prepared = (): Ready => {
    if (ready) return ready
    throw new Error('nothing is prepared')
  }
  const release = async (): Promise<void> => {
    await ready?.release?.()
    ready = undefined
  }
  const answers: { readonly [K in keyof Asked]: (asked: Asked[K]) => Promise<Answered[K]> | Answered[K] } = {
    prepare: async ({ task }) => {
      await release()
      ready = await prepare(task)
      batchSize = task.batchSize
      const { parameters, facts } = ready
      return { settings: Object.keys(ready.ways), parameters, ...(facts && { facts }) }
    },
    first: async ({ task }) => {
      if (!first) throw new Error('is not asked for its first step')
      ready = await first(task)
      batchSize = task.batchSize
      return { setting: Object.keys(ready.ways)[0] }
    },
    answer: async ({ setting }) => ({ values: Array.from((await prepared().answer?.(setting)) ?? []) }),
    turn: (asked) => turn(prepared(), batchSize, asked),
    profile: async () => (await prepared().profile?.()) ?? {},
    memory: () => ({ peakBytes: process.resourceUsage().maxRSS * 1024 }),
    release: async () => {
      await release()
      return {}
    },
    epochs: (asked) => {
      if (epochs) return epochs(asked)
      throw new Error('does not read files')
    },
    lowLevel: (asked) => {
      if (lowLevel) return lowLevel(asked)
      throw new Error('has no low-level way')
    },
  }
  say(hello)
  for await (const line of createInterface({ input: process.stdin })) {
    const { ask, ...asked } = JSON.parse(line) as { readonly ask: keyof Asked }
    try {
      say(await answers[ask](asked as never))
    } catch (error) {
      say({ error: error instanceof Error ? error.message : String(error) })
    }
  }
  process.exit() // workers of libraries are never released
}
