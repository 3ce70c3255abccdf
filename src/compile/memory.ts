/** Memory: every arena buffer's offset, known before the first run. */
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
  first: number
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
  const placed: (Span & { offset: number })[] = []
  for (const span of [...spans].sort((a, b) => b.space - a.space || a.first - b.first)) {
    const rivals = placed
      .filter((x) => x.first <= span.last && span.first <= x.last)
      .sort((a, b) => a.offset - b.offset)
    let offset = 0
    for (const rival of rivals) {
      if (rival.offset - offset >= span.space) break
      offset = Math.max(offset, rival.offset + rival.space)
    }
    placed.push({ ...span, offset })
  }
  const offsets = new Map(placed.flatMap(({ buffers, offset }) => buffers.map((buffer) => [buffer, offset] as const)))
  const peakBytes = placed.reduce((peak, x) => Math.max(peak, x.offset + x.space), 0)
  return { offsets, peakBytes, liveBytes: mostAlive(spans, touches.length) }
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
  for (const buffer of before) touch(buffer, -1)
  touches.forEach(({ reads, writes }, time) => {
    for (const buffer of reads) touch(buffer, time)
    for (const buffer of writes) touch(buffer, time)
  })
  for (const buffer of after) touch(buffer, touches.length)

  touches.forEach(({ reads, writes, inPlace }, time) => {
    if (!inPlace || !mayOverwrite) return
    const taken = new Set<Span>()
    for (const target of writes) {
      const own = spanOf.get(target)
      if (!own || own.first !== time) continue
      const dying = reads
        .filter((x) => !writes.includes(x))
        .map((x) => spanOf.get(x))
        .find((x) => x && !taken.has(x) && x !== own && x.last === time && x.bytes === own.bytes)
      if (!dying) continue
      taken.add(dying)
      dying.last = own.last
      dying.buffers.push(...own.buffers)
      for (const buffer of own.buffers) spanOf.set(buffer, dying)
    }
  })
  return [...new Set(spanOf.values())]
}

function mostAlive(spans: readonly Span[], end: number): number {
  let most = 0
  for (let time = -1; time <= end; time++) {
    const alive = spans.reduce((sum, x) => sum + (x.first <= time && time <= x.last ? x.space : 0), 0)
    most = Math.max(most, alive)
  }
  return most
}
