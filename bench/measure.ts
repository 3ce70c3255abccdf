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
    const [user, nice, system, , , irq, softirq] = text.slice(0, text.indexOf('\n')).split(/\s+/).slice(1).map(Number)
    return user + nice + system + irq + softirq
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

/** Linux counts in hundredths of a second. */
function ticks(path: string, count: (text: string) => number): number | undefined {
  try {
    return count(readFileSync(path, 'utf8')) / 100
  } catch {
    return undefined
  }
}
