/** Measuring on machines that are shared: short turns, medians over many. */

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** Runs for about half a second, `inFlight` steps under way; gives images per second. */
export async function imagesPerSecond(
  run: () => Promise<unknown>,
  batchSize: number,
  { inFlight }: { inFlight: 1 | 2 },
): Promise<number> {
  const start = performance.now()
  let done = 0
  let pending: Promise<unknown> = Promise.resolve()
  while (performance.now() - start < 500) {
    const next = run()
    await (inFlight === 1 ? next : pending)
    pending = next
    done++
  }
  await pending
  return (done * batchSize) / ((performance.now() - start) / 1000)
}
