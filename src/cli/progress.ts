/** How training goes, for people: a bar that moves where someone watches, plain lines elsewhere. */
import type { Callback, Progress } from '../training/history.ts'
import { logsOf } from '../training/history.ts'
import { wrapped } from './columns.ts'
import { durationText, metricTexts, rateText } from './number-text.ts'
import type { Segment, Terminal } from './terminal.ts'

const BAR_LENGTH = 20
/** A bar that says less than this is left out. */
const SHORTEST_BAR = 4
/** What a terminal writes when it is pressed; it would wrap a full line. */
const CTRL_C = '^C'
/** Milliseconds between two drawings at least. */
const REDRAW = 50

/** The bar of Keras 3: `234/469 ━━━━━━━━━━──────── 9s 5120 images/s - accuracy: 0.9123 - loss: 0.3012`. */
export function progressBar(terminal: Terminal): Callback {
  let epochs = 0
  let latest: Progress | undefined
  let drawnAt = -Infinity
  return {
    onTrainBegin(info) {
      epochs = info.epochs
    },
    onEpochBegin: (epoch) => terminal.print(epochTitle(epoch, epochs)),
    onBatchEnd(progress) {
      latest = progress
      const isLast = progress.batch === progress.batches
      if (!isLast && performance.now() - drawnAt < REDRAW) return
      terminal.draw(...liveLine(progress, terminal))
      drawnAt = performance.now()
    },
    onEpochEnd(record) {
      if (!latest) return
      const plain = '━'.repeat(BAR_LENGTH) // escape codes would count as characters
      const head = `${counted(latest)} ${plain} ${durationText(record.seconds)} ${rateText(latest.imagesPerSecond)}`
      const indent = counted(latest).length + 1
      const lines = wrapped([head, ...metricTexts(logsOf(record))], { width: terminal.columns, glue: ' - ', indent })
      for (const line of lines) {
        const [before, ...after] = line.split(plain)
        if (after.length === 0) terminal.print(line)
        else terminal.print(before, ...bar(latest, BAR_LENGTH, terminal), after.join(plain))
      }
    },
  }
}

/** A line every `every` steps of an epoch, and one at its end. */
export function plainLines(terminal: Terminal, every: number): Callback {
  let epochs = 0
  let latest: Progress | undefined
  const line = (progress: Progress, parts: readonly string[]): void =>
    terminal.print([counted(progress), ...parts].join(' - '))
  return {
    onTrainBegin(info) {
      epochs = info.epochs
    },
    onEpochBegin: (epoch) => terminal.print(epochTitle(epoch, epochs)),
    onBatchEnd(progress) {
      latest = progress
      const { batch, batches, secondsLeft, imagesPerSecond, logs } = progress
      if (batch % every !== 0 || batch === batches) return // the epoch's own line follows the last batch
      line(progress, [`${durationText(secondsLeft)} left`, rateText(imagesPerSecond), ...metricTexts(logs)])
    },
    onEpochEnd(record) {
      if (!latest) return
      line(latest, [durationText(record.seconds), rateText(latest.imagesPerSecond), ...metricTexts(logsOf(record))])
    },
  }
}

const epochTitle = (epoch: number, epochs: number): string => `Epoch ${epoch}/${epochs}`

const counted = ({ batch, batches }: Progress): string => `${String(batch).padStart(String(batches).length)}/${batches}`

/** One line that never wraps: the bar gives way first, then the end of the line. */
function liveLine(progress: Progress, terminal: Terminal): Segment[] {
  const count = counted(progress)
  const facts = [
    `${durationText(progress.secondsLeft)} ${rateText(progress.imagesPerSecond)}`,
    ...metricTexts(progress.logs),
  ].join(' - ')
  const room = terminal.columns - CTRL_C.length - count.length - facts.length - 2
  const length = Math.min(BAR_LENGTH, room)
  if (length >= SHORTEST_BAR)
    return [{ style: 'bold', text: count }, ' ', ...bar(progress, length, terminal), ` ${facts}`]
  return [`${count} ${facts}`.slice(0, terminal.columns)]
}

function bar({ batch, batches }: Progress, length: number, { hasStyles }: Terminal): Segment[] {
  const done = Math.floor((length * batch) / batches)
  return [
    { style: 'green', text: '━'.repeat(done) },
    { style: 'dim', text: (hasStyles ? '━' : '─').repeat(length - done) },
  ]
}
