/**
 * npm run -s node -- bench/stages.ts [network] [train|infer] [batch] [float32|mixed_bfloat16]: where the time of a step goes on the
 * native engine, stage by stage; steps are awaited one after the other, on all processors.
 */
import { availableParallelism } from 'node:os'
import { median } from './measure.ts'
import type { Mode, Precision } from './protocol.ts'
import { precisions } from './report.ts'
import { openStep } from './step.ts'
import { workloads } from './workloads.ts'

const [workload = 'lenet', mode = 'train', batch = '128', precision = 'float32'] = process.argv.slice(2)
const batchSize = Number(batch)
const known: readonly (readonly [string, readonly string[]])[] = [
  [workload, Object.keys(workloads)],
  [mode, ['train', 'infer']],
  [precision, precisions],
]
const wrong = known.find(([word, words]) => !words.includes(word))
if (wrong || !(Number.isInteger(batchSize) && batchSize > 0)) {
  console.error(
    wrong ? `stages: ${wrong[0]}: expected ${wrong[1].join(', ')}` : `stages: ${batch}: expected a batch's size`,
  )
  process.exit(2)
}
const task = { workload, mode: mode as Mode, batchSize, precision: precision as Precision }
const { engine, program, run } = await openStep({ ...task, threads: availableParallelism() }, 'native')
const [ROUNDS, SECONDS, RUNS] = [9, 0.3, 50]
const rounds: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  const start = performance.now()
  let runs = 0
  for (; runs === 0 || performance.now() - start < SECONDS * 1000; runs++) await run()
  rounds.push((performance.now() - start) / runs)
}
const ms = median(rounds)
console.log(
  `${workload}, ${mode}, ${batchSize}, ${precision}: ${ms.toFixed(3)} ms, ${Math.round((batchSize / ms) * 1000)} images/s`,
)
await program.profile()
for (let i = 0; i < RUNS; i++) await run()
const stages = (await program.profile()) ?? []
const rows = stages.map(({ name, kernel = '', seconds }) => ({
  stage: name,
  kernel,
  us: Math.round((seconds / RUNS) * 1e6),
}))
console.table(rows.filter(({ us }) => us > 0).sort((a, b) => b.us - a.us))
await engine.close()
