/**
 * npm run fuzz [-- --seed n --runs n]: reads files made at random, 25,000 for each reader unless told otherwise, in a heap
 * of 256 MB. A fault ends it, with the seed and the smallest file that shows it.
 */
import { parseArgs } from 'node:util'
import { fuzzings } from './kinds.ts'

const { values } = parseArgs({ options: { seed: { type: 'string' }, runs: { type: 'string' } } })
const count = (text: string | undefined, usual: number): number => {
  const number = text === undefined ? usual : Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw new RangeError(`--seed and --runs want integers >= 0, got ${text}`)
}
const seed = count(values.seed, 1)
const runs = count(values.runs, 25_000)

for (const [name, fuzzed] of Object.entries(fuzzings)) {
  console.log(`${name}: ${runs} files, --seed ${seed}`)
  const start = performance.now()
  const { read, refused, slowest } = fuzzed({ seed, runs })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`  ${read} read, ${runs - read} refused in ${seconds} s; the slowest file took ${slowest.toFixed(0)} ms`)
  for (const [words, times] of [...refused].sort(([, a], [, b]) => b - a))
    console.log(`  ${String(times).padStart(8)}  ${words}`)
}
