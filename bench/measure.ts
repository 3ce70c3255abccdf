/** Measuring on machines that are shared: short turns, medians over many. */
import { readFileSync } from 'node:fs'

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/** Half of the values lie within; as shares of the median. */
export function spread(values: readonly number[]): readonly [number, number] {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.round((sorted.length - 1) * share)] / median(values)
  return [at(0.25), at(0.75)]
}

/** Seconds of processor time, all processes of the machine; undefined where the system does not tell (Linux does). */
export const machineSeconds = (): number | undefined =>
  ticks('/proc/stat', (text) => {
    const [user, nice, system, , , irq, softirq, steal] = text
      .slice(0, text.indexOf('\n'))
      .split(/\s+/)
      .slice(1)
      .map(Number)
    return user + nice + system + irq + softirq + steal
  })

/** The same for one process, its threads included. */
export const processSeconds = (pid: number): number | undefined =>
  ticks(`/proc/${pid}/stat`, (text) => {
    const [user, system] = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
      .map(Number)
    return user + system
  })

/** A turn, or a look around, is quiet when all others together had less than this of one processor. */
export const QUIET = 0.1
const LOOK_MS = 100

/** Waits until nobody else computes, at most so many seconds; gives those that it took. */
export async function untilQuiet(patience: number): Promise<number> {
  const start = performance.now()
  const waited = (): number => (performance.now() - start) / 1000
  for (;;) {
    const before = machineSeconds()
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    const after = machineSeconds()
    const others = ((after ?? 0) - (before ?? 0)) / (LOOK_MS / 1000)
    if (others <= QUIET || waited() >= patience) return waited()
  }
}

/** Linux counts in hundredths of a second. */
function ticks(path: string, count: (text: string) => number): number | undefined {
  try {
    return count(readFileSync(path, 'utf8')) / 100
  } catch {
    return undefined
  }
}
