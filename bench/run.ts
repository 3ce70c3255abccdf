/**
 * npm run bench [-- --json] [--rounds n] [--threads n] [--workload name]: images per second and share of the engine's own
 * peak, the peak measured between the workloads of every round. Medians over rounds: machines are shared and drift.
 */
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import type { Engine, Numbers } from '../src/compile/engine.ts'
import type { Program } from '../src/compile/program.ts'
import { openEngine } from '../src/engines/index.ts'
import { sizeOf } from '../src/graph/shape.ts'
import { predictionGoals, trainingGoals, trainingSpecs } from '../src/model/graphs.ts'
import { objectiveFor } from '../src/model/objective.ts'
import { Session } from '../src/model/session.ts'
import { settleOptimizer } from '../src/nn/optimizers.ts'
import { imagesPerSecond, median } from './measure.ts'
import { peakOf } from './peak.ts'
import { flopsOf, workloads } from './workloads.ts'

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    threads: { type: 'string', default: String(availableParallelism()) },
    workload: { type: 'string', multiple: true, default: Object.keys(workloads) },
  },
})
const threads = Number(flags.threads)
const rounds = Number(flags.rounds)

interface Bench {
  readonly workload: string
  readonly mode: 'train' | 'infer'
  readonly batchSize: number
  readonly program: Program
  readonly inputs: Record<string, Numbers>
  readonly compileMs: number
  readonly firstStepMs: number
  readonly speeds: number[]
  readonly shares: number[]
}

/** Inputs of a program: pixels that are neither all alike nor random, labels in turn. */
function inputsFor(program: Program): Record<string, Numbers> {
  return Object.fromEntries(
    Object.entries(program.inputs).map(([name, { shape, dtype }]) => {
      const size = sizeOf(shape)
      if (dtype === 'uint8') return [name, Uint8Array.from({ length: size }, (_, i) => (i * 7919) % 256)]
      if (dtype === 'int32') return [name, Int32Array.from({ length: size }, (_, i) => i % 10)]
      return [name, new Float32Array(size).fill(name.startsWith('rate/') ? 1e-6 : 1)]
    }),
  )
}

/** Opens an engine of its own for the time from graph to first runnable step, workers included. */
async function prepare(
  workload: string,
  mode: 'train' | 'infer',
  batchSize: number,
): Promise<Bench & { engine: Engine }> {
  const { network } = workloads[workload]()
  const [shape] = Object.values(network.inputs)
  const fields = {
    name: 'bench',
    inputs: { image: { shape, dtype: 'uint8' } },
    targets: { label: { shape: [], dtype: 'int32' } },
  } as const
  const objective = objectiveFor(network, fields)
  const optimizer = settleOptimizer('adam')
  const start = performance.now()
  const engine = openEngine({ engine: 'wasm', threads })
  const session = await Session.open(network, engine, 0)
  const batch = { size: batchSize, ...fields }
  if (mode === 'train') await session.addFilled(trainingSpecs(network, optimizer))
  const program = await session.program(mode, () =>
    mode === 'train'
      ? trainingGoals(network, objective, batch, optimizer)
      : predictionGoals(network, objective.inputs, { output: 'softmax' }, batch),
  )
  const compileMs = performance.now() - start
  const inputs = inputsFor(program)
  await program.run(inputs)
  const firstStepMs = performance.now() - start - compileMs
  return { workload, mode, batchSize, program, inputs, compileMs, firstStepMs, speeds: [], shares: [], engine }
}

const benches: (Bench & { engine: Engine; peak: () => Promise<number> })[] = []
for (const workload of flags.workload) {
  for (const [mode, batchSize] of [
    ['train', 128],
    ['infer', 128],
    ['infer', 1],
  ] as const) {
    const bench = await prepare(workload, mode, batchSize)
    const peak = peakOf(bench.engine)
    for (let warm = 0; warm < 3; warm++) await peak()
    benches.push({ ...bench, peak })
  }
}
const peaks: number[] = []
for (let round = 0; round < rounds + 1; round++) {
  for (const bench of benches) {
    const before = await bench.peak()
    const speed = await imagesPerSecond(() => bench.program.run(bench.inputs), bench.batchSize, { inFlight: 2 })
    const peak = Math.max(before, await bench.peak())
    if (round === 0) continue // the first round warms the compiler up
    peaks.push(peak)
    bench.speeds.push(speed)
    bench.shares.push(((speed / bench.batchSize) * flopsOf(bench.program.steps)) / peak)
  }
}
const results = benches.map(({ workload, mode, batchSize, program, speeds, shares, compileMs, firstStepMs }) => ({
  workload,
  mode,
  engine: 'wasm',
  precision: 'float32',
  threads,
  batchSize,
  imagesPerSecond: median(speeds),
  shareOfPeak: median(shares),
  peakBytes: program.memory.peakBytes,
  compileMs,
  firstStepMs,
}))
const machine = {
  cpu: cpus()[0].model,
  cores: availableParallelism(),
  node: process.version,
  peakGflops: median(peaks) / 1e9,
}
if (flags.json) console.log(JSON.stringify({ machine, results }))
else {
  console.log(
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; peak of ${threads} threads ${machine.peakGflops.toFixed(1)} GFLOP/s`,
  )
  console.table(
    results.map(({ workload, mode, batchSize, imagesPerSecond, shareOfPeak, peakBytes, compileMs, firstStepMs }) => ({
      workload,
      mode,
      batchSize,
      'images/s': Math.round(imagesPerSecond),
      'share of peak': `${(100 * shareOfPeak).toFixed(1)} %`,
      'arena MB': (peakBytes / 1e6).toFixed(1),
      'compile ms': Math.round(compileMs),
      'first step ms': Math.round(firstStepMs),
    })),
  )
}
for (const { engine } of benches) await engine.close()
