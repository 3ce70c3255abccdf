/** Memory: every arena buffer's offset, known before the first run. */
import { Addresses } from './addresses.ts'
import type { Buffer } from './step.ts'

/** One thing done in order, and the buffers it touches; scratch is both read and written. */
export interface Touch {
  readonly reads: readonly Buffer[]
  readonly writes: readonly Buffer[]
  /** The result may be written over an operand that dies here and has as many bytes (element i needs only element i). */
  readonly inPlace?: boolean
}

export interface MemoryPlan {
  readonly offsets: ReadonlyMap<Buffer, number>
  /** Bytes of the arena. */
  readonly peakBytes: number
  /** The most that is alive at any one time: no plan can do with less. */
  readonly liveBytes: number
}

/** Bytes beside arena and state: constants, what programs keep from run to run, next values of the state. */
export function ownBytes(touches: readonly Touch[]): number {
  const own = new Set(touches.flatMap(({ reads, writes }) => [...reads, ...writes]))
  const bytes = [...own].map(({ bytes, home }) => (home.in === 'arena' || home.in === 'state' ? 0 : bytes))
  return bytes.reduce((a, b) => a + b, 0)
}

/** What an engine's kernels ask of the buffers that they work on. */
export interface MemoryRules {
  /** Every buffer of the arena starts at a multiple of so many bytes. */
  readonly alignment: number
  /** Bytes behind the end of a buffer that kernels may read, whatever lies there. */
  readonly slack: number
  /** May a step write over an operand of which it reads, for element i, only element i? */
  readonly inPlace: boolean
}

interface Span {
  readonly buffers: Buffer[]
  readonly bytes: number
  /** The first and the last time: 0 is before the first touch, touch i happens at i + 1. */
  readonly first: number
  last: number
  /** What it takes up in the arena. */
  readonly space: number
}

/**
 * Places buffers so that no two that live at the same time overlap. `before` are filled before the first thing
 * happens, `after` are read when all is done. Largest first, each at the lowest place that fits.
 */
export function planMemory(
  touches: readonly Touch[],
  before: readonly Buffer[],
  after: readonly Buffer[],
  rules: MemoryRules,
): MemoryPlan {
  const spans = lifetimes(touches, { before, after }, rules)
  const addresses = new Addresses(spans.length)
  const offsets = new Map<Buffer, number>()
  let peakBytes = 0
  for (const { buffers, first, last, space } of [...spans].sort((a, b) => b.space - a.space || a.first - b.first)) {
    const offset = addresses.take(first, last, space)
    for (const buffer of buffers) offsets.set(buffer, offset)
    peakBytes = Math.max(peakBytes, offset + space)
  }
  return { offsets, peakBytes, liveBytes: mostAlive(spans, touches.length + 2) }
}

function lifetimes(
  touches: readonly Touch[],
  { before, after }: Record<'before' | 'after', readonly Buffer[]>,
  { alignment, slack, inPlace: mayOverwrite }: MemoryRules,
): Span[] {
  const spaceOf = (bytes: number): number => Math.ceil((bytes + slack) / alignment) * alignment
  const spanOf = new Map<Buffer, Span>()
  const touch = (buffer: Buffer, time: number): void => {
    if (buffer.home.in !== 'arena') return
    const span = spanOf.get(buffer)
    if (span) span.last = Math.max(span.last, time)
    else
      spanOf.set(buffer, {
        buffers: [buffer],
        bytes: buffer.bytes,
        first: time,
        last: time,
        space: spaceOf(buffer.bytes),
      })
  }
  for (const buffer of before) touch(buffer, 0)
  touches.forEach(({ reads, writes }, i) => {
    for (const buffer of reads) touch(buffer, i + 1)
    for (const buffer of writes) touch(buffer, i + 1)
  })
  for (const buffer of after) touch(buffer, touches.length + 1)

  touches.forEach(({ reads, writes, inPlace }, i) => {
    if (!inPlace || !mayOverwrite) return
    const time = i + 1
    const written = new Set(writes)
    const read = reads.filter((x) => !written.has(x)).map((x) => spanOf.get(x))
    const dying = [...new Set(read)].filter((x) => x?.last === time) as Span[]
    for (const target of writes) {
      const own = spanOf.get(target)
      if (!own || own.first !== time) continue
      const index = dying.findIndex((x) => x !== own && x.bytes === own.bytes)
      if (index < 0) continue
      const [under] = dying.splice(index, 1)
      under.last = own.last
      under.buffers.push(...own.buffers)
      for (const buffer of own.buffers) spanOf.set(buffer, under)
    }
  })
  return [...new Set(spanOf.values())]
}

function mostAlive(spans: readonly Span[], times: number): number {
  const changes = new Float64Array(times + 1)
  for (const { first, last, space } of spans) {
    changes[first] += space
    changes[last + 1] -= space
  }
  let [alive, most] = [0, 0]
  for (const change of changes) {
    alive += change
    most = Math.max(most, alive)
  }
  return most
}
