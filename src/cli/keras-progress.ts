/** How training goes, as versions of Keras show it: for those who compare with a book, a slide or a notebook. */
import type { Callback, Logs, Progress, TrainingInfo } from '../training/history.ts'
import { logsOf } from '../training/history.ts'
import { durationText, metricTexts } from './number-text.ts'
import type { Segment, Terminal } from './terminal.ts'

/** What a version of Keras shows. */
interface Look {
  /** What is counted, and what the time at the end is of. */
  readonly counts: 'steps' | 'samples'
  /** What stands between the count and the times. */
  readonly bar: (share: number) => readonly Segment[]
  /** Before the times: ` ` or ` - `. */
  readonly glue: string
  /** The times while it moves: of what is left, and of a step. */
  readonly running: (left: string, each: string) => string
  readonly order: (a: string, b: string) => number
  /** Its word for a log. */
  readonly nameOf: (log: string) => string
  /** What is said before the first epoch. */
  readonly opening?: (info: TrainingInfo) => string | undefined
}

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const isOfValidation = (log: string): number => Number(log.startsWith('val_'))
const isNoLoss = (log: string): number => Number(!/^(val_)?loss$/.test(log))
/** The loss first; those of validation behind all others. */
const lossFirst = (a: string, b: string): number =>
  isOfValidation(a) - isOfValidation(b) || isNoLoss(a) - isNoLoss(b) || byName(a, b)

/** `[=======>......................]` */
function arrow(share: number): readonly Segment[] {
  const done = Math.trunc(30 * share)
  const head = share < 1 ? '>' : '='
  return [`[${done > 0 ? '='.repeat(done - 1) + head : ''}${'.'.repeat(30 - done)}]`]
}

/** `━━━━━━━━━━━━━━━━━━━━`, the part that is done in green. */
function line(share: number): readonly Segment[] {
  const done = Math.trunc(20 * share)
  return [
    { style: 'green', text: '━'.repeat(done) },
    { style: 'dim', text: '━'.repeat(20 - done) },
  ]
}

const keras2 = {
  counts: 'steps',
  bar: arrow,
  glue: ' - ',
  running: (left) => `ETA: ${left}`,
  order: lossFirst,
  nameOf: (log) => log,
} satisfies Look

const looks = {
  keras3: {
    counts: 'steps',
    bar: line,
    glue: ' ',
    running: (left, each) => `${left} ${each}`,
    order: byName,
    nameOf: (log) => log,
  },
  keras2,
  'keras2.2': {
    ...keras2,
    counts: 'samples',
    nameOf: (log) => log.replace(/accuracy$/, 'acc'),
    opening: ({ samples, validationSamples }) =>
      samples === undefined
        ? undefined
        : `Train on ${samples} samples${validationSamples > 0 ? `, validate on ${validationSamples} samples` : ''}`,
  },
} as const satisfies Record<string, Look>

export type KerasLook = keyof typeof looks
export const kerasLooks = Object.keys(looks) as KerasLook[]

/** `45us`, `5ms`, `2s` of one step or sample. */
function timeOfOne(seconds: number): string {
  if (seconds >= 1 || seconds === 0) return `${seconds.toFixed(0)}s/step`
  return seconds >= 1e-3 ? `${(seconds * 1e3).toFixed(0)}ms/step` : `${(seconds * 1e6).toFixed(0)}us/step`
}

/** A line per epoch, which moves where someone watches. */
export function kerasProgress(terminal: Terminal, name: KerasLook): Callback {
  const look: Look = looks[name]
  let epochs = 0
  let target = 0
  let latest: Progress | undefined
  let drawnAt = -Infinity
  const countOf = ({ batch, samples }: Progress): number => (look.counts === 'steps' ? batch : samples)
  const parts = (done: number, times: string, logs: Logs): Segment[] => {
    const sorted = Object.entries(logs).sort(([a], [b]) => look.order(a, b))
    const named = Object.fromEntries(sorted.map(([log, value]) => [look.nameOf(log), value]))
    const count = `${String(done).padStart(String(target).length)}/${target}`
    return [
      look.glue === ' ' ? { style: 'bold', text: count } : count,
      ' ',
      ...look.bar(target > 0 ? Math.min(1, done / target) : 1),
      `${look.glue}${[times, ...metricTexts(named)].join(' - ')}`,
    ]
  }
  return {
    onTrainBegin(info) {
      epochs = info.epochs
      target = (look.counts === 'samples' ? info.samples : undefined) ?? info.batches
      const opening = look.opening?.(info)
      if (opening !== undefined) terminal.print(opening)
    },
    onEpochBegin: (epoch) => terminal.print(`Epoch ${epoch}/${epochs}`),
    onBatchEnd(progress) {
      latest = progress
      if (performance.now() - drawnAt < REDRAW) return
      const { samples, imagesPerSecond, secondsLeft, logs } = progress
      const done = countOf(progress)
      const each = timeOfOne(samples / imagesPerSecond / done)
      terminal.draw(...cut(parts(done, look.running(durationText(secondsLeft), each), logs), terminal.columns))
      drawnAt = performance.now()
    },
    onEpochEnd(record) {
      if (!latest) return
      const done = countOf(latest)
      const times = `${record.seconds.toFixed(0)}s ${timeOfOne(record.seconds / done)}`
      terminal.print(...parts(done, times, logsOf(record)))
    },
  }
}

/** Milliseconds between two drawings at least. */
const REDRAW = 50

/** The beginning of a line that would wrap. */
function cut(segments: readonly Segment[], columns: number): Segment[] {
  let room = columns
  return segments.map((segment) => {
    const text = (typeof segment === 'string' ? segment : segment.text).slice(0, Math.max(0, room))
    room -= text.length
    return typeof segment === 'string' ? text : { ...segment, text }
  })
}
